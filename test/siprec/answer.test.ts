import { describe, expect, test } from '@jest/globals';
import { buildAnswer, planLines } from '../../src/siprec/answer.ts';
import { parseSdp, type SessionOffer } from '../../src/siprec/sdp.ts';

const offer = (...lines: readonly string[]): SessionOffer =>
  parseSdp(
    ['v=0', 'o=src 7 7 IN IP4 192.0.2.10', 's=x', 'c=IN IP4 192.0.2.10', 't=5 9', ...lines].join('\r\n'),
  );

const answer = (to: SessionOffer, extra: object = {}): readonly string[] =>
  buildAnswer(to, {
    address: '192.0.2.1',
    ports: new Map(to.lines.map(({ index }) => [index, 30_000 + 2 * index])),
    sessionId: '4711',
    version: 3,
    ...extra,
  }).split('\r\n');

describe('buildAnswer', () => {
  test('has an origin of its own and the timing of the offer (SDP-11, SDP-12)', () => {
    expect(answer(offer('m=audio 4 RTP/AVP 8')).slice(0, 5)).toEqual([
      'v=0',
      'o=sealtape 4711 3 IN IP4 192.0.2.1',
      's=-',
      'c=IN IP4 192.0.2.1',
      't=5 9',
    ]);
  });

  test('says IP6 for an IPv6 address', () => {
    expect(answer(offer('m=audio 4 RTP/AVP 8'), { address: '2001:db8::1' })).toContain(
      'c=IN IP6 2001:db8::1',
    );
  });

  test('keeps number and order of the m-lines and rejects with media, profile and formats (SDP-1, SDP-2)', () => {
    const lines = answer(
      offer(
        'm=video 4 RTP/AVPF 96',
        'm=audio 4 RTP/AVP 0',
        'm=image 4 udptl t38',
        'm=audio 0 RTP/AVP 0',
        'm=audio 4 RTP/SAVP 0 8',
        'm=audio 4 RTP/AVP 18 101',
        'm=audio 4 RTP/AVPF 8',
      ),
    );
    expect(lines.filter((line) => line.startsWith('m='))).toEqual([
      'm=video 0 RTP/AVPF 96',
      'm=audio 30002 RTP/AVP 0',
      'm=image 0 udptl t38',
      'm=audio 0 RTP/AVP 0',
      'm=audio 0 RTP/SAVP 0 8',
      'm=audio 30010 RTP/AVP 18 101',
      'm=audio 30012 RTP/AVPF 8',
    ]);
  });

  test('keeps every offered number that can be stored, in offer order, with rtpmap and fmtp (SDP-6)', () => {
    const lines = answer(
      offer(
        'm=audio 4 RTP/AVP 111 101 8 9 107 0 19 13',
        'a=rtpmap:111 opus/48000/2',
        'a=rtpmap:101 telephone-event/8000',
        'a=fmtp:101 0-15',
        'a=rtpmap:107 TELEPHONE-EVENT/48000',
        'a=fmtp:111 useinbandfec=1',
      ),
    );
    expect(lines.slice(5, -1)).toEqual([
      'm=audio 30000 RTP/AVP 111 101 8 9 107 0 19 13',
      'a=rtpmap:111 opus/48000/2',
      'a=fmtp:111 useinbandfec=1',
      'a=rtpmap:101 telephone-event/8000',
      'a=fmtp:101 0-15',
      'a=rtpmap:8 PCMA/8000',
      'a=rtpmap:9 G722/8000',
      'a=rtpmap:107 telephone-event/48000',
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:19 CN/8000',
      'a=rtpmap:13 CN/8000',
      'a=recvonly',
    ]);
  });

  test('keeps codecs nobody knows, and explains no number that the offer does not explain (SDP-8, RTP-9)', () => {
    const lines = answer(
      offer(
        'm=audio 4 RTP/AVP 96 97 98',
        'a=rtpmap:96 AMR-WB/16000',
        'a=fmtp:96 octet-align=1; mode-set=0,2',
        'a=rtpmap:98 iLBC/8000',
        'a=fmtp:98 mode=30',
      ),
    );
    expect(lines.slice(5, -1)).toEqual([
      'm=audio 30000 RTP/AVP 96 97 98',
      'a=rtpmap:96 AMR-WB/16000',
      'a=fmtp:96 octet-align=1; mode-set=0,2',
      'a=rtpmap:98 iLBC/8000',
      'a=fmtp:98 mode=30',
      'a=recvonly',
    ]);
  });

  test('ends every line with CRLF', () => {
    expect(answer(offer('m=audio 4 RTP/AVP 8')).at(-1)).toBe('');
  });

  test.each([
    ['sendonly', 'recvonly'],
    ['sendrecv', 'recvonly'],
    ['inactive', 'inactive'],
    ['recvonly', 'inactive'],
  ])('answers %s with %s (SDP-3, SDP-4)', (offered, answered) => {
    expect(answer(offer('m=audio 4 RTP/AVP 8', `a=${offered}`))).toContain(`a=${answered}`);
  });

  test('answers directions line by line, an absent one with recvonly (SDP-3)', () => {
    const lines = answer(offer('m=audio 4 RTP/AVP 8', 'a=inactive', 'm=audio 6 RTP/AVP 8'));
    expect(lines.filter((line) => /^a=(recvonly|inactive)$/.test(line))).toEqual([
      'a=inactive',
      'a=recvonly',
    ]);
  });

  test('keeps a line whose address is 0.0.0.0 open (SDP-14)', () => {
    const lines = answer(offer('m=audio 4 RTP/AVP 8', 'c=IN IP4 0.0.0.0'));
    expect(lines).toEqual(expect.arrayContaining(['m=audio 30000 RTP/AVP 8', 'a=recvonly']));
  });

  test.each(['1', '0', 'a_leg', '16777227', 'x y', '007'])('echoes label %s as it is (SDP-9)', (label) => {
    expect(answer(offer('m=audio 4 RTP/AVP 8', `a=label:${label}`))).toContain(`a=label:${label}`);
  });

  test('takes reports on the port of the audio where the client offers that, and only there (RTP-5)', () => {
    const lines = answer(offer('m=audio 4 RTP/AVP 8', 'a=rtcp-mux', 'm=audio 6 RTP/AVP 8'));
    expect(lines.filter((line) => line.startsWith('a=rtcp'))).toEqual(['a=rtcp-mux']);
    expect(lines.indexOf('a=rtcp-mux')).toBeLessThan(lines.indexOf('m=audio 30002 RTP/AVP 8'));
  });

  test('invents no label (SDP-9, SDP-10)', () => {
    expect(answer(offer('m=audio 4 RTP/AVP 8')).join('\n')).not.toContain('label');
  });

  test('answers a line for which there is no port with port 0 (SDP-21)', () => {
    const lines = answer(offer('m=audio 4 RTP/AVP 8', 'm=audio 6 RTP/AVP 8'), {
      ports: new Map([[0, 30_000]]),
    });
    expect(lines.filter((line) => line.startsWith('m='))).toEqual([
      'm=audio 30000 RTP/AVP 8',
      'm=audio 0 RTP/AVP 8',
    ]);
  });

  test('answers lines the client switched off itself', () => {
    expect(answer(offer('m=audio 0 RTP/AVP 8')).slice(5)).toEqual(['m=audio 0 RTP/AVP 8', '']);
  });

  test.each([
    ['no line at all', []],
    ['video alone', ['m=video 4 RTP/AVP 96']],
    ['no voice (SDP-5)', ['m=audio 4 RTP/AVP 13 101', 'a=rtpmap:101 telephone-event/8000']],
    ['a secure profile', ['m=audio 4 RTP/SAVP 8']],
  ])('throws NO_AUDIO for %s', (_title, lines) => {
    expect(() => answer(offer(...lines))).toThrow(expect.objectContaining({ code: 'NO_AUDIO' }));
  });
});

test('planLines says why a line is rejected', () => {
  expect(planLines(offer('m=audio 4 RTP/SAVP 8', 'm=text 4 RTP/AVP 98'))).toEqual([
    expect.objectContaining({ accepted: false, rejection: 'profile RTP/SAVP is not supported' }),
    expect.objectContaining({ accepted: false, rejection: 'text is not recorded' }),
  ]);
});
