import { MediaError } from '../media-error.ts';
import { BatchSlab, type LastSender, SLOTS } from './batch-slab.ts';
import {
  addressFamily,
  AF_INET,
  AF_INET6,
  EADDRINUSE,
  EAGAIN,
  EINTR,
  type Libc,
  SO_RXQ_OVFL,
  SO_TIMESTAMPNS,
  SystemCallError,
} from './libc.ts';
import { passOn, type Taker } from './pass-on.ts';
import type {
  Pace,
  PacketSink,
  Receiver,
  ReceiverFaults,
  ReceiverSocket,
  RunSink,
  SocketOptions,
} from './receiver.ts';
import { RECEIVE_BUFFER_BYTES, type ReceiverOptions } from './receiver-options.ts';
import { formatSource, SourceKeys, splitSource } from './source-keys.ts';
import { ReadySockets } from './ready-sockets.ts';
import { BRISK_SLICES, FEW, SLICE_MS, SLICES, SweepWheel } from './sweep-wheel.ts';

/** Reads of one socket within a sweep; beyond, a flood at one port would starve the others. */
const SWEEP_READS = 8;
/** Reads of a drain; more than a receive buffer can hold, so that a flood cannot hold it up for ever. */
const DRAIN_READS = 64;

/** What the sockets of a receiver share. */
interface Shared {
  readonly libc: Libc;
  readonly slab: BatchSlab;
  readonly keys: SourceKeys;
  readonly options: ReceiverOptions;
  readonly faults: { -readonly [Fault in keyof ReceiverFaults]: number };
  /** Closes what this receiver has opened. */
  readonly release: (fd: number) => void;
  /** A sink is being called, so the slab is in use. */
  reading: boolean;
}

/**
 * Takes datagrams out of the kernel 64 at a time with `recvmmsg`, called through koffi: every socket is read once in 200 ms, a tenth of
 * them every 20 ms, and once in 500 ms where there are many (docs/decisions/023), with the sender and the kernel's time of arrival of every
 * datagram. Nothing wakes up per packet, and nothing is allocated per packet (performance.md: a fifth of the cost of `dgram`).
 */
