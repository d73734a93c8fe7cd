import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { OpenedReceiver } from '../../../src/media/receiver/open-receiver.ts';
import type { PacketSink, ReceiverSocket, RunSink } from '../../../src/media/receiver/receiver.ts';
import type { ReceiverOptions } from '../../../src/media/receiver/receiver-options.ts';

interface Heard {
  readonly bytes: Buffer;
  readonly at: number;
  readonly key: number;
  readonly from: string;
}

/** Machines without IPv6, such as many containers, cannot be asked to receive it. */
const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
const needsIPv6 = ([, bound, to]: readonly [string, string, string]): boolean =>
  `${bound}${to}`.includes(':');

/** A real UDP socket that sends; each promise resolves when the kernel has taken the datagram. */
export class Sender {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async on(address: string): Promise<Sender> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    return new Sender(socket);
  }

  get address(): string {
    const { address, port } = this.#socket.address();
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }

  send(bytes: Uint8Array, port: number, to: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(bytes, port, to, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  /** The next datagram that comes back, and the port it was sent from. */
  async next(): Promise<{ readonly bytes: Buffer; readonly port: number }> {
    const [bytes, { port }] = (await once(this.#socket, 'message')) as [Buffer, { port: number }];
    return { bytes, port };
  }

  close(): void {
    this.#socket.close();
  }
}

/** Keeps a copy of everything that arrives, and lets a test wait for a number of datagrams. */
export class Listener {
  readonly heard: Heard[] = [];
  socket: ReceiverSocket | undefined;
  #wanted = Infinity;
  #reached: (() => void) | undefined;

  readonly sink: PacketSink = (arrival) => {
    this.heard.push({
      bytes: Buffer.from(arrival.slab.subarray(arrival.start, arrival.end)),
      at: arrival.at,
      key: arrival.sourceKey,
      from: this.socket?.sourceAddress() ?? '',
    });
    if (this.heard.length >= this.#wanted) this.#reached?.();
  };

  count(wanted: number): Promise<void> {
    if (this.heard.length >= wanted) return Promise.resolve();
    this.#wanted = wanted;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  get sizes(): number[] {
    return this.heard.map((heard) => heard.bytes.length);
  }
}

const sources: readonly (readonly [string, string, string])[] = [
  ['IPv4', '127.0.0.1', '127.0.0.1'],
  ['IPv4 on every address', '0.0.0.0', '127.0.0.1'],
  ['IPv6', '::1', '::1'],
  ['IPv6 on every address', '::', '::1'],
  ['IPv4 on a dual-stack port', '::', '127.0.0.1'],
];

/** Every receiver must pass these, with sockets of the real kernel. */
export function describeReceiver(name: string, create: (options: ReceiverOptions) => OpenedReceiver): void {
  describe(name, () => {
    const closing: (() => void)[] = [];
    afterEach(() => {
      for (const close of closing.splice(0).reverse()) close();
    });

    const open = (options: Partial<ReceiverOptions> = {}): OpenedReceiver => {
      const receiver = create({ now: Date.now, ...options });
      closing.push(() => {
        receiver.stop();
      });
      return receiver;
    };
    const sender = async (address = '127.0.0.1'): Promise<Sender> => {
      const made = await Sender.on(address);
      closing.push(() => {
        made.close();
      });
      return made;
    };
    const listen = async (
      receiver: OpenedReceiver,
      address = '127.0.0.1',
      port = 0,
    ): Promise<[Listener, ReceiverSocket]> => {
      const listener = new Listener();
      listener.socket = await receiver.open(address, port, listener.sink);
      return [listener, listener.socket];
    };

    test.each(sources.filter((row) => hasIPv6 || !needsIPv6(row)))(
      'RTP-2: answers from its own port, %s',
      async (_name, address, from) => {
        const [listener, socket] = await listen(open(), address);
        const peer = await sender(from);
        await peer.send(Buffer.from('a question'), socket.port, from);
        await listener.count(1);
        const answer = peer.next();
        socket.send(Buffer.from('the answer'), listener.heard[0]?.from ?? '');
        const { bytes, port } = await answer;
        expect([bytes.toString(), port]).toEqual(['the answer', socket.port]);
        // What keeps a way open (RTP-3).
        const nothing = peer.next();
        socket.send(Buffer.alloc(0), listener.heard[0]?.from ?? '');
        expect((await nothing).bytes).toHaveLength(0);
      },
    );

    test('sends nowhere without an error', async () => {
      const [, socket] = await listen(open());
      for (const to of ['', '127.0.0.1', '127.0.0.1:0', '[::1]:4000', 'host:1', '127.0.0.1:99999'])
        socket.send(Buffer.alloc(8), to);
      socket.close();
      socket.send(Buffer.alloc(8), '127.0.0.1:4000');
    });

    test('reads a socket for what comes seldom, too', async () => {
      const receiver = open();
      const listener = new Listener();
      const socket = await receiver.open('127.0.0.1', 0, listener.sink, {
        pace: 'seldom',
        receiveBuffer: 8192,
      });
      listener.socket = socket;
      const from = await sender();
      await from.send(Buffer.alloc(28, 1), socket.port, '127.0.0.1');
      await listener.count(1);
      expect(listener.sizes).toEqual([28]);
    });

    test('delivers every datagram whole and in order, empty ones and full frames too', async () => {
      const [listener, socket] = await listen(open());
      const from = await sender();
      const sizes = [172, 0, 1, 1472, 1500, 12, 0, 172];
      const sent = sizes.map((size, index) => Buffer.alloc(size, index + 1));
      for (const bytes of sent) await from.send(bytes, socket.port, '127.0.0.1');
      await listener.count(sizes.length);
      expect(listener.heard.map((heard) => heard.bytes)).toEqual(sent);
    });

    test('needs no drain: what arrives comes up by itself', async () => {
      const [listener, socket] = await listen(open());
      const before = Date.now();
      await (await sender()).send(Buffer.from('x'), socket.port, '127.0.0.1');
      await listener.count(1);
      expect(Date.now() - before).toBeLessThan(2_000);
    });

    test.each(sources.filter((row) => hasIPv6 || !needsIPv6(row)))(
      'names the sender and gives it one key: %s',
      async (_name, bound, to) => {
        const [listener, socket] = await listen(open(), bound);
        const [one, two] = [await sender(to), await sender(to)];
        for (const from of [one, one, two, one]) await from.send(Buffer.from('x'), socket.port, to);
        await socket.drain();
        expect(listener.heard.map((heard) => heard.from)).toEqual([
          one.address,
          one.address,
          two.address,
          one.address,
        ]);
        const [first, second, third, fourth] = listener.heard.map((heard) => heard.key);
        expect([second, fourth]).toEqual([first, first]);
        expect(third).not.toBe(first);
      },
    );

    test('gives a sender the same key at every socket', async () => {
      const receiver = open();
      const [[left, leftSocket], [right, rightSocket]] = [await listen(receiver), await listen(receiver)];
      const from = await sender();
      await from.send(Buffer.from('x'), leftSocket.port, '127.0.0.1');
      await from.send(Buffer.from('x'), rightSocket.port, '127.0.0.1');
      await Promise.all([leftSocket.drain(), rightSocket.drain()]);
      expect(left.heard.map((heard) => heard.key)).toEqual(right.heard.map((heard) => heard.key));
      expect(left.heard).toHaveLength(1);
    });

    test('stamps arrivals with the time of day, never backwards', async () => {
      const [listener, socket] = await listen(open());
      const from = await sender();
      const before = Date.now();
      for (let index = 0; index < 50; index += 1)
        await from.send(Buffer.alloc(172), socket.port, '127.0.0.1');
      await socket.drain();
      const times = listener.heard.map((heard) => heard.at);
      expect(times).toHaveLength(50);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      // Date.now() leaves the fraction out, the kernel does not.
      expect(times[0]).toBeGreaterThanOrEqual(before);
      expect(times[49]).toBeLessThan(Date.now() + 1);
    });

    test('takes in a burst of 500 datagrams that came while nobody was looking', async () => {
      const [listener, socket] = await listen(open({ ownTimer: false }));
      const from = await sender();
      const burst = Array.from({ length: 500 }, (_, index) => {
        const bytes = Buffer.alloc(172);
        bytes.writeUInt16BE(index, 2);
        return bytes;
      });
      await Promise.all(burst.map((bytes) => from.send(bytes, socket.port, '127.0.0.1')));
      await socket.drain();
      expect(listener.heard.map((heard) => heard.bytes.readUInt16BE(2))).toEqual(
        burst.map((_, index) => index),
      );
      expect(socket.overruns ?? 0).toBe(0);
    });

    test('has passed on everything sent before the drain when it resolves', async () => {
      const [listener, socket] = await listen(open({ ownTimer: false }));
      const from = await sender();
      await socket.drain();
      expect(listener.heard).toEqual([]);
      await from.send(Buffer.alloc(10), socket.port, '127.0.0.1');
      await from.send(Buffer.alloc(20), socket.port, '127.0.0.1');
      await socket.drain();
      expect(listener.sizes).toEqual([10, 20]);
    });

    test('passes nothing on after close, which may be called twice, and frees the port', async () => {
      const receiver = open();
      const [listener, socket] = await listen(receiver);
      const from = await sender();
      await from.send(Buffer.alloc(1), socket.port, '127.0.0.1');
      await socket.drain();
      await from.send(Buffer.alloc(2), socket.port, '127.0.0.1');
      socket.close();
      socket.close();
      await socket.drain();
      const [again, reopened] = await listen(receiver, '127.0.0.1', socket.port);
      await from.send(Buffer.alloc(3), reopened.port, '127.0.0.1');
      await reopened.drain();
      expect([listener.sizes, again.sizes]).toEqual([[1], [3]]);
    });

    test('passes nothing on after a close in the middle of a batch', async () => {
      const sizes: number[] = [];
      const socket = await open({ ownTimer: false }).open('127.0.0.1', 0, (arrival) => {
        sizes.push(arrival.end - arrival.start);
        if (sizes.length === 2) socket.close();
      });
      const from = await sender();
      for (const size of [1, 2, 3, 4]) await from.send(Buffer.alloc(size), socket.port, '127.0.0.1');
      await socket.drain();
      expect(sizes).toEqual([1, 2]);
    });

    test('goes on after a sink that throws, and counts it', async () => {
      const receiver = open({ ownTimer: false });
      const sizes: number[] = [];
      const socket = await receiver.open('127.0.0.1', 0, (arrival) => {
        sizes.push(arrival.end - arrival.start);
        if (sizes.length === 1) throw new Error('no packet may do this');
      });
      const from = await sender();
      for (const size of [1, 2]) await from.send(Buffer.alloc(size), socket.port, '127.0.0.1');
      await socket.drain();
      expect(sizes).toEqual([1, 2]);
      expect(receiver.faults().sinkErrors).toBe(1);
    });

    describe('where somebody takes several at once', () => {
      /** Listens as a leg does: takes what begins with an octet that follows the one before, several at once. */
      const listenForRuns = async (
        receiver: OpenedReceiver,
      ): Promise<{ listener: Listener; socket: ReceiverSocket; runs: number[] }> => {
        const listener = new Listener();
        const runs: number[] = [];
        let expected = 1;
        const take: RunSink = (run, from, to) => {
          let slot = from;
          for (; slot < to && run.slab[slot * run.stride] === expected; slot += 1, expected += 1)
            listener.sink({
              slab: run.slab,
              start: slot * run.stride,
              end: slot * run.stride + (run.lengths[slot] ?? 0),
              at: run.times[slot] ?? 0,
              sourceKey: run.sourceKey,
            });
          if (slot > from) runs.push(slot - from);
          return slot - from;
        };
        const socket = await receiver.open('127.0.0.1', 0, listener.sink, { runs: take });
        listener.socket = socket;
        return { listener, socket, runs };
      };

      test('passes everything on whole, in order and with the sender it came from', async () => {
        const { listener, socket, runs } = await listenForRuns(open({ ownTimer: false }));
        const [one, two] = [await sender(), await sender()];
        const sent: { readonly bytes: Buffer; readonly from: string }[] = [];
        const send = async (from: Sender, size: number, first: number): Promise<void> => {
          const bytes = Buffer.alloc(size, first);
          sent.push({ bytes, from: from.address });
          await from.send(bytes, socket.port, '127.0.0.1');
        };
        for (let first = 1; first <= 5; first += 1) await send(one, 172, first);
        // Longer than what is held, empty, of another sender, and out of order.
        await send(one, 1472, 6);
        await send(one, 0, 0);
        await send(two, 172, 7);
        await send(two, 172, 8);
        await send(one, 172, 99);
        for (let first = 9; first <= 90; first += 1) await send(one, 172, first);
        await socket.drain();
        expect(listener.heard.map(({ bytes, from }) => ({ bytes, from }))).toEqual(sent);
        expect(Math.max(...runs)).toBeGreaterThan(4);
        const times = listener.heard.map((heard) => heard.at);
        expect(times).toEqual([...times].sort((a, b) => a - b));
      });

      test('needs no drain, and passes on in good time', async () => {
        const { listener, socket } = await listenForRuns(open());
        const from = await sender();
        const before = Date.now();
        for (let first = 1; first <= 3; first += 1)
          await from.send(Buffer.alloc(172, first), socket.port, '127.0.0.1');
        await listener.count(3);
        expect(Date.now() - before).toBeLessThan(2000);
        expect(listener.sizes).toEqual([172, 172, 172]);
      });

      test('passes nothing on after a close in the middle, and goes on after a sink that throws', async () => {
        const receiver = open({ ownTimer: false });
        const heard: number[] = [];
        const socket = await receiver.open(
          '127.0.0.1',
          0,
          ({ slab, start }) => {
            heard.push(slab[start] ?? 0);
            if (slab[start] === 2) throw new Error('no packet may do this');
            if (slab[start] === 4) socket.close();
          },
          { runs: () => 0 },
        );
        const from = await sender();
        for (let first = 1; first <= 6; first += 1)
          await from.send(Buffer.alloc(172, first), socket.port, '127.0.0.1');
        await socket.drain();
        expect(heard).toEqual([1, 2, 3, 4]);
        expect(receiver.faults().sinkErrors).toBe(1);
      });
    });

    test('refuses a port that is taken, by itself or by others', async () => {
      const receiver = open();
      const [, socket] = await listen(receiver);
      const other = createSocket('udp4').bind(0, '127.0.0.1');
      closing.push(() => other.close());
      await once(other, 'listening');
      for (const port of [socket.port, other.address().port])
        await expect(receiver.open('127.0.0.1', port, () => undefined)).rejects.toMatchObject({
          code: 'PORT_TAKEN',
        });
    });

    test.each([
      ['an address of another machine', '192.0.2.1'],
      ['a name', 'localhost.invalid'],
    ])('refuses %s', async (_name, address) => {
      await expect(open().open(address, 0, () => undefined)).rejects.toMatchObject({ code: 'SOCKET' });
    });

    test('keeps 200 sockets apart', async () => {
      const receiver = open();
      const opened = await Promise.all(Array.from({ length: 200 }, () => listen(receiver)));
      const from = await sender();
      for (const [, socket] of opened) {
        const bytes = Buffer.alloc(172);
        bytes.writeUInt16BE(socket.port, 0);
        await from.send(bytes, socket.port, '127.0.0.1');
        await from.send(bytes, socket.port, '127.0.0.1');
      }
      await Promise.all(opened.map(([listener]) => listener.count(2)));
      for (const [listener, socket] of opened)
        expect(listener.heard.map((heard) => heard.bytes.readUInt16BE(0))).toEqual([
          socket.port,
          socket.port,
        ]);
    });

    test('closes every socket when stopped, twice if need be, and opens none afterwards', async () => {
      const receiver = open();
      const [listener, socket] = await listen(receiver);
      receiver.stop();
      receiver.stop();
      const other = createSocket('udp4').bind(socket.port, '127.0.0.1');
      closing.push(() => other.close());
      await once(other, 'listening');
      await expect(receiver.open('127.0.0.1', 0, () => undefined)).rejects.toMatchObject({ code: 'STOPPED' });
      expect(listener.heard).toEqual([]);
    });
  });
}
