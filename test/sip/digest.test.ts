import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  DigestGuard,
  digestResponse,
  NONCE_LIFETIME,
  parseCredentials,
  type DigestAlgorithm,
} from '../../src/sip/digest.ts';
import { openBench } from './bench.ts';
import { recordingSession, type RecordingClient } from './recording-client.ts';

const SETTINGS = {
  realm: 'siprec',
  algorithm: 'MD5' as const,
  users: [{ name: 'src', password: 'src-secret' }],
};

const hash = (algorithm: DigestAlgorithm, text: string): string =>
  createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(text)
    .digest('hex');

/** Credentials as a client answers a challenge. */
function answer(challenge: string, changes: Readonly<Record<string, string>> = {}): string {
  const asked = new Map(parseCredentials(challenge));
  const { password = 'src-secret', ...fields } = changes;
  const algorithm = (fields['algorithm'] ?? asked.get('algorithm')) as DigestAlgorithm;
  const given = new Map(
    Object.entries({
      username: 'src',
      realm: asked.get('realm') ?? '',
      nonce: asked.get('nonce') ?? '',
      uri: 'sip:srs@127.0.0.1',
      qop: 'auth',
      nc: '00000001',
      cnonce: 'c',
      algorithm,
      ...fields,
    }),
  );
  const secret = hash(algorithm, `${given.get('username') ?? ''}:${given.get('realm') ?? ''}:${password}`);
  given.set('response', fields['response'] ?? digestResponse(algorithm, secret, 'INVITE', given));
  return `Digest ${[...given].map(([name, value]) => `${name}="${value}"`).join(', ')}`;
}

