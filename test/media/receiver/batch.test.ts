import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { BatchReceiver } from '../../../src/media/receiver/batch.ts';
import { SLOT_BYTES } from '../../../src/media/receiver/batch-slab.ts';
import { loadLibc } from '../../../src/media/receiver/libc.ts';
import { closeDescriptors } from '../../../src/media/receiver/open-receiver.ts';
import { OpenSockets } from '../../../src/media/receiver/open-sockets.ts';
import type { ReceiverSocket } from '../../../src/media/receiver/receiver.ts';
import type { ReceiverOptions } from '../../../src/media/receiver/receiver-options.ts';
import { FEW } from '../../../src/media/receiver/sweep-wheel.ts';
import { describeReceiver, Listener, Sender } from './conformance.ts';

const create = (options: Partial<ReceiverOptions> = {}): BatchReceiver =>
  new BatchReceiver(loadLibc(), { now: Date.now, ...options });

describeReceiver('batch receiver', create);

describe('batch receiver', () => {
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });
  const open = (options: Partial<ReceiverOptions> = {}): BatchReceiver => {
    const receiver = create({ ownTimer: false, ...options });
    closing.push(() => {
      receiver.stop();
    });
    return receiver;
  };
  const sender = async (): Promise<Sender> => {
    const made = await Sender.on('127.0.0.1');
    closing.push(() => {
      made.close();
    });
    return made;
  };

  test('passes on what fits of a datagram that is too long, and counts it', async () => {
    const receiver = open();
    const listener = new Listener();
    const socket = await receiver.open('127.0.0.1', 0, listener.sink);
    const from = await sender();
    for (const size of [SLOT_BYTES, SLOT_BYTES + 1, 5000, 10])
      await from.send(Buffer.alloc(size, 7), socket.port, '127.0.0.1');
    await socket.drain();
    expect(listener.sizes).toEqual([SLOT_BYTES, SLOT_BYTES, SLOT_BYTES, 10]);
    expect(receiver.faults().truncated).toBe(2);
  });

  test('stamps with the time at which the kernel took the datagram in, not with that of the sweep', async () => {
    const receiver = open({ now: () => 0 });
    const listener = new Listener();
    const socket = await receiver.open('127.0.0.1', 0, listener.sink);
    const from = await sender();
    // The kernel may need a moment from the first socket that wants time stamps to the first that gets one.
    await from.send(Buffer.alloc(0), socket.port, '127.0.0.1');
    await socket.drain();
    await from.send(Buffer.alloc(1), socket.port, '127.0.0.1');
    const between = performance.now();
    while (performance.now() < between + 40);
    await from.send(Buffer.alloc(2), socket.port, '127.0.0.1');
    await socket.drain();
    const [, first, second] = listener.heard.map((heard) => heard.at);
    expect(Number(second) - Number(first)).toBeGreaterThanOrEqual(39);
  });

  test('says after a drain how many datagrams the kernel dropped for want of buffer', async () => {
    const receiver = open({ receiveBuffer: 4096 });
    const listener = new Listener();
    const socket = await receiver.open('127.0.0.1', 0, listener.sink);
    const from = await sender();
    for (let index = 0; index < 100; index += 1) await from.send(Buffer.alloc(172), socket.port, '127.0.0.1');
    await socket.drain();
    socket.close();
    expect(listener.heard.length).toBeGreaterThan(0);
    expect(listener.heard.length).toBeLessThan(100);
    expect([socket.overruns, receiver.faults().overruns]).toEqual(Array(2).fill(100 - listener.heard.length));
  });

  test('learns of drops from the next datagram without any further call', async () => {
    const receiver = open({ receiveBuffer: 4096 });
    const listener = new Listener();
    const socket = await receiver.open('127.0.0.1', 0, listener.sink);
    const from = await sender();
    for (let index = 0; index < 100; index += 1) await from.send(Buffer.alloc(172), socket.port, '127.0.0.1');
    sweepFor(receiver, 450);
    const before = listener.heard.length;
    await from.send(Buffer.alloc(172), socket.port, '127.0.0.1');
    sweepFor(receiver, 450);
    expect(listener.heard.length).toBe(before + 1);
    expect(socket.overruns).toBe(100 - before);
  });

  test.each([
    ['200 ms', 'usual', 25, 250],
    ['500 ms where there are many', 'usual', FEW + 25, 550],
    ['200 ms where somebody waits for answers', 'brisk', FEW + 25, 250],
  ] as const)(
    'reads every socket within %s, a full batch at once again',
    async (_name, pace, sockets, within) => {
      const receiver = open();
      for (let silent = 25; silent < sockets; silent += 1)
        await receiver.open('127.0.0.1', 0, () => undefined, { pace });
      const listeners = await Promise.all(
        Array.from({ length: 25 }, async () => {
          const listener = new Listener();
          const socket = await receiver.open('127.0.0.1', 0, listener.sink, { pace });
          return { listener, socket };
        }),
      );
      const from = await sender();
      const burst = Array.from({ length: 130 }, () => Buffer.alloc(12));
      for (const { socket } of listeners)
        await Promise.all(burst.map((bytes) => from.send(bytes, socket.port, '127.0.0.1')));
      sweepFor(receiver, within);
      expect(listeners.map(({ listener }) => listener.heard.length)).toEqual(listeners.map(() => 130));
    },
  );

  test('a read out of turn counts as the turn: the next one comes a full round later', async () => {
    const receiver = open();
    const from = await sender();
    const listener = new Listener();
    const socket = await receiver.open('127.0.0.1', 0, listener.sink);
    for (let silent = 0; silent < FEW; silent += 1) await receiver.open('127.0.0.1', 0, () => undefined);
    const send = (): Promise<void> => from.send(Buffer.alloc(12), socket.port, '127.0.0.1');
    // Up to its turn, and nearly to the next one.
    await send();
    while (listener.heard.length === 0) sweepFor(receiver, 20);
    sweepFor(receiver, 300);
    expect(socket.hurry?.()).toBe(true);
    await send();
    sweepFor(receiver, 420);
    expect(listener.heard).toHaveLength(1);
    sweepFor(receiver, 130);
    expect(listener.heard).toHaveLength(2);
  });

  test('lists its descriptors so that they can be closed when its thread dies', async () => {
    const openSockets = new OpenSockets();
    const receiver = create({ ownTimer: false, openSockets });
    const kept = await receiver.open('127.0.0.1', 0, () => undefined);
    const closed = await receiver.open('127.0.0.1', 0, () => undefined);
    closed.close();

    // Seen from the main thread, which shares the memory but not the object. The receiver is now as good as dead.
    const left = new OpenSockets(openSockets.shared).takeAll();
    // The socket, the one that asks for times, and what watches those on which something comes seldom.
    expect(left).toHaveLength(3);
    closeDescriptors(left);
    const reopened = await open().open('127.0.0.1', kept.port, () => undefined);
    expect(reopened.port).toBe(kept.port);
    expect(new OpenSockets(openSockets.shared).takeAll()).toEqual([]);
  });

  test('reads what comes seldom as often as something comes, and no other socket for it', async () => {
    const libc = loadLibc();
    const reads = jest.spyOn(libc, 'receive');
    const receiver = new BatchReceiver(libc, { now: Date.now, ownTimer: false });
    closing.push(() => {
      receiver.stop();
    });
    const listen = async (port = 0): Promise<{ readonly heard: unknown[] } & ReceiverSocket> => {
      const { sink, heard } = new Listener();
      const socket = await receiver.open('127.0.0.1', port, sink, { pace: 'seldom' });
      return Object.assign(socket, { heard });
    };
    const from = await sender();
    const send = ({ port }: ReceiverSocket): Promise<void> => from.send(Buffer.alloc(8), port, '127.0.0.1');
    const [first, silent, last] = [await listen(), await listen(), await listen()];
    const heard = (): number[] => [first, silent, last].map((each) => each.heard.length);
    const sweepUntil = async (done: () => boolean): Promise<void> => {
      for (let tries = 0; tries < 500 && !done(); tries += 1) {
        receiver.sweep();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };

    for (const socket of [first, last, last]) await send(socket);
    await sweepUntil(() => heard().join() === '1,0,2');
    await send(first);
    await sweepUntil(() => heard().join() === '2,0,2');
    expect(heard()).toEqual([2, 0, 2]);
    expect(new Set(reads.mock.calls.map(([fd]) => fd)).size).toBe(2);

    first.close();
    const again = await listen(first.port);
    for (const socket of [again, silent]) await send(socket);
    await sweepUntil(() => again.heard.length > 0 && silent.heard.length > 0);
    expect([again.heard.length, ...heard()]).toEqual([1, 2, 1, 2]);
  });

  test.each([
    ['and no more when it is what was wanted', 65_536, false],
    ['and what to do when it is less', 0x3fff_ffff, true],
  ])('says once how much buffer the kernel grants, %s', async (_name, receiveBuffer, advised) => {
    const lines: string[] = [];
    const receiver = open({ receiveBuffer, log: (line) => lines.push(line) });
    await receiver.open('127.0.0.1', 0, () => undefined);
    await receiver.open('127.0.0.1', 0, () => undefined);
    expect(lines).toEqual([expect.stringMatching(/grants \d+ bytes/)]);
    // With CAP_NET_ADMIN the kernel may grant even a gigabyte.
    const granted = Number(/grants (\d+) bytes/.exec(String(lines[0]))?.[1]);
    expect(lines[0]?.includes('rmem_max')).toBe(advised && granted < receiveBuffer);
  });
});

function sweepFor(receiver: BatchReceiver, milliseconds: number): void {
  const start = performance.now();
  while (performance.now() < start + milliseconds) receiver.sweep();
}
