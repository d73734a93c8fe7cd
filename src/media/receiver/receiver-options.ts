import type { OpenSockets } from './open-sockets.ts';
import { SLICE_MS, SLICES } from './sweep-wheel.ts';

/** What a network card with pages of 4 KiB books for a packet, however short it is, with the kernel's own structure. */
const PACKET_BYTES = 4096 + 256;
/** Half the seconds that a buffer must hold: five rounds of the sweep, 2.5 s. */
const HELD_SECONDS = (5 * SLICES * SLICE_MS) / 2000;
/** Packets a second of audio in packets of 20 ms. */
const USUAL_RATE = 50;

/**
 * Bytes of socket buffer to ask for, for so many datagrams a second. The kernel grants up to net.core.rmem_max, with CAP_NET_ADMIN more, and
 * books twice what was asked (socket(7)): there is room for 2.5 s, and for 1.25 s where it grants half.
 */
export const bufferFor = (packetRate = USUAL_RATE): number =>
  Math.ceil(packetRate * HELD_SECONDS * PACKET_BYTES);

/** Asked of the kernel for a port of which no rate is known. */
export const RECEIVE_BUFFER_BYTES = bufferFor();

/** Reports come every few seconds. */
export const REPORT_BUFFER_BYTES = 8192;

export interface ReceiverOptions {
  /** Epoch milliseconds with fraction; stamps what the kernel does not. */
  readonly now: () => number;
  /** Takes one line for the operator. */
  readonly log?: ((line: string) => void) | undefined;
  /** False: the owner calls `sweep()` every 20 ms. Default true. */
  readonly ownTimer?: boolean | undefined;
  /** Bytes of socket buffer to ask for. Default `RECEIVE_BUFFER_BYTES`. */
  readonly receiveBuffer?: number | undefined;
  /** Where descriptors are listed that would outlive this thread. */
  readonly openSockets?: OpenSockets | undefined;
}
