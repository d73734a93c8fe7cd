import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv4, isIPv6 } from 'node:net';
import { MediaError } from '../media-error.ts';
import { HeldDatagrams } from './held-datagrams.ts';
import type { Taker } from './pass-on.ts';
import type {
  Arrival,
  PacketSink,
  Receiver,
  ReceiverFaults,
  ReceiverSocket,
  RunSink,
  SocketOptions,
} from './receiver.ts';
import { RECEIVE_BUFFER_BYTES, type ReceiverOptions } from './receiver-options.ts';
import { FEW, SLICE_MS, SLICES, SweepWheel } from './sweep-wheel.ts';
import { formatSource, SourceKeys, splitSource } from './source-keys.ts';

/** Turns of the event loop a drain waits at most; each takes up to 32 datagrams of a socket. */
const DRAIN_TURNS = 256;

/** What the sockets of a receiver share. */
interface Shared {
  readonly keys: SourceKeys;
  readonly options: ReceiverOptions;
  readonly faults: {
    truncated: number;
    socketErrors: number;
    overruns: number;
    sinkErrors: number;
    smallBuffers: number;
  };
}

/**
 * One event per datagram through Node's own sockets: works everywhere, at five times the cost of `batch`. What audio comes in is passed on in turn,
 * as there, with the time at which it was read.
 */
export class DgramReceiver implements Receiver {
  readonly kind = 'dgram';
  readonly #shared: Shared;
  readonly #sockets = new Set<DgramSocket>();
  readonly #wheel = new SweepWheel<DgramSocket>(SLICES, FEW);
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: ReceiverOptions) {
    this.#shared = {
      keys: new SourceKeys(),
      options,
      faults: { truncated: 0, socketErrors: 0, overruns: 0, sinkErrors: 0, smallBuffers: 0 },
    };
  }

  async open(
    address: string,
    port: number,
    sink: PacketSink,
    options: SocketOptions = {},
  ): Promise<ReceiverSocket> {
    this.#refuseWhenStopped();
    const wanted = options.receiveBuffer ?? this.#shared.options.receiveBuffer ?? RECEIVE_BUFFER_BYTES;
    const socket = await bind(address, port, wanted);
    // Linux says twice what it grants (socket(7)).
    if (socket.getRecvBufferSize() < wanted) this.#shared.faults.smallBuffers += 1;
    const { runs, pace = 'usual' } = options;
    const held = runs === undefined || pace !== 'usual' ? undefined : new HeldDatagrams();
    const opened = new DgramSocket(this.#shared, { socket, sink, runs, held }, () => {
      this.#sockets.delete(opened);
      this.#wheel.remove(opened);
    });
    this.#sockets.add(opened);
    if (held !== undefined) this.#wheel.add(opened);
    this.#startTimer();
    this.#closeWhenStopped(opened);
    return opened;
  }

  /** Passes on what the sockets hold whose turn has come. For the owner's timer when `ownTimer` is false. Never throws. */
  sweep(): void {
    for (let slice = this.#wheel.due(performance.now()); slice > 0; slice -= 1)
      for (const socket of this.#wheel.next()) socket.hurry();
  }

  get waking(): number {
    return this.#sockets.size;
  }

  faults(): ReceiverFaults {
    return { ...this.#shared.faults };
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const socket of [...this.#sockets]) socket.close();
  }

  #startTimer(): void {
    if (this.#shared.options.ownTimer === false) return;
    this.#timer ??= setInterval(() => {
      this.sweep();
    }, SLICE_MS);
  }

  #refuseWhenStopped(): void {
    if (this.#stopped) throw new MediaError('STOPPED', 'receiver is stopped');
  }

  /** The receiver may have been stopped while the port was being bound. */
  #closeWhenStopped(socket: DgramSocket): void {
    if (this.#stopped) socket.close();
    this.#refuseWhenStopped();
  }
}

function bind(address: string, port: number, receiveBuffer: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: isIPv6(address) ? 'udp6' : 'udp4',
      recvBufferSize: receiveBuffer,
      // An address is an address: no question to the DNS about a host name.
      lookup: (host, _options, done) => {
        done(null, host, isIPv6(host) ? 6 : 4);
      },
    });
    const fail = (error: NodeJS.ErrnoException): void => {
      socket.close();
      const code = error.code === 'EADDRINUSE' ? 'PORT_TAKEN' : 'SOCKET';
      reject(new MediaError(code, `${address} port ${port}: ${error.message}`, { cause: error }));
    };
    socket.once('error', fail);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

