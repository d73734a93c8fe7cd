import { expect, test } from '@jest/globals';
import { openBench } from './bench.ts';
import { COMPLETE, multipart, plainMetadata, recordingSession, TWO_LINES } from './recording-client.ts';

const trunk = { name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat' } as const;

const NUMBERS = COMPLETE.replace('sip:anna@', 'sip:+4989555100@').replace('sip:bert@', 'sip:+15550199@');

test('the numbers of a trunk give the direction (siprec-interop 5.2)', async () => {
  const bench = await openBench({ trunks: [{ ...trunk, ownNumbers: ['+4989555*'] }] });
  try {
    const client = await bench.client();
    await client.invite(recordingSession(TWO_LINES, NUMBERS));
    expect(bench.recorder.call.offered.description).toMatchObject({
      direction: 'out',
      directionSource: 'number plan: caller internal, callee external',
    });
  } finally {
    await bench.close();
  }
});

test('the profile of a trunk comes before what the client looks like', async () => {
  const bench = await openBench({ trunks: [{ ...trunk, profile: 'oracle' }] });
  try {
    const client = await bench.client();
    const session = recordingSession();
    await client.invite({
      ...session,
      headers: { ...session.headers, 'User-Agent': 'Cisco-SIPGateway/IOS-17.9' },
    });
    expect(bench.recorder.call.offered.description).toMatchObject({
      profile: 'oracle',
      profileSource: 'trunk setting',
    });
  } finally {
    await bench.close();
  }
});

test('a vendor once recognised stays so, and a new communication session begins the next recording (siprec-interop 2.5)', async () => {
  const bench = await openBench();
  try {
    const client = await bench.client();
    await client.invite({
      headers: { Require: 'siprec', Organization: 'Metaswitch Networks' },
      ...multipart(TWO_LINES, COMPLETE),
    });
    await client.request('UPDATE', plainMetadata(COMPLETE.replaceAll('"s1"', '"s2"')));
    const [first, second] = bench.recorder.calls;
    expect(bench.recorder.successions).toEqual([{ before: first, call: second }]);
    expect(second?.offered.description).toMatchObject({ profile: 'metaswitch' });
    expect(second?.offered.facts).toEqual(first?.offered.facts);
    expect(first?.notes).toContain('new communication session');
    await client.request('BYE');
    expect(await second?.ended()).toEqual(['bye']);
    expect(first?.ends).toEqual([]);
  } finally {
    await bench.close();
  }
});

test('a recording that cannot be divided goes on, and the client hears nothing of it', async () => {
  const bench = await openBench();
  try {
    const client = await bench.client();
    await client.invite(multipart(TWO_LINES, COMPLETE));
    bench.recorder.failure = new Error('disk full');
    const next = multipart(TWO_LINES, COMPLETE.replaceAll('"s1"', '"s2"'));
    expect((await client.request('INVITE', next)).status).toBe(200);
    const { call } = bench.recorder;
    expect(call.notes).toContain('recording not divided');
    expect(call.offers).toHaveLength(1);
    await client.request('BYE');
    expect(await call.ended()).toEqual(['bye']);
  } finally {
    await bench.close();
  }
});
