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

test('a vendor once recognised stays so, and a new communication session is noted (siprec-interop 2.5)', async () => {
  const bench = await openBench();
  try {
    const client = await bench.client();
    await client.invite({
      headers: { Require: 'siprec', Organization: 'Metaswitch Networks' },
      ...multipart(TWO_LINES, COMPLETE),
    });
    await client.request('UPDATE', plainMetadata(COMPLETE.replaceAll('"s1"', '"s2"')));
    const { call } = bench.recorder;
    await call.until(({ descriptions }) => descriptions.length === 1);
    expect(call.descriptions[0]).toMatchObject({ profile: 'metaswitch' });
    expect(call.notes).toContain('new communication session');
  } finally {
    await bench.close();
  }
});
