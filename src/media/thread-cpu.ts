import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/**
 * CPU seconds the calling thread has used. Linux counts them in nanoseconds; elsewhere it is the time in which the
 * event loop was not waiting, which is a little more.
 */
export function threadCpuSeconds(): number {
  try {
    // sched-stats.rst: time on the processor in nanoseconds, time waiting for one, time slices.
    const [nanoseconds] = readFileSync('/proc/thread-self/schedstat', 'ascii').split(' ');
    const seconds = Number(nanoseconds) / 1e9;
    if (seconds > 0) return seconds;
  } catch {
    // Not Linux, or a kernel without scheduler statistics.
  }
  return performance.eventLoopUtilization().active / 1000;
}
