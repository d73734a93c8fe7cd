/**
 * One datagram as the receiver hands it over. The object and the slab are reused: whoever keeps anything beyond the call copies it.
 */
export interface Arrival {
  slab: Buffer;
  /** The datagram is `slab[start..end)`. */
  start: number;
  end: number;
  /** Epoch milliseconds with fraction; the kernel's time of arrival where the receiver has it. */
  at: number;
  /** Equal for equal senders; changes when the source address or port changes. */
  sourceKey: number;
}

/** Takes one datagram. Must not throw and must not keep the arrival. */
export type PacketSink = (arrival: Arrival) => void;

/** Datagrams taken in at once, of which those of one sender in a row are handed over together. Reused as an `Arrival` is. */
export interface ArrivalRun {
  readonly slab: Buffer;
  /** The slab in words of 32 bits, the low octet first. */
  readonly words: Int32Array;
  /** Datagram `n` begins at octet `n * stride` of the slab, a multiple of 4. */
  readonly stride: number;
  /** By datagram: octets, and `Arrival.at`. */
  readonly lengths: Int32Array;
  readonly times: Float64Array;
  /** Of the sender of them all. */
  sourceKey: number;
}

/**
 * Takes as many of the datagrams `from` to `to` (excluded) as are what it expects, the first ones, and returns how many. The next one then
 * goes through the `PacketSink`. Must not throw.
 */
export type RunSink = (run: ArrivalRun, from: number, to: number) => number;

export interface ReceiverSocket {
  readonly port: number;
  /** `address:port` (`[v6]:port`) of the sender of the datagrams now in a sink; only valid inside that. */
  sourceAddress(): string;
  /**
   * Datagrams the kernel dropped because this socket's buffer was full: lost by us, not by the network. Exact after
   * `drain()`, else as of the last datagram. Undefined where the receiver cannot tell (`dgram`).
   */
  readonly overruns?: number | undefined;
  /** Resolves when everything the kernel had for this socket at the time of the call went through the sink. */
  drain(): Promise<void>;
  /**
   * Takes what is queued or held now, out of turn. Not from inside a sink. False when there may be more, as always with `dgram`, which cannot ask
   * the kernel.
   */
  hurry?(): boolean;
  /**
   * Sends a datagram from this port to `to`, written as `sourceAddress` writes it. Nobody waits for it, and nothing says whether it
   * went: for reports and handshakes, which are repeated. Never throws.
   */
  send(datagram: Buffer, to: string): void;
  /** May be called twice. Nothing reaches the sink afterwards. */
  close(): void;
}

/** What went wrong at the sockets of a receiver, counted since it was made; closed sockets included. */
export interface ReceiverFaults {
  /** Longer than a slot; delivered with what fits. */
  readonly truncated: number;
  /** Reads that failed for another reason than an empty queue. */
  readonly socketErrors: number;
  /** Sum of `overruns`. */
  readonly overruns: number;
  /** A sink threw although it must not. */
  readonly sinkErrors: number;
  /** Sockets that got less than half the buffer asked for: they do not hold 1.25 s of full-sized packets. */
  readonly smallBuffers: number;
}

/**
 * How often a socket is read: twice a second what is not in a hurry (RTCP), and with `batch` only where something has come; every 200 ms
 * audio, and every 500 ms where there is much of it, since each read has its price whatever it brings; always every 200 ms where somebody waits
 * for answers.
 */
export type Pace = 'seldom' | 'usual' | 'brisk';

export interface SocketOptions {
  /** Default `usual`. */
  readonly pace?: Pace;
  /** Asked first, for datagrams that are taken together. */
  readonly runs?: RunSink;
  /** Bytes of socket buffer to ask for. Default: the receiver's. */
  readonly receiveBuffer?: number | undefined;
}

/** A way of getting datagrams out of the kernel: `dgram` (always there) and `batch` (recvmmsg through koffi). */
export interface Receiver {
  readonly kind: 'dgram' | 'batch';
  /** Binds a UDP port; receiving when this resolves. Rejects with MediaError PORT_TAKEN or SOCKET. */
  open(address: string, port: number, sink: PacketSink, options?: SocketOptions): Promise<ReceiverSocket>;
  /** Closes every socket and stops the sweep. */
  stop(): void;
}
