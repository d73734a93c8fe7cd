import { readFileSync } from 'node:fs';
import { hrtime } from 'node:process';
import koffi from 'koffi';

/** What an entry of the evidence log states about time (evidence.md 1.4). */
export interface ClockReading {
  /** ISO 8601, milliseconds, Z. */
  readonly time: string;
  /** First eight digits of the boot id, and milliseconds since boot. */
  readonly mono: string;
  /** `synced +0.4ms` when the kernel's clock is disciplined, with its present offset; else `unsynced`. */
  readonly clock: string;
}

/*
 * struct timex of 64-bit Linux, as adjtimex(2) fills it:
 *
 *   0 modes | 8 offset | 16 freq | 24 maxerror | 32 esterror | 40 status | 48 … 208
 *
 * offset counts nanoseconds when STA_NANO is set in status, else microseconds.
 */
const TIMEX_BYTES = 208;
const OFFSET_AT = 8;
const STATUS_AT = 40;
const STA_UNSYNC = 0x0040;
const STA_NANO = 0x2000;

/** Returns a function that reads the clocks; where the kernel cannot be asked, the clock counts as unsynced. */
export function openSystemClock(): () => ClockReading {
  const boot = bootId();
  const synced = openKernelClock();
  // hrtime is CLOCK_MONOTONIC, which counts from boot on Linux.
  return () => ({
    time: new Date().toISOString(),
    mono: `${boot}:${hrtime.bigint() / 1_000_000n}`,
    clock: synced(),
  });
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
  } catch {
    return '00000000';
  }
}

function openKernelClock(): () => string {
  let adjtimex: (timex: Buffer) => number;
  try {
    adjtimex = koffi.load('libc.so.6').func('int adjtimex(void *timex)') as (timex: Buffer) => number;
  } catch {
    return () => 'unsynced';
  }
  const timex = Buffer.alloc(TIMEX_BYTES);
  return () => {
    timex.fill(0);
    if (adjtimex(timex) < 0) return 'unsynced';
    const status = timex.readInt32LE(STATUS_AT);
    if (status & STA_UNSYNC) return 'unsynced';
    const milliseconds = Number(timex.readBigInt64LE(OFFSET_AT)) / (status & STA_NANO ? 1e6 : 1e3);
    return `synced ${milliseconds < 0 ? '-' : '+'}${Math.abs(milliseconds).toFixed(1)}ms`;
  };
}