export class BatchReceiver implements Receiver {
  readonly kind = 'batch';
  readonly waking = 0;
  readonly #shared: Shared;
  readonly #wheels: Readonly<Record<Exclude<Pace, 'seldom'>, SweepWheel<BatchSocket>>> = {
    brisk: new SweepWheel(BRISK_SLICES),
    usual: new SweepWheel(SLICES, FEW),
  };
  readonly #seldom: ReadySockets<BatchSocket>;
  readonly #stampHolder: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #toldBuffer = false;
  /** Bytes of receive buffer by what was wanted: the kernel's limit does not depend on the socket. */
  readonly #granted = new Map<number, number>();

  constructor(libc: Libc, options: ReceiverOptions) {
    this.#shared = {
      libc,
      slab: new BatchSlab(libc),
      keys: new SourceKeys(),
      options,
      faults: { truncated: 0, socketErrors: 0, overruns: 0, sinkErrors: 0, smallBuffers: 0 },
      release: (fd) => {
        // Taken off the list first: a number that is closed may name another file a moment later.
        options.openSockets?.remove(fd);
        libc.close(fd);
      },
      reading: false,
    };
    this.#seldom = new ReadySockets(libc);
    options.openSockets?.add(this.#seldom.fd);
    // The kernel begins to stamp datagrams some time after the first socket asked for it. This one asks in good time.
    this.#stampHolder = libc.udpSocket(AF_INET);
    libc.setOption(this.#stampHolder, SO_TIMESTAMPNS, 1);
    options.openSockets?.add(this.#stampHolder);
  }

  open(
    address: string,
    port: number,
    sink: PacketSink,
    options: SocketOptions = {},
  ): Promise<ReceiverSocket> {
    if (this.#stopped) return Promise.reject(new MediaError('STOPPED', 'receiver is stopped'));
    try {
      return Promise.resolve(this.#open({ address, port, sink }, options));
    } catch (error) {
      const taken = error instanceof SystemCallError && error.errno === EADDRINUSE;
      const detail = `${address} port ${port}: ${error instanceof Error ? error.message : String(error)}`;
      return Promise.reject(new MediaError(taken ? 'PORT_TAKEN' : 'SOCKET', detail, { cause: error }));
    }
  }

  /** Reads the sockets whose turn has come. For the owner's timer when `ownTimer` is false. Never throws. */
  sweep(): void {
    const now = performance.now();
    for (const wheel of Object.values(this.#wheels))
      for (let slice = wheel.due(now); slice > 0; slice -= 1)
        for (const socket of wheel.next()) socket.read(SWEEP_READS);
    for (const socket of this.#seldom.due(now)) socket.read(SWEEP_READS);
  }

  faults(): ReceiverFaults {
    return { ...this.#shared.faults };
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const wheel of Object.values(this.#wheels)) for (const socket of wheel.all()) socket.close();
    for (const socket of this.#seldom.all()) socket.close();
    this.#shared.release(this.#seldom.fd);
    this.#shared.release(this.#stampHolder);
  }

  #open({ address, port, sink }: Place, socketOptions: SocketOptions): ReceiverSocket {
    const { libc, options, release } = this.#shared;
    const { pace = 'usual' } = socketOptions;
    const turns: Turns = pace === 'seldom' ? this.#seldom : this.#wheels[pace];
    const family = addressFamily(address);
    const fd = libc.udpSocket(family);
    options.openSockets?.add(fd);
    try {
      this.#prepare(fd, family, socketOptions);
      libc.bind(fd, address, port);
      const bound = {
        fd,
        family,
        port: port === 0 ? libc.boundPort(fd) : port,
        sink,
        runs: socketOptions.runs,
        audio: pace !== 'seldom',
      };
      const socket = new BatchSocket(this.#shared, bound, turns);
      turns.add(socket);
      this.#startTimer();
      return socket;
    } catch (error) {
      release(fd);
      throw error;
    }
  }

  #prepare(fd: number, family: number, socketOptions: SocketOptions): void {
    const { libc, options } = this.#shared;
    if (family === AF_INET6) libc.allowBothFamilies(fd);
    libc.setOption(fd, SO_TIMESTAMPNS, 1);
    // What is dropped of reports is not counted: they are repeated.
    if (socketOptions.pace !== 'seldom') libc.setOption(fd, SO_RXQ_OVFL, 1);
    const wanted = socketOptions.receiveBuffer ?? options.receiveBuffer ?? RECEIVE_BUFFER_BYTES;
    libc.setReceiveBuffer(fd, wanted);
    const granted = this.#granted.get(wanted) ?? libc.receiveBuffer(fd);
    this.#granted.set(wanted, granted);
    if (granted * 2 < wanted) this.#shared.faults.smallBuffers += 1;
    if (this.#toldBuffer) return;
    this.#toldBuffer = true;
    const advice = granted < wanted ? `, not ${wanted}: raise net.core.rmem_max` : '';
    options.log?.(`batch receiver: the kernel grants ${granted} bytes of receive buffer a port${advice}`);
  }

  #startTimer(): void {
    if (this.#shared.options.ownTimer === false) return;
    this.#timer ??= setInterval(() => {
      this.sweep();
    }, SLICE_MS);
  }
}

interface Place {
  readonly address: string;
  readonly port: number;
  readonly sink: PacketSink;
}

interface BoundSocket {
  readonly fd: number;
  readonly family: number;
  readonly port: number;
  readonly sink: PacketSink;
  readonly runs: RunSink | undefined;
  /** What is dropped here is audio; reports are repeated. */
  readonly audio: boolean;
}

/** What says when a socket is read. */
interface Turns {
  add(socket: BatchSocket): void;
  remove(socket: BatchSocket): void;
  /** All that had come was read out of turn. Absent where nobody has a turn. */
  postpone?(socket: BatchSocket): void;
}

class BatchSocket implements ReceiverSocket, Taker, LastSender {
  readonly fd: number;
  readonly port: number;
  readonly sink: PacketSink;
  readonly runs: RunSink | undefined;
  isClosed = false;
  senderPort = 0;
  senderHost = 0;
  sender6: Int32Array | undefined;
  readonly #family: number;
  readonly #audio: boolean;
  readonly #shared: Shared;
  readonly #turns: Turns;
  #lastKey = 0;
  #lastAddress = '';
  /** Where something was sent last, and the name by which the kernel knows it; undefined where it cannot be reached. */
  #target = '';
  #targetName: Buffer | undefined;
  #overruns = 0;

  constructor(shared: Shared, bound: BoundSocket, turns: Turns) {
    this.#shared = shared;
    this.fd = bound.fd;
    this.#family = bound.family;
    this.#audio = bound.audio;
    this.port = bound.port;
    this.sink = bound.sink;
    this.runs = bound.runs;
    this.#turns = turns;
  }

  get overruns(): number {
    return this.#overruns;
  }

  sourceAddress(): string {
    return this.#lastAddress;
  }

  async drain(): Promise<void> {
    // Asked for from inside a sink, the slab still holds datagrams on their way; wait until they are through.
    if (this.#shared.reading) await Promise.resolve();
    this.read(DRAIN_READS);
    this.#readDrops();
  }

  hurry(): boolean {
    if (this.#shared.reading || !this.read(SWEEP_READS)) return false;
    this.#turns.postpone?.(this);
    return true;
  }

  send(datagram: Buffer, to: string): void {
    if (this.isClosed) return;
    if (to !== this.#target) {
      const target = splitSource(to);
      this.#targetName = target && this.#shared.libc.nameOf(this.#family, target);
      this.#target = to;
    }
    if (this.#targetName !== undefined) this.#shared.libc.sendTo(this.fd, datagram, this.#targetName);
  }

  close(): void {
    if (this.isClosed) return;
    this.#readDrops();
    this.isClosed = true;
    this.#turns.remove(this);
    this.#shared.release(this.fd);
  }

  /** Passes on what is queued, at most `reads` times `SLOTS` datagrams; false when there may be more, as after a full batch. */
  read(reads: number): boolean {
    const { slab, libc, faults } = this.#shared;
    for (let left = reads; left > 0 && !this.isClosed; left -= 1) {
      const count = slab.receive(this.fd);
      if (count < 0) {
        const errno = libc.errno();
        if (errno === EAGAIN) return true;
        if (errno !== EINTR) faults.socketErrors += 1;
        continue;
      }
      this.#deliverAll(count);
      slab.release(count);
      if (count < SLOTS) return true;
    }
    return false;
  }

  #deliverAll(count: number): void {
    const { slab, options, faults } = this.#shared;
    faults.truncated += slab.survey(count, options.now);
    this.#shared.reading = true;
    for (let slot = 0; slot < count && !this.isClosed;) {
      if (!slab.isSource(slot, this)) this.#changeSource(slot);
      const end = slab.sameSource(slot + 1, count, this);
      slab.run.sourceKey = this.#lastKey;
      passOn(slab.run, this, slot, end);
      slot = end;
    }
    this.#shared.reading = false;
    this.#noteDrops(slab.drops(count - 1));
  }

  failed(): void {
    this.#shared.faults.sinkErrors += 1;
  }

  #changeSource(slot: number): void {
    const { slab, keys } = this.#shared;
    const { address, port } = slab.source(slot);
    slab.rememberSource(slot, this);
    this.#lastAddress = formatSource(address, port);
    this.#lastKey = keys.keyOf(this.#lastAddress);
  }

  #readDrops(): void {
    // Where nothing could be read, nothing was dropped for want of room.
    if (!this.isClosed && this.#lastAddress !== '') this.#noteDrops(this.#shared.libc.drops(this.fd) ?? 0);
  }

  #noteDrops(total: number): void {
    if (total <= this.#overruns) return;
    if (this.#audio) this.#shared.faults.overruns += total - this.#overruns;
    this.#overruns = total;
  }
}
