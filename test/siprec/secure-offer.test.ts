import { describe, expect, test } from '@jest/globals';
import { inspect } from 'node:util';
import { buildAnswer, planLines } from '../../src/siprec/answer.ts';
import { parseCrypto } from '../../src/siprec/crypto-attribute.ts';
import { parseSdp, type SessionOffer } from '../../src/siprec/sdp.ts';
import { eraseKeys, secureOffer, type SecurityPolicy } from '../../src/siprec/secure-offer.ts';

const KEY = Buffer.alloc(30, 0x5a).toString('base64');
const LONG = Buffer.alloc(46, 0x5a).toString('base64');
const SUITE = 'AES_CM_128_HMAC_SHA1_80';

describe('a=crypto (RFC 4568)', () => {
  test.each([
    [`1 ${SUITE} inline:${KEY}`, 1],
    [`7 ${SUITE} inline:${KEY}|2^20|1:4`, 1],
    [`1 ${SUITE} inline:${KEY}|1:4;inline:${KEY}|2:4`, 2],
    [`1 ${SUITE} inline:${KEY}|1048576 UNENCRYPTED_SRTCP WSH=64 -X=1`, 1],
    [`1 AES_256_CM_HMAC_SHA1_80 inline:${LONG}`, 1],
  ])('takes %s (SRTP-3)', (value, keys) => {
    expect(parseCrypto(value)?.keys).toHaveLength(keys);
  });

  test.each([
    `1 ROT13 inline:${KEY}`,
    `1 AES_256_CM_HMAC_SHA1_80 inline:${KEY}`,
    `1 ${SUITE} inline:${KEY} UNENCRYPTED_SRTP`,
    `1 ${SUITE} inline:${KEY} UNAUTHENTICATED_SRTP`,
    `1 ${SUITE} inline:${KEY} KDR=1`,
    `1 ${SUITE} inline:${KEY}|2^49`,
    `1 ${SUITE} inline:${KEY}|300:1`,
    `1 ${SUITE} inline:${KEY};inline:${KEY}`,
    `x ${SUITE} inline:${KEY}`,
    '',
  ])('passes over %s', (value) => {
    expect(parseCrypto(value)).toBeUndefined();
  });

  test('reads the identifier as a number of so many bytes, and shows no key to anybody', () => {
    const crypto = parseCrypto(`1 ${SUITE} inline:${KEY}|258:4`);
    expect(crypto?.keys[0]?.mki).toEqual(Uint8Array.of(0, 0, 1, 2));
    const shown = `${JSON.stringify(crypto)} ${inspect(crypto, { depth: 9 })} ${String(crypto?.keys[0]?.secret)}`;
    expect(shown).toContain('[secret]');
    // A key keeps no more in memory than itself.
    expect(crypto?.keys[0]?.secret.reveal().buffer.byteLength).toBe(crypto?.keys[0]?.secret.reveal().length);
    expect(shown).not.toContain(KEY.slice(0, 12));
    expect(shown).not.toContain('5a 5a');
  });
});

const offer = (...lines: readonly string[]): SessionOffer =>
  parseSdp(['v=0', 'c=IN IP4 192.0.2.1', 't=0 0', ...lines].join('\r\n'));

const PREFERRED: SecurityPolicy = { srtp: 'preferred', keysAreSafe: true };
const SECURE = ['m=audio 4 RTP/SAVP 8', `a=crypto:9 NO inline:${KEY}`, `a=crypto:2 ${SUITE} inline:${KEY}`];

const FINGERPRINT = Buffer.alloc(32, 0xab)
  .toString('hex')
  .toUpperCase()
  .replace(/..(?=.)/g, '$&:');
const OURS = FINGERPRINT.replaceAll('AB', 'CD');
const DTLS: SecurityPolicy = { ...PREFERRED, dtlsFingerprint: OURS };
const HANDSHAKE = ['m=audio 4 UDP/TLS/RTP/SAVP 8', `a=fingerprint:SHA-256 ${FINGERPRINT.toLowerCase()}`];

