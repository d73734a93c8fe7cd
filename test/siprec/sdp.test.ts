import { describe, expect, test } from '@jest/globals';
import { parseSdp } from '../../src/siprec/sdp.ts';

const sdp = (...lines: readonly string[]): string =>
  ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', 'c=IN IP4 192.0.2.1', 't=0 0', ...lines].join('\r\n');

const firstLine = (text: string): unknown => parseSdp(text).lines[0];

describe('parseSdp', () => {
  test('reads every part of an m-line', () => {
    const offer = parseSdp(
      sdp(
        'm=audio 40000/2 RTP/AVP 0 101 0',
        'c=IN IP4 203.0.113.7/127',
        'a=rtpmap:101 telephone-event/8000',
        'a=fmtp:101 0-15',
        'a=ptime:20',
        'a=label:a_leg',
        'a=sendonly',
      ),
    );
    expect(offer).toEqual({
      origin: '- 1 1 IN IP4 192.0.2.1',
      timing: '0 0',
      warnings: [],
      lines: [
        {
          index: 0,
          media: 'audio',
          protocol: 'RTP/AVP',
          port: 40_000,
          formatList: ['0', '101', '0'],
          formats: [
            { payloadType: 0, encoding: 'PCMU', clockRate: 8000, channels: 1 },
            { payloadType: 101, encoding: 'TELEPHONE-EVENT', clockRate: 8000, channels: 1, fmtp: '0-15' },
          ],
          address: '203.0.113.7',
          direction: 'sendonly',
          label: 'a_leg',
          packetTime: 20,
        },
      ],
    });
  });

  test.each([
    ['static numbers without rtpmap (SDP-7)', ['m=audio 4 RTP/AVP 8 18 19'], ['PCMA', 'G729', 'CN']],
    ['a static number with a meaning of its own', ['m=audio 4 RTP/AVP 8', 'a=rtpmap:8 PCMU/8000'], ['PCMU']],
    ['a dynamic number without rtpmap', ['m=audio 4 RTP/AVP 97'], ['UNKNOWN']],
    ['stereo', ['m=audio 4 RTP/AVP 96', 'a=rtpmap:96 opus/48000/2'], ['OPUS']],
  ])('names the formats of %s', (_title, lines, encodings) => {
    expect(parseSdp(sdp(...lines)).lines[0]?.formats.map(({ encoding }) => encoding)).toEqual(encodings);
  });

  test.each([
    ['bare LF', (text: string) => text.replaceAll('\r\n', '\n')],
    ['bare CR', (text: string) => text.replaceAll('\r\n', '\r')],
    ['a blank after a=', (text: string) => text.replace('a=label', 'a= label')],
    ['a blank after the colon', (text: string) => text.replace('label:', 'label: ')],
    ['blanks at line ends', (text: string) => text.replaceAll('\r\n', ' \t\r\n')],
    ['unknown lines', (text: string) => `${text}\r\nx=9\r\nnonsense\r\na=unheard:of`],
    ['a control octet', (text: string) => text.replace('audio', 'au\x7fdio')],
    ['missing t=', (text: string) => text.replace('t=0 0\r\n', '')],
    ['missing o=', (text: string) => text.replace(/o=.*\r\n/, '')],
    ['blank lines in between', (text: string) => text.replaceAll('\r\n', '\r\n\r\n')],
    [
      'another description behind a blank line',
      (text: string) => `${text}\r\n\r\n--\r\nv=0\r\nm=audio 1 RTP/AVP 0`,
    ],
  ])('tolerates %s (SDP-19)', (_title, change) => {
    const offer = parseSdp(change(sdp('m=audio 40000 RTP/AVP 8', 'a=label:0', 'a=inactive')));
    expect(offer.timing).toBe('0 0');
    expect(offer.lines).toEqual([
      expect.objectContaining({ media: 'audio', port: 40_000, label: '0', direction: 'inactive' }),
    ]);
  });

  test('a missing c= is noted, not refused (SDP-19)', () => {
    const offer = parseSdp('v=0\nm=audio 40000 RTP/AVP 8');
    expect(offer.lines[0]).not.toHaveProperty('address');
    expect(offer.warnings).toContain('m-line 1 has no connection address');
  });

  test.each([
    ['none at all', [], [], 'sendrecv'],
    ['one of the session', ['a=inactive'], [], 'inactive'],
    ['one of the line over the session', ['a=inactive'], ['a=sendonly'], 'sendonly'],
  ])('takes the direction from %s (SDP-3)', (_title, session, line, direction) => {
    expect(firstLine(sdp(...session, 'm=audio 4 RTP/AVP 8', ...line))).toMatchObject({ direction });
  });

  test.each([
    ['no SDP at all', 'hello', 'BAD_SDP'],
    ['nothing', '', 'BAD_SDP'],
    ['an m-line without formats', sdp('m=audio 4 RTP/AVP'), 'BAD_SDP'],
    ['a port that is no number', sdp('m=audio x RTP/AVP 0'), 'BAD_SDP'],
    ['a port above 65535', sdp('m=audio 65536 RTP/AVP 0'), 'BAD_SDP'],
    ['too many m-lines', sdp(...Array<string>(33).fill('m=audio 4 RTP/AVP 0')), 'TOO_LARGE'],
    ['too many formats', sdp(`m=audio 4 RTP/AVP ${'96 '.repeat(65)}`), 'TOO_LARGE'],
    ['too much text', sdp('a=x'.repeat(40_000)), 'TOO_LARGE'],
  ])('refuses %s', (_title, text, code) => {
    expect(() => parseSdp(text)).toThrow(expect.objectContaining({ name: 'SiprecError', code }));
  });
});
