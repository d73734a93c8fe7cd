/* What the kernel says about a running process, and what a recorder says about itself. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** CPU seconds a second that a recorder without calls may take. */
const IDLE_CPU = 0.1;

/** CPU seconds of all threads of a process, counted in nanoseconds (sched-stats.rst). */
export function cpuSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    } catch {
      // The thread has ended in between.
    }
  }
  return nanoseconds / 1e9;
}

/** Resolves when a process has hardly worked for a second, or after `seconds`. */
export async function untilIdle(pid: number, seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left -= 1) {
    const before = cpuSeconds(pid);
    await delay(1000);
    if (cpuSeconds(pid) - before < IDLE_CPU) return;
  }
}

/** Resident kilobytes of a process. */
export const residentKilobytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);

export type Metrics = (name: string) => number;

/** Reads a recorder's metrics; names without labels. */
export async function readMetrics(web: string): Promise<Metrics> {
  const text = await (await fetch(`${web}/metrics`)).text();
  return (name) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? NaN);
}