const answerTo = (secured: SessionOffer): string =>
  buildAnswer(secured, {
    address: '192.0.2.9',
    ports: new Map(secured.lines.map(({ index }) => [index, 5000 + 2 * index])),
    sessionId: '1',
    version: 1,
  });

describe('an encrypted offer', () => {
  test('is answered with one crypto line: the first we can do, its tag, a key of our own (SRTP-2)', () => {
    const answer = answerTo(secureOffer(offer(...SECURE), PREFERRED));
    expect(answer).toContain('m=audio 5000 RTP/SAVP 8');
    const own = /^a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:(\S{40})\r$/m.exec(answer)?.[1];
    expect(own).toMatch(/^[A-Za-z0-9+/]{40}$/);
    expect(own).not.toBe(KEY);
    expect(answer.match(/a=crypto/g)).toHaveLength(1);
  });

  test('keeps our key over a re-offer of the same suite', () => {
    const first = secureOffer(offer(...SECURE), PREFERRED);
    expect(answerTo(secureOffer(offer(...SECURE), PREFERRED, first))).toBe(answerTo(first));
    const next = secureOffer(offer(...SECURE), PREFERRED, first);
    eraseKeys(first, next);
    expect(first.lines[0]?.cryptos?.[0]?.keys[0]?.secret.reveal()).toEqual(Buffer.alloc(30));
    const security = next.lines[0]?.security;
    expect(security?.crypto && security.own.reveal()).toHaveLength(30);
    expect(security?.crypto && security.own.reveal()).not.toEqual(Buffer.alloc(30));
  });

  test('of two lines for one stream the encrypted one is taken (SRTP-7)', () => {
    const plain = ['m=audio 6 RTP/AVP 8', 'a=label:1'];
    const plan = planLines(secureOffer(offer(...plain, ...SECURE, 'a=label:1'), PREFERRED));
    expect(plan.map(({ accepted }) => accepted)).toEqual([false, true]);
  });

  test.each([
    [{ srtp: 'off', keysAreSafe: true }, SECURE, /SRTP is off/],
    [{ srtp: 'preferred', keysAreSafe: false }, SECURE, /needs TLS signalling/],
    [{ srtp: 'required', keysAreSafe: true }, ['m=audio 4 RTP/AVP 8'], /requires SRTP/],
    [PREFERRED, ['m=audio 4 RTP/SAVP 8'], /no usable key/],
    [PREFERRED, ['m=audio 4 UDP/TLS/RTP/SAVPF 8'], /DTLS-SRTP is not available/],
    [DTLS, ['m=audio 4 UDP/TLS/RTP/SAVPF 8'], /no usable fingerprint/],
    [DTLS, [...HANDSHAKE, 'a=setup:holdconn'], /holdconn leaves nobody/],
    [{ ...DTLS, srtp: 'off' }, HANDSHAKE, /SRTP is off/],
    [{ ...DTLS, keysAreSafe: false }, HANDSHAKE, /needs TLS signalling/],
  ] as const)('is refused by the policy %j', (policy, lines, reason) => {
    expect(planLines(secureOffer(offer(...lines), policy))[0]?.rejection).toMatch(reason);
  });
});

