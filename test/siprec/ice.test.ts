import { describe, expect, test } from '@jest/globals';
import { agreeIce } from '../../src/siprec/agree-ice.ts';
import { buildAnswer } from '../../src/siprec/answer.ts';
import { answerToOffer, ownOffer } from '../../src/siprec/offer.ts';
import { parseSdp, type SessionOffer } from '../../src/siprec/sdp.ts';

const UFRAG = 'a=ice-ufrag:8hhY';
const PASSWORD = 'a=ice-pwd:asd88fgpdd777uzjYhagZg';
const CANDIDATE = 'a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host';
const REPORTS = 'a=candidate:1 2 UDP 2130706430 192.0.2.1 4001 typ host';

const offerWith = (attributes: readonly string[], session: readonly string[] = [], address = '192.0.2.1') =>
  parseSdp(
    [
      'v=0',
      'o=- 1 1 IN IP4 192.0.2.1',
      's=-',
      `c=IN IP${address.includes(':') ? 6 : 4} ${address}`,
      't=0 0',
      ...session,
      'm=audio 4000 RTP/AVP 8',
      'a=sendonly',
      ...attributes,
    ].join('\r\n'),
  );

const answerTo = (offer: SessionOffer, address = '198.51.100.9'): readonly string[] =>
  buildAnswer(offer, { address, ports: new Map([[0, 20_000]]), sessionId: '7', version: 1 }).split('\r\n');

const iceIn = (answer: readonly string[]): readonly string[] =>
  answer.filter((line) => /^a=(?:ice|candidate)/.test(line));

describe('ICE in the answer (RFC 8839, SDP-19)', () => {
  test('an offer without it gets none', () => {
    expect(iceIn(answerTo(agreeIce(offerWith([]))))).toEqual([]);
  });

  test('a lite agent names itself as such, with the one address it has, for audio and reports', () => {
    const answer = answerTo(agreeIce(offerWith([UFRAG, PASSWORD, CANDIDATE, REPORTS])));
    expect(iceIn(answer)).toEqual([
      'a=ice-lite',
      'a=ice-options:ice2',
      expect.stringMatching(/^a=ice-ufrag:[A-Za-z0-9+/]{4,}$/),
      expect.stringMatching(/^a=ice-pwd:[A-Za-z0-9+/]{22,}$/),
      'a=candidate:1 1 UDP 2130706431 198.51.100.9 20000 typ host',
      'a=candidate:1 2 UDP 2130706430 198.51.100.9 20001 typ host',
    ]);
    // Of the session, not of the line.
    expect(answer.indexOf('a=ice-lite')).toBeLessThan(answer.findIndex((line) => line.startsWith('m=')));
  });

  test('reports that share the port have no candidate', () => {
    const offer = agreeIce(offerWith([UFRAG, PASSWORD, CANDIDATE, 'a=rtcp-mux']));
    expect(answerTo(offer).filter((line) => line.startsWith('a=candidate'))).toHaveLength(1);
  });

  test('IPv6, written in another way than in the candidate', () => {
    const candidate = 'a=candidate:1 1 UDP 2130706431 2001:db8::1 4000 typ host';
    const offer = agreeIce(offerWith([UFRAG, PASSWORD, candidate], [], '2001:DB8:0:0::1'));
    expect(answerTo(offer, '2001:db8::9')).toContain(
      'a=candidate:1 1 UDP 2130706431 2001:db8::9 20000 typ host',
    );
  });

  test('words of the session hold for a line without its own', () => {
    expect(agreeIce(offerWith([CANDIDATE], [UFRAG, PASSWORD])).lines[0]?.ownIce).toBeDefined();
  });

  test.each([
    ['no password', [UFRAG, CANDIDATE]],
    ['a password too short to be one', [UFRAG, 'a=ice-pwd:short', CANDIDATE]],
    ['letters that must not be', ['a=ice-ufrag:8h hY', PASSWORD, CANDIDATE]],
  ])('is not spoken: %s', (_name, attributes) => {
    expect(iceIn(answerTo(agreeIce(offerWith(attributes))))).toEqual([]);
  });

  test('an address that none of the candidates has was put there on the way: mismatch, and the rest as without ICE', () => {
    const answer = answerTo(agreeIce(offerWith([UFRAG, PASSWORD, CANDIDATE], [], '192.0.2.77')));
    expect(iceIn(answer)).toEqual(['a=ice-mismatch']);
    expect(answer).toContain('m=audio 20000 RTP/AVP 8');
  });

  test.each([
    ['the address that stands for none', [CANDIDATE], '0.0.0.0'],
    ['no candidates yet (RFC 8840)', [], '192.0.2.77'],
    ['a name instead of an address', [CANDIDATE.replace('192.0.2.1', 'b2e5.local')], '192.0.2.77'],
  ])('is no mismatch: %s', (_name, candidates, address) => {
    const [line] = agreeIce(offerWith([UFRAG, PASSWORD, ...candidates], [], address)).lines;
    expect(line?.ownIce).toMatchObject({ password: expect.any(String) as unknown });
  });

  test('a re-offer in the same words goes on with ours; other words restart it', () => {
    const first = agreeIce(offerWith([UFRAG, PASSWORD, CANDIDATE]));
    const again = agreeIce(offerWith([UFRAG, PASSWORD, CANDIDATE]), first);
    const restarted = agreeIce(offerWith(['a=ice-ufrag:newX', PASSWORD, CANDIDATE]), again);
    expect(again.lines[0]?.ownIce).toEqual(first.lines[0]?.ownIce);
    expect(restarted.lines[0]?.ownIce).not.toEqual(first.lines[0]?.ownIce);
  });

  test('an offer of ours has none, and an answer that brings some is taken without', () => {
    const answered = answerToOffer(ownOffer(), agreeIce(offerWith([UFRAG, PASSWORD, CANDIDATE])));
    expect(answered.lines[0]).not.toHaveProperty('ownIce');
  });

  test('a line that is answered with port 0 or 9 does none', () => {
    const offer = agreeIce(offerWith([UFRAG, PASSWORD, CANDIDATE]));
    const options = { address: '198.51.100.9', sessionId: '7', version: 1 };
    for (const ports of [new Map([[0, 9]]), new Map<number, number>()])
      expect(iceIn(buildAnswer(offer, { ...options, ports }).split('\r\n'))).toEqual([]);
  });
});
