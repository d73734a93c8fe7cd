import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { NotedEvent } from '../../src/recorder/events.ts';
import { openJournal } from '../../src/store/journal.ts';
import { compileProgram, type CompiledProgram } from '../support/compiled-program.ts';

let folder: string;
let program: CompiledProgram;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-'));
  program = await compileProgram('src/store/journal.ts');
});

afterAll(async () => {
  await program.remove();
  await rm(folder, { recursive: true });
});

/** Appends as fast as it can, several at once, and prints each number of a step once it was acknowledged. */
const WRITER = `
  const { openJournal } = await import(process.argv[1]);
  const journal = await openJournal(process.argv[2], { rotateAt: 20_000 });
  let step = Number(process.argv[3]);
  for (;;) {
    await Promise.all(Array.from({ length: 7 }, async () => {
      const mine = step++;
      await journal.append({ type: 'noted', at: 0, recording: 'r', step: String(mine), detail: 'x'.repeat(mine % 300) });
      process.stdout.write(mine + '\\n');
    }));
  }`;

/** Runs the writer until it has acknowledged `count` steps, kills it, and returns all it acknowledged. */
async function writeUntilKilled(first: number, count: number): Promise<readonly number[]> {
  const args = ['--input-type=module', '-e', WRITER, program.path, folder, String(first)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === count) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return acknowledged;
}

test('a recorder killed in mid-write, again and again, loses nothing it acknowledged', async () => {
  const acknowledged: number[] = [];
  for (let round = 1; round <= 4; round += 1)
    acknowledged.push(...(await writeUntilKilled(round * 1_000_000, 100 * round)));
  const journal = await openJournal(folder);
  const events = await journal.after(0, 1_000_000);
  await journal.close();
  const steps = new Set(events.map(({ event }) => Number((event as NotedEvent).step)));
  expect(acknowledged.length).toBeGreaterThanOrEqual(1000);
  expect(acknowledged.filter((step) => !steps.has(step))).toEqual([]);
  const sequences = events.map(({ sequence }) => sequence);
  expect(new Set(sequences).size).toBe(sequences.length);
  expect((await readdir(folder)).length).toBeGreaterThan(1);
});
