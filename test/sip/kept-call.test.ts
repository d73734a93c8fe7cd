import { describe, expect, test } from '@jest/globals';
import { openBench } from './bench.ts';
import { recordingSession } from './recording-client.ts';

const QUICK = { timers: { t1: 5, t2: 20 } };
const WATCH = { interval: 20, ackPatience: 500, probeAfter: 100, lostSilence: 100 };

describe.each(['udp', 'tcp'] as const)('over %s', (protocol) => {
  test('a call without ACK whose audio comes in is kept until its BYE (DLG-6)', async () => {
    const bench = await openBench({ embeddedServer: true, watch: WATCH }, QUICK);
    try {
      const client = await bench.client(protocol);
      const ok = await client.request('INVITE', recordingSession());
      expect([...ok.headers.keys()].filter((name) => name.includes('sealtape'))).toEqual([]);
      const { call } = bench.recorder;
      await call.until(({ notes }) => notes.includes('kept without ACK'));
      expect(call.ends).toEqual([]);
      expect((await client.bye()).status).toBe(200);
      expect(await call.ended()).toEqual(['bye']);
    } finally {
      await bench.close();
    }
  });

  test('a call without ACK and without audio is ended by BYE, interrupted (UAS-12)', async () => {
    const bench = await openBench({ embeddedServer: true, watch: WATCH }, QUICK);
    try {
      const client = await bench.client(protocol);
      await client.request('INVITE', recordingSession());
      const { call } = bench.recorder;
      call.silent = 60_000;
      expect(await call.ended()).toEqual(['no-ack']);
      await client.peer.receive(({ startLine }) => startLine.startsWith('BYE '));
      expect(bench.application.calls).toBe(0);
      expect(call.ends).toEqual(['no-ack']);
    } finally {
      await bench.close();
    }
  });

  test.each([
    ['200 OK', false],
    ['481 Call/Transaction Does Not Exist', true],
  ])('a silent client that answers OPTIONS with %s (TMR-6)', async (status, ends) => {
    const bench = await openBench({ embeddedServer: true, watch: WATCH }, QUICK);
    try {
      const client = await bench.client(protocol);
      await client.invite();
      const { call } = bench.recorder;
      call.silent = 60_000;
      const { headers } = await client.peer.receive(({ startLine }) => startLine.startsWith('OPTIONS '));
      const copied = ['via', 'from', 'to', 'call-id', 'cseq'].map(
        (name) => `${name}: ${headers.get(name) ?? ''}\r\n`,
      );
      client.peer.send(`SIP/2.0 ${status}\r\n${copied.join('')}content-length: 0\r\n\r\n`);
      await call.until(({ notes }) => notes.includes(ends ? 'given up' : 'silent'));
      if (ends) expect(await call.ended()).toEqual(['no-ack']);
      else expect(call.ends).toEqual([]);
      expect(bench.application.calls).toBe(ends ? 0 : 1);
    } finally {
      await bench.close();
    }
  });
});

test('a recording whose SIP server went away ends when its audio does, and not before', async () => {
  const bench = await openBench({ watch: WATCH });
  const client = await bench.client();
  await client.invite();
  const { call } = bench.recorder;
  await bench.server.close();
  await call.until(({ asked }) => asked > 15);
  expect(call.ends).toEqual([]);
  call.silent = 60_000;
  expect(await call.ended()).toEqual(['no-ack']);
  await bench.close();
});