describe('DTLS-SRTP (RFC 5763, SRTP-6)', () => {
  const securityOf = (secured: SessionOffer) => secured.lines[0]?.security;

  test.each([
    ['actpass', 'passive'],
    ['active', 'passive'],
    ['passive', 'active'],
    ['ACTPASS', 'passive'],
  ])('a=setup:%s is answered %s, with our fingerprint and no key', (setup, role) => {
    const secured = secureOffer(offer(...HANDSHAKE, `a=setup:${setup}`), DTLS);
    expect(securityOf(secured)).toMatchObject({
      role,
      fingerprints: [{ hash: 'sha-256', value: FINGERPRINT }],
    });
    const answer = answerTo(secured);
    expect(answer).toContain('m=audio 5000 UDP/TLS/RTP/SAVP 8\r\n');
    expect(answer).toContain(`a=setup:${role}\r\na=fingerprint:sha-256 ${OURS}\r\n`);
    expect(answer).not.toMatch(/a=crypto|a=tls-id/);
  });

  test('an offer without a=setup begins itself (RFC 4145 §4), and the session may speak for its lines', () => {
    const [line = '', fingerprint = ''] = HANDSHAKE;
    expect(securityOf(secureOffer(offer(...HANDSHAKE), DTLS))).toMatchObject({ role: 'passive' });
    const session = offer(fingerprint, 'a=setup:passive', line);
    expect(securityOf(secureOffer(session, DTLS))).toMatchObject({ role: 'active' });
  });

  test('a re-offer keeps the role of its association, and our tls-id; another fingerprint asks anew (RFC 8842)', () => {
    const id = 'a=tls-id:abcdefghij0123456789';
    const first = secureOffer(offer(...HANDSHAKE, 'a=setup:passive', id), DTLS);
    const again = secureOffer(offer(...HANDSHAKE, 'a=setup:actpass', id), DTLS, first);
    expect(securityOf(again)).toEqual(securityOf(first));
    expect(answerTo(again)).toMatch(/^a=tls-id:[0-9a-f]{40}\r$/m);
    const other = HANDSHAKE.map((text) => text.replace('ab:', 'ef:'));
    const next = secureOffer(offer(...other, 'a=setup:actpass', id), DTLS, first);
    expect(securityOf(next)).toMatchObject({ role: 'passive' });
    expect(answerTo(next)).not.toBe(answerTo(again));
  });

  test('where a line offers keys and a handshake its profile decides, and the keys go first', () => {
    const both = [`a=crypto:1 ${SUITE} inline:${KEY}`, ...HANDSHAKE.slice(1), 'a=setup:actpass'];
    const chosen = (profile: string): string =>
      answerTo(secureOffer(offer(`m=audio 4 ${profile} 8`, ...both), DTLS));
    expect(chosen('UDP/TLS/RTP/SAVPF')).toMatch(/a=setup:passive/);
    expect(chosen('UDP/TLS/RTP/SAVPF')).not.toMatch(/a=crypto/);
    expect(chosen('RTP/SAVP')).toMatch(/a=crypto/);
    expect(chosen('RTP/SAVP')).not.toMatch(/a=fingerprint/);
    expect(answerTo(secureOffer(offer('m=audio 4 RTP/SAVPF 8', ...both.slice(1)), DTLS))).toMatch(/a=setup/);
    expect(answerTo(secureOffer(offer('m=audio 4 RTP/AVP 8', ...both.slice(1)), DTLS))).toMatch(/a=setup/);
  });

  test('all hashes of RFC 8122 are read; what is none, or too weak to trust, is passed over', () => {
    const line = (hash: string, bytes: number): string =>
      `a=fingerprint:${hash} ${Array(bytes).fill('0A').join(':')}`;
    const good = [line('sha-1', 20), line('sha-224', 28), line('sha-384', 48), line('sha-512', 64)];
    const bad = [line('md5', 16), line('sha-256', 31), 'a=fingerprint:sha-256 0A0A', 'a=fingerprint:'];
    const parsed = offer('m=audio 4 UDP/TLS/RTP/SAVP 8', ...good, ...bad).lines[0]?.dtls;
    expect(parsed?.fingerprints.map(({ hash }) => hash)).toEqual(['sha-1', 'sha-224', 'sha-384', 'sha-512']);
    expect(offer('m=audio 4 UDP/TLS/RTP/SAVP 8', ...bad).lines[0]).not.toHaveProperty('dtls');
  });

  test('from keys to a handshake and back in re-offers', () => {
    const first = secureOffer(offer(...SECURE), DTLS);
    const second = secureOffer(offer(...HANDSHAKE, 'a=setup:actpass'), DTLS, first);
    expect(securityOf(second)).toMatchObject({ role: 'passive' });
    eraseKeys(first, second);
    const third = secureOffer(offer(...SECURE), DTLS, second);
    expect(securityOf(third)).toHaveProperty('crypto.suite', SUITE);
    eraseKeys(second, third);
  });
});
