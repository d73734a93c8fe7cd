import { expect, test } from '@jest/globals';
import { startSipServer, type SipServer } from '../../src/sip-server/sip-server.ts';
import { openBench, type Bench } from './bench.ts';
import { Peer } from './peer.ts';
import { RecordingClient } from './recording-client.ts';

const PAUSES = { longest: 100, refused: 50 };

/** Our SIP server in place of one that went away, at the same control port. */
const successor = (bench: Bench, secret = 'correct horse'): Promise<SipServer> =>
  startSipServer({
    listen: ['udp://127.0.0.1:0'],
    control: { host: '127.0.0.1', port: bench.server.controlPort, secret },
  });

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never came true: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A call over a server that was started during the test. */
async function callOver(server: SipServer): Promise<number> {
  await server.listen();
  const [address] = server.addresses;
  if (address === undefined) throw new Error('not listening');
  const peer = await Peer.open('udp', address);
  try {
    const client = new RecordingClient(peer);
    const { status } = await client.invite();
    await client.bye();
    return status;
  } finally {
    peer.close();
  }
}

test('after a restart of the SIP server new calls work at once, and the application says when it was away', async () => {
  const bench = await openBench({ reconnect: PAUSES });
  expect(bench.application.connected).toBe(true);
  await bench.server.close();
  await until(() => !bench.application.connected);
  const back = await successor(bench);
  await until(() => bench.application.connected);
  expect(await callOver(back)).toBe(200);
  await back.close();
  await bench.close();
});

test('a secret that no longer fits is said loudly and tried again, slowly, until it does', async () => {
  const errors: string[] = [];
  const bench = await openBench({
    reconnect: PAUSES,
    log: (level, message) => {
      if (level === 'error') errors.push(message);
    },
  });
  await bench.server.close();
  const wrong = await successor(bench, 'another');
  await until(() => errors.filter((message) => message.includes('refuses our secret')).length >= 3);
  expect(bench.application.connected).toBe(false);
  await wrong.close();
  const right = await successor(bench);
  await until(() => bench.application.connected);
  expect(await callOver(right)).toBe(200);
  expect(JSON.stringify(errors)).not.toContain('correct horse');
  await right.close();
  // Once it fits, a lost connection is taken up quickly again.
  await until(() => !bench.application.connected);
  const again = await successor(bench);
  await until(() => bench.application.connected);
  await again.close();
  await bench.close();
});

test('an application that is closed while it is refused does not come back', async () => {
  const errors: string[] = [];
  const bench = await openBench({
    reconnect: PAUSES,
    log: (level, message) => {
      if (level === 'error') errors.push(message);
    },
  });
  await bench.server.close();
  const wrong = await successor(bench, 'another');
  await until(() => errors.some((message) => message.includes('refuses our secret')));
  await bench.application.close();
  const before = errors.length;
  await new Promise((resolve) => setTimeout(resolve, 4 * PAUSES.refused));
  expect(errors.length).toBe(before);
  await wrong.close();
  await bench.close();
});
