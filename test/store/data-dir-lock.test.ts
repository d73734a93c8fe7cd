import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { lockDataDir } from '../../src/store/data-dir-lock.ts';
import { compileProgram } from '../support/compiled-program.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lock-'));
});

afterEach(async () => {
  await rm(dataDir, { recursive: true });
});

const lockFile = (): string => join(dataDir, 'sealtape.lock');

/** A process of its own that takes the lock and keeps it. */
async function otherRecorder(): Promise<ChildProcess> {
  const program = await compileProgram('src/store/data-dir-lock.ts');
  const script = `
    const { lockDataDir } = await import(process.argv[1]);
    await lockDataDir(process.argv[2]);
    console.log('locked');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, program.path, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  await program.remove();
  return child;
}

describe('the lock of a data directory', () => {
  test('is held by one and can be taken after it was given back', async () => {
    const lock = await lockDataDir(dataDir);
    await expect(lockDataDir(dataDir)).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining(String(process.pid)) as unknown,
    });
    await lock.release();
    await lock.release();
    await (await lockDataDir(dataDir)).release();
    expect(await readdir(dataDir)).toEqual([]);
  });

  test('of a running recorder stands; of a killed one it is taken over', async () => {
    const other = await otherRecorder();
    await expect(lockDataDir(dataDir)).rejects.toMatchObject({ code: 'LOCKED' });
    other.kill('SIGKILL');
    await once(other, 'exit');
    const lock = await lockDataDir(dataDir);
    await lock.release();
  });

  const boot = async (): Promise<string> =>
    (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();

  test.each([
    ['whose number another process has by now', async () => `${process.pid} 1 ${await boot()}\n`],
    [
      'of before the last boot',
      () => Promise.resolve(`${process.pid} 1 00000000-0000-0000-0000-000000000000\n`),
    ],
    ['that is damaged', () => Promise.resolve('rubbish')],
    ['that is empty', () => Promise.resolve('')],
  ])('%s is taken over', async (_name, content) => {
    await writeFile(lockFile(), await content());
    await (await lockDataDir(dataDir)).release();
  });

  test('left by a dead one is taken by exactly one of many', async () => {
    await writeFile(lockFile(), 'rubbish');
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockDataDir(dataDir)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await readdir(dataDir)).toEqual(['sealtape.lock']);
  });

  test('given back late does not take away the lock of the next', async () => {
    const lock = await lockDataDir(dataDir);
    await writeFile(lockFile(), 'of somebody else');
    await lock.release();
    expect(await readFile(lockFile(), 'utf8')).toBe('of somebody else');
  });
});