interface BoundSocket {
  readonly socket: Socket;
  readonly sink: PacketSink;
  readonly runs: RunSink | undefined;
  /** Absent where everything is passed on at once. */
  readonly held: HeldDatagrams | undefined;
}

class DgramSocket implements ReceiverSocket, Taker {
  readonly port: number;
  readonly sink: PacketSink;
  readonly runs: RunSink | undefined;
  isClosed = false;
  readonly #socket: Socket;
  readonly #held: HeldDatagrams | undefined;
  readonly #shared: Shared;
  readonly #onClose: () => void;
  readonly #arrival: Arrival = { slab: Buffer.alloc(0), start: 0, end: 0, at: 0.5, sourceKey: 0 };
  #lastHost = '';
  #lastPort = -1;
  #lastAddress = '';
  #received = 0;

  constructor(shared: Shared, bound: BoundSocket, onClose: () => void) {
    this.#shared = shared;
    this.#socket = bound.socket;
    this.sink = bound.sink;
    this.runs = bound.runs;
    this.#held = bound.held;
    this.#onClose = onClose;
    this.port = bound.socket.address().port;
    bound.socket.on('message', (datagram, sender) => {
      this.#take(datagram, sender);
    });
    bound.socket.on('error', () => {
      shared.faults.socketErrors += 1;
    });
  }

  sourceAddress(): string {
    return this.#lastAddress;
  }

  async drain(): Promise<void> {
    // Asked for in the middle of a turn, the first one to come may already have polled: only the second counts.
    let quiet = 0;
    for (let turn = 0; turn < DRAIN_TURNS && quiet < 2 && !this.isClosed; turn += 1) {
      const before = this.#received;
      await nextTurn();
      quiet = this.#received === before ? quiet + 1 : 0;
    }
    this.hurry();
  }

  /** Passes on what is held; there may be more that the kernel has. */
  hurry(): boolean {
    this.#held?.pass(this);
    return false;
  }

  send(datagram: Buffer, to: string): void {
    const target = splitSource(to);
    if (this.isClosed || target === undefined) return;
    const { address, port } = target;
    const both = this.#socket.address().family === 'IPv6' && isIPv4(address);
    // Whoever does not get it gets the next one.
    this.#socket.send(datagram, port, both ? `::ffff:${address}` : address, () => undefined);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#socket.close();
    this.#onClose();
  }

  failed(): void {
    this.#shared.faults.sinkErrors += 1;
  }

  #take(datagram: Buffer, sender: RemoteInfo): void {
    if (this.isClosed) return;
    this.#received += 1;
    if (sender.port !== this.#lastPort || sender.address !== this.#lastHost) this.#changeSource(sender);
    const { sourceKey } = this.#arrival;
    const at = this.#shared.options.now();
    if (this.#held?.hold(datagram, at, sourceKey) === true) return;
    this.hurry();
    if (this.#held?.hold(datagram, at, sourceKey) !== true) this.#deliver(datagram, at);
  }

  #deliver(datagram: Buffer, at: number): void {
    if (this.isClosed) return;
    const arrival = this.#arrival;
    arrival.slab = datagram;
    arrival.start = 0;
    arrival.end = datagram.length;
    arrival.at = at;
    try {
      this.sink(arrival);
    } catch {
      this.failed();
    }
  }

  #changeSource(sender: RemoteInfo): void {
    // What was held came from the one before.
    this.hurry();
    this.#lastHost = sender.address;
    this.#lastPort = sender.port;
    this.#lastAddress = formatSource(sender.address, sender.port);
    this.#arrival.sourceKey = this.#shared.keys.keyOf(this.#lastAddress);
  }
}

const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
