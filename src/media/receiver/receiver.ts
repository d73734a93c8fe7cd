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

export interface ReceiverSocket {
  readonly port: number;
  /** `address:port` (`[v6]:port`) of the sender of the datagram now in the sink; only valid inside the sink. */
  sourceAddress(): string;
  /** Resolves when everything the kernel had for this socket at the time of the call went through the sink. */
  drain(): Promise<void>;
  /** May be called twice. Nothing reaches the sink afterwards. */
  close(): void;
}

/** A way of getting datagrams out of the kernel: `dgram` (always there) and `batch` (recvmmsg through koffi). */
export interface Receiver {
  readonly kind: 'dgram' | 'batch';
  /** Binds a UDP port; receiving when this resolves. Rejects with MediaError PORT_TAKEN or SOCKET. */
  open(address: string, port: number, sink: PacketSink): Promise<ReceiverSocket>;
  /** Closes every socket and stops the sweep. */
  stop(): void;
}
