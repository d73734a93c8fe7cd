import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import Srf from 'drachtio-srf';
import { innerSockets } from '../../src/sip-server/inner-sockets.ts';
import { takeShortcuts } from '../../src/sip/library-shortcuts.ts';
import { newCall } from './raw-peer.ts';
import { SDP, SECRET, startTestServer, until, type TestServer } from './test-server.ts';

const heard = (socket: Socket): Buffer[] => {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return chunks;
};

test('what one end writes comes out of the other in the next turn, all together and in order', async () => {
  const [one, other] = innerSockets();
  const chunks = heard(other);
  one.write('grü');
  one.write('ße', 'latin1');
  one.write(Buffer.from([1, 2]));
  expect(chunks).toEqual([]);
  await new Promise(setImmediate);
  expect(chunks).toEqual([
    Buffer.concat([Buffer.from('grü'), Buffer.from('ße', 'latin1'), Buffer.from([1, 2])]),
  ]);
  other.write('back');
  expect(String((await once(one, 'data'))[0])).toBe('back');
});

test('tells that it is connected, and ends at both ends behind what was written', async () => {
  const [one, other] = innerSockets();
  const chunks = heard(other);
  await once(one, 'connect');
  one.write('last words');
  one.end();
  await Promise.all([once(one, 'close'), once(other, 'close')]);
  expect(String(Buffer.concat(chunks))).toBe('last words');
  expect([one.destroyed, other.destroyed]).toEqual([true, true]);
  expect(one.write('more')).toBe(false);
  await new Promise(setImmediate);
  expect(chunks).toHaveLength(1);
});

test('what was written by an end that is destroyed by the other is nobody’s', async () => {
  const [one, other] = innerSockets();
  const chunks = heard(other);
  one.write('too late');
  other.destroySoon();
  await Promise.all([once(one, 'close'), once(other, 'close')]);
  expect(chunks).toEqual([]);
});

let site: TestServer;
beforeEach(async () => {
  takeShortcuts();
  site = await startTestServer();
});
afterEach(() => site.close());

/** An application connected from within; `error` is what its `connect` says. */
async function applicationWithin(
  secret: string,
  made: (socket: Socket) => void = () => undefined,
  maxAttempts = 1,
): Promise<{ readonly srf: Srf; readonly error: unknown }> {
  const srf = new Srf();
  srf.on('error', () => undefined);
  srf.invite((req, res) => {
    srf.createUAS(req, res, { localSdp: SDP }, () => undefined);
  });
  const connected = once(srf, 'connect');
  const { controlPort: port } = site.server;
  void srf.connect({
    ...{ host: '127.0.0.1', port, secret },
    within: () => {
      const socket = site.server.connect();
      made(socket);
      return socket;
    },
    reconnect: { retryMaxDelay: 50, maxAttempts },
  } as Parameters<Srf['connect']>[0]);
  const [error] = (await connected) as [unknown];
  return { srf, error };
}

test('an application in the same process takes calls without the kernel, and through it when that connection is lost', async () => {
  let inner: Socket | undefined;
  const { srf, error } = await applicationWithin(SECRET, (made) => (inner = made), 0);
  expect([error, inner?.remotePort]).toEqual([null, undefined]);
  await site.server.listen();
  const peer = await site.open('udp');
  const call = newCall();
  await peer.setUp(call);
  await peer.hangUp(call);
  expect(site.server.counters().applications).toBe(1);
  const back = once(srf, 'connect');
  inner?.destroy();
  await back;
  await until(() => site.server.counters().applications === 1);
  const next = newCall();
  await peer.setUp(next);
  await peer.hangUp(next);
  srf.disconnect();
});

test('a wrong secret is refused within the process, too', async () => {
  const { error } = await applicationWithin('wrong');
  expect(String(error)).toContain('failed to authenticate');
});

test('a server that is closed has ended its connections, and begins no more', async () => {
  const { srf } = await applicationWithin(SECRET);
  expect(site.server.counters().applications).toBe(1);
  const gone = once(srf, 'close');
  await site.server.close();
  expect(site.server.counters().applications).toBe(0);
  await gone;
  const late = site.server.connect();
  await once(late, 'close');
  expect(late.destroyed).toBe(true);
});
