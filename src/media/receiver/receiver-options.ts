import type { OpenSockets } from './open-sockets.ts';

/**
 * Asked of the kernel for every port. Two seconds of G.711 at 20 ms are 100 datagrams, which a network card with pages of
 * 4 KiB books as 400 KiB; the kernel grants up to net.core.rmem_max, with CAP_NET_ADMIN more.
 */
export const RECEIVE_BUFFER_BYTES = 512 * 1024;

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
