import { expect } from '@jest/globals';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/**
 * Lets a process that waits for a line go on, and kills it when one of what `attach` names to strace (`-p PID`) enters `call` for the n-th time.
 * Resolves with false when it was done before.
 */
export async function killAt(
  child: ChildProcessByStdio<Writable, Readable, null>,
  { call, n }: { readonly call: string; readonly n: number },
  attach: readonly string[],
): Promise<boolean> {
  const ended = once(child, 'exit');
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${n}`];
  const strace = spawn('strace', ['-o', '/dev/null', ...inject, ...attach], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const detached = once(strace, 'exit');
  await once(strace.stderr, 'data');
  child.stdin.write('go\n');
  const [code, signal] = (await ended) as [number | null, string | null];
  await detached;
  expect([code, signal]).toEqual(signal === null ? [0, null] : [null, 'SIGKILL']);
  return signal !== null;
}
