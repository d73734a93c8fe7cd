import { MediaError } from '../media-error.ts';
import { BatchReceiver } from './batch.ts';
import { DgramReceiver } from './dgram.ts';
import { type Libc, loadLibc } from './libc.ts';
import type { Receiver, ReceiverFaults } from './receiver.ts';
import type { ReceiverOptions } from './receiver-options.ts';

export type ReceiverKind = 'auto' | 'batch' | 'dgram';

/** A receiver whose owner may drive it and ask for its counters. */
export interface OpenedReceiver extends Receiver {
  /** Reads what is due; needed every 20 ms when made with `ownTimer: false`. */
  sweep(): void;
  faults(): ReceiverFaults;
  /** Sockets of which each datagram wakes the thread; none where they are read in turn. */
  readonly waking: number;
}

/**
 * Makes the receiver that was asked for; `auto` is `batch` where it works and else `dgram`, and logs why.
 * Throws MediaError SOCKET when `batch` is demanded where it cannot work.
 */
export function openReceiver(kind: ReceiverKind, options: ReceiverOptions, load = loadLibc): OpenedReceiver {
  if (kind === 'dgram') return new DgramReceiver(options);
  const batch = openBatch(options, load);
  if (!(batch instanceof MediaError)) return batch;
  if (kind === 'batch') throw batch;
  options.log?.(`receiving with dgram, at a higher cost per packet: ${batch.message}`);
  return new DgramReceiver(options);
}

function openBatch(options: ReceiverOptions, load: () => Libc): BatchReceiver | MediaError {
  try {
    return new BatchReceiver(load(), options);
  } catch (error) {
    return new MediaError('SOCKET', `batch receiver: ${(error as Error).message}`, { cause: error });
  }
}

/** Closes descriptors that a thread which died has left open. Does nothing where there cannot be any. */
export function closeDescriptors(descriptors: readonly number[]): void {
  if (descriptors.length === 0) return;
  let libc: Libc;
  try {
    libc = loadLibc();
  } catch {
    return;
  }
  for (const fd of descriptors) libc.close(fd);
}