describe('credentials', () => {
  test('of OpenSIPS are read, and its answer is the one we compute', () => {
    const capture = readFileSync(
      new URL('../../fixtures/siprec/opensips/opensips-challenge-udp.txt', import.meta.url),
      'utf8',
    );
    const given = parseCredentials(/^Authorization: (.*)$/m.exec(capture)?.[1] ?? '');
    const secret = hash('MD5', 'src:siprec:src-secret');
    expect(digestResponse('MD5', secret, 'INVITE', given ?? new Map())).toBe(given?.get('response'));
  });

  test('of RFC 7616 §3.9.1 in both algorithms', () => {
    const given = new Map([
      ['uri', '/dir/index.html'],
      ['nonce', '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v'],
      ['nc', '00000001'],
      ['cnonce', 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ'],
      ['qop', 'auth'],
    ]);
    const person = 'Mufasa:http-auth@example.org:Circle of Life';
    expect(digestResponse('MD5', hash('MD5', person), 'GET', given)).toBe('8ca523f5e9506fed4657c9700eebdbec');
    expect(digestResponse('SHA-256', hash('SHA-256', person), 'GET', given)).toBe(
      '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
    );
  });

  test.each([
    ['Basic abc', undefined],
    ['Digest a="1", a="2"', undefined],
    ['Digest', undefined],
    ['digest A = "x \\" y" ,b=z', { a: 'x " y', b: 'z' }],
    ['Digest a="1" rubbish', {}],
  ])('%s', (header, expected) => {
    const parsed = parseCredentials(header);
    expect(parsed && Object.fromEntries(parsed)).toEqual(expected);
  });

  test('never make the parser or the guard throw', () => {
    const guard = new DigestGuard(SETTINGS, Date.now);
    fc.assert(
      fc.property(fc.string(), fc.string(), (tail, nonce) => {
        parseCredentials(`Digest ${tail}`);
        expect(guard.judge('INVITE', `Digest realm="siprec", ${tail}`).type).not.toBe('known');
        expect(guard.judge('INVITE', answer(guard.challenge(false), { nonce })).type).not.toBe('known');
      }),
    );
  });
});

describe('a guard', () => {
  test.each(['MD5', 'SHA-256'] as const)('lets in who answers its %s challenge', (algorithm) => {
    const guard = new DigestGuard({ ...SETTINGS, algorithm }, Date.now);
    const challenge = guard.challenge(false);
    expect(challenge).toContain(`algorithm=${algorithm}`);
    expect(guard.judge('INVITE', answer(challenge))).toEqual({ type: 'known', user: 'src' });
  });

  test.each([
    ['a wrong password', { password: 'guess' }],
    ['an unknown user', { username: 'nobody' }],
    ['an answer for another method', { response: 'cab9a6d801a0efa7e7659d91c98f8ef5' }],
    ['another algorithm', { algorithm: 'SHA-256' }],
    ['no qop', { qop: '' }],
    ['a counter that is none', { nc: '1' }],
  ])('refuses %s', (_title, changes) => {
    const guard = new DigestGuard(SETTINGS, Date.now);
    expect(guard.judge('INVITE', answer(guard.challenge(false), changes)).type).toBe('wrong');
  });

  test.each([
    ['nothing', undefined],
    ['another scheme', 'Basic x'],
    ['credentials for another realm', 'Digest realm="other", response="x"'],
  ])('asks again for %s', (_title, header) => {
    expect(new DigestGuard(SETTINGS, Date.now).judge('INVITE', header)).toEqual({ type: 'none' });
  });

  test('takes a nonce for five minutes, each count once, in almost any order', () => {
    let now = 1_000_000;
    const guard = new DigestGuard(SETTINGS, () => now);
    const challenge = guard.challenge(false);
    const verdicts = (...counts: readonly string[]): readonly string[] =>
      counts.map((nc) => guard.judge('INVITE', answer(challenge, { nc })).type);
    expect(verdicts('00000001', '00000001', '00000003', '00000002', '00000002')).toEqual([
      'known',
      'stale',
      'known',
      'known',
      'stale',
    ]);
    expect(verdicts('00000040', '00000021', '00000020', '0000003f', '00000000')).toEqual([
      'known',
      'known',
      'stale',
      'known',
      'stale',
    ]);
    now += NONCE_LIFETIME + 1;
    expect(verdicts('00000050')).toEqual(['stale']);
    expect(guard.challenge(true)).toContain('stale=true');
  });

  test('does not take a nonce of another server, or one it did not make, for fresh', () => {
    const guard = new DigestGuard(SETTINGS, Date.now);
    const other = new DigestGuard(SETTINGS, Date.now).challenge(false);
    expect(guard.judge('INVITE', answer(other)).type).toBe('stale');
    expect(guard.judge('INVITE', answer(other, { nonce: `${Date.now().toString(36)}-x-y` })).type).toBe(
      'stale',
    );
  });

  test('that had to forget a nonce does not take it again', () => {
    const guard = new DigestGuard(SETTINGS, Date.now);
    const first = guard.challenge(false);
    expect(guard.judge('INVITE', answer(first)).type).toBe('known');
    for (let count = 0; count < 10_000; count += 1) guard.judge('INVITE', answer(guard.challenge(false)));
    expect(guard.judge('INVITE', answer(first)).type).toBe('stale');
  });
});

describe.each(['udp', 'tcp'] as const)('a trunk with digest over %s (UAS-21)', (protocol) => {
  const withDigest = (client: RecordingClient, authorization?: string): Promise<{ status: number }> => {
    const session = recordingSession();
    const headers = {
      ...session.headers,
      ...(authorization !== undefined && { Authorization: authorization }),
    };
    return client.invite({ ...session, headers });
  };

  test('challenges, records who answers rightly, and states who does not', async () => {
    const logged: unknown[] = [];
    const bench = await openBench({
      trunks: [{ name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat', digest: SETTINGS }],
      log: (...line) => logged.push(line),
    });
    try {
      const client = await bench.client(protocol);
      const challenged = await client.request('INVITE', recordingSession());
      expect(challenged.status).toBe(401);
      client.ack();
      const challenge = challenged.headers.get('www-authenticate') ?? '';
      expect(bench.recorder.refusals).toEqual([]);
      expect((await withDigest(client, answer(challenge, { password: 'guess' }))).status).toBe(401);
      expect(bench.recorder.refusals).toEqual([
        { reason: '401', detail: 'unknown user or wrong password', trunk: 'loopback', callId: client.callId },
      ]);
      expect((await withDigest(client, answer(challenge))).status).toBe(200);
      // In the dialog nobody is asked again.
      expect((await client.bye()).status).toBe(200);
      const replay = await (
        await bench.client(protocol)
      ).request('INVITE', {
        headers: { Require: 'siprec', Authorization: answer(challenge) },
      });
      expect([replay.status, replay.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('stale=true'),
      ]);
      expect(JSON.stringify([logged, bench.recorder.refusals])).not.toMatch(/src-secret|guess|[0-9a-f]{32}/);
    } finally {
      await bench.close();
    }
  });
});
