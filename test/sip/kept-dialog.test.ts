import { expect, test } from '@jest/globals';
import { composeKept, readKept, type KeptDialog } from '../../src/sip/kept-dialog.ts';
import { readUnfinished } from '../../src/sip/left-call.ts';
import { RECORD_ALL } from '../../src/rules/decision.ts';
import { parseSdp } from '../../src/siprec/sdp.ts';
import { secureOffer } from '../../src/siprec/secure-offer.ts';

const KEY = 'WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz';

const sdp = (profile: string, crypto: string): string =>
  `v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 ${profile} 8\r\n${crypto}a=label:1\r\na=sendonly\r\n`;

const kept = (offer: KeptDialog['content']['offer'], last: string): Omit<KeptDialog, 'encrypted'> => ({
  at: 1,
  recording: 'rec-1',
  signalling: {
    callId: 'call@test',
    fromTag: 'theirs',
    toTag: 'ours',
    from: '<sip:a@192.0.2.1>;tag=theirs',
    to: '<sip:srs@192.0.2.2>',
    contact: '<sip:a@192.0.2.1:5060>',
    recordRoute: '<sip:proxy@192.0.2.3;lr>,<sip:192.0.2.4;lr>',
    allow: 'INVITE, UPDATE',
    ownContact: '<sip:srs@192.0.2.2>',
    cseq: 7,
    protocol: 'tls',
    remote: { address: '192.0.2.1', port: 5061 },
    local: { address: '192.0.2.2', port: 5061 },
    sessionSeconds: 1800,
  },
  call: {
    facts: {
      callId: 'call@test',
      trunk: 'sbc',
      transport: 'tls',
      remoteAddress: '192.0.2.1',
      remotePort: 5061,
    },
    decision: RECORD_ALL,
    localAddress: '192.0.2.2',
    sources: { networks: ['192.0.2.0/24'], offered: true },
  },
  identities: { from: { aor: 'sip:a@192.0.2.1' } },
  content: { offer, state: undefined, metadataStatus: 'absent', headers: {}, warnings: [] },
  answers: { address: '192.0.2.2', sessionId: '5', version: 2, last },
  standing: { kept: true, ports: new Map([[0, 20_000]]), pauses: [] },
  offering: false,
  offeredIn: 0,
});

test('a dialog comes back as it was: tags, CSeq, routes, target, offer, ports, decision (DLG-11)', () => {
  const before = kept(parseSdp(sdp('RTP/AVP', '')), 'v=0\r\n');
  const after = readKept(JSON.parse(composeKept(before)));
  expect(after).toEqual({
    ...JSON.parse(JSON.stringify(before)),
    standing: before.standing,
    encrypted: false,
    version: 1,
  });
  expect(composeKept(before)).not.toContain('\n');
});

test('no key of an encrypted call is written, and its ports are not opened again: nothing could be read on them (SRTP-8)', () => {
  const policy = { srtp: 'preferred', keysAreSafe: true } as const;
  const crypto = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}\r\n`;
  const offer = secureOffer(parseSdp(sdp('RTP/SAVP', crypto)), policy);
  expect(offer.lines[0]?.security).toBeDefined();
  const text = composeKept(kept(offer, `v=0\r\n${crypto}`));
  expect(text).not.toContain(KEY);
  expect(text).not.toMatch(/inline|secret/);
  const trunk = { name: 'sbc', from: ['192.0.2.0/24'], mode: 'compat' } as const;
  const away = { from: 1, to: 2 };
  const call = readUnfinished(JSON.parse(text), { trunks: [trunk], dtlsFingerprint: undefined, away });
  expect(call?.kept.encrypted).toBe(true);
  expect(call?.left).toMatchObject({ recording: 'rec-1', ports: new Map() });
});
