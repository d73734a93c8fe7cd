import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openPathChild } from '../../src/delivery/path-child.ts';
import type { Destination, Upload } from '../../src/jobs/destination.ts';
import { compileProgram, type CompiledProgram } from '../support/compiled-program.ts';
import { FrozenDisk } from '../support/frozen-disk.ts';
import { describeDestination, never, rejection, uploadOf, type DestinationSubject } from './conformance.ts';

const run = promisify(execFile);

let program: CompiledProgram;
const diskRoot = mkdtempSync(join(tmpdir(), 'disk-'));
const frozen = FrozenDisk.make(diskRoot);
/** Where nobody may mount a file system, this is seen as skipped, not as passed. */
const testOnFrozenDisk = frozen === undefined ? test.skip : test;

beforeAll(async () => {
  program = await compileProgram('src/delivery/path-process.ts');
});
afterAll(async () => {
  frozen?.remove();
  await rm(diskRoot, { recursive: true });
  await program.remove();
});

async function folderSubject(): Promise<DestinationSubject> {
  const root = await mkdtemp(join(tmpdir(), 'archive-'));
  const destination = openPathChild({ name: 'archive', root, timeoutSeconds: 30, entry: program.path });
  return {
    destination,
    read: (path) => readFile(join(root, path)).catch(() => undefined),
    list: async (folder) => (await readdir(join(root, folder)).catch(() => [])).sort(),
    place: async (path, bytes) => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), bytes);
    },
    remove: async () => {
      await destination.close();
      await rm(root, { recursive: true });
    },
  };
}

describeDestination('path, in a process of its own', folderSubject);

describe('the process of a folder', () => {
  const opened: Destination[] = [];
  let root: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'archive-'));
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
    await rm(root, { recursive: true });
  });

  const open = (timeoutSeconds: number, at = root): ReturnType<typeof openPathChild> => {
    const destination = openPathChild({ name: 'archive', root: at, timeoutSeconds, entry: program.path });
    opened.push(destination);
    return destination;
  };
  const pidOf = ({ pid }: { readonly pid: number | undefined }): number => {
    if (pid === undefined) throw new Error('there is no process');
    return pid;
  };
  const small = uploadOf('d/a.wav', Buffer.from('audio'));

  test('that stands still is killed, what it had to do may be tried again, and a new one does it', async () => {
    const destination = open(1);
    await destination.put(small, never);
    const before = pidOf(destination);
    process.kill(before, 'SIGSTOP');
    const attempts = [
      destination.put(uploadOf('d/b.wav', Buffer.from('b')), never),
      destination.stat({ path: 'd/a.wav' }, never),
      destination.list('d', never),
    ];
    for (const error of await Promise.all(attempts.map(rejection)))
      expect(error).toMatchObject({ name: 'DeliveryError', code: 'UNREACHABLE' });
    await gone(before);
    await untilFulfilled(() => destination.put(uploadOf('d/b.wav', Buffer.from('b')), never));
    expect(pidOf(destination)).not.toBe(before);
    expect(await readdir(join(root, 'd'))).toEqual(['a.wav', 'b.wav']);
  });

  test('that dies in the middle leaves nothing under the final name, and the next one stores it', async () => {
    const destination = open(30);
    const bytes = Buffer.alloc(400_000, 7);
    const halfWay = new Readable({
      read() {
        this.push(bytes.subarray(0, 100_000));
        if (destination.pid !== undefined) process.kill(destination.pid, 'SIGKILL');
      },
    });
    const error = await rejection(
      destination.put(uploadOf('d/a.wav', bytes, { open: () => halfWay }), never),
    );
    expect(error).toMatchObject({ name: 'DeliveryError', code: 'UNREACHABLE' });
    expect(halfWay.destroyed).toBe(true);
    await destination.put(uploadOf('d/a.wav', bytes), never);
    expect((await readFile(join(root, 'd/a.wav'))).equals(bytes)).toBe(true);
  });

  test('hangs in a pipe that stands where a file should, and the one of another folder works on meanwhile', async () => {
    await run('mkfifo', [join(root, 'a.wav')]);
    const hanging = open(2);
    const reading = rejection(hanging.open({ path: 'a.wav' }, never));
    const other = await mkdtemp(join(tmpdir(), 'archive-'));
    try {
      const working = open(30, other);
      for (let n = 0; n < 20; n++) await working.put(uploadOf(`d/${n}.wav`, Buffer.from(String(n))), never);
      expect(await readdir(join(other, 'd'))).toHaveLength(20);
    } finally {
      await rm(other, { recursive: true });
    }
    expect(await reading).toMatchObject({ code: 'UNREACHABLE', message: expect.stringContaining('hangs') });
  });

  test('waits for a slow source as long as that takes', async () => {
    const destination = open(1);
    const bytes = Buffer.from('slow');
    const slow = (): Readable =>
      Readable.from(
        (async function* () {
          yield bytes.subarray(0, 2);
          await new Promise((resolve) => setTimeout(resolve, 2500));
          yield bytes.subarray(2);
        })(),
        { objectMode: false },
      );
    await destination.put(uploadOf('d/a.wav', bytes, { open: slow }), never);
    expect(await readFile(join(root, 'd/a.wav'), 'utf8')).toBe('slow');
  });

  test('takes a big source through little memory', async () => {
    const destination = open(30);
    const part = Buffer.alloc(65_536, 5);
    const parts = 2000;
    const hash = createHash('sha256');
    for (let n = 0; n < parts; n++) hash.update(part);
    const big: Upload = {
      path: 'd/big.wav',
      size: parts * part.length,
      sha256: hash.digest('hex'),
      open: () =>
        Readable.from(
          Array.from({ length: parts }, () => part),
          { objectMode: false },
        ),
    };
    await destination.put(big, never);
    const [, peak = ''] =
      /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pidOf(destination)}/status`, 'utf8')) ?? [];
    expect(Number(peak)).toBeLessThan(130_000);
    const stream = await destination.open({ path: 'd/big.wav' }, never);
    let read = 0;
    for await (const octets of stream as AsyncIterable<Buffer>) read += octets.length;
    expect(read).toBe(big.size);
  });

  test.each(['idle', 'stopped'] as const)(
    'is gone after the destination was closed while it was %s',
    async (state) => {
      const destination = open(30);
      await destination.put(small, never);
      const pid = pidOf(destination);
      if (state === 'stopped') process.kill(pid, 'SIGSTOP');
      const waiting =
        state === 'stopped' ? rejection(destination.stat({ path: 'd/a.wav' }, never)) : undefined;
      await destination.close();
      await gone(pid);
      if (waiting !== undefined) expect(await waiting).toMatchObject({ code: 'ABORTED' });
      expect(await rejection(destination.put(small, never))).toMatchObject({ code: 'ABORTED' });
    },
  );

  test('does not heed what a terminal sends to all, and ends with its parent', async () => {
    const child = await compileProgram('src/delivery/path-child.ts');
    const script = `
      const { openPathChild } = await import(process.argv[1]);
      const destination = openPathChild({ name: 'archive', root: process.argv[2], timeoutSeconds: 30, entry: process.argv[3] });
      await destination.list('', new AbortController().signal);
      console.log(destination.pid);`;
    const parent = spawn(
      process.execPath,
      ['--input-type=module', '-e', script, child.path, root, program.path],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [said] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(said.toString());
    process.kill(pid, 'SIGINT');
    process.kill(pid, 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(isThere(pid)).toBe(true);
    parent.kill('SIGKILL');
    await gone(pid);
    await child.remove();
  });

  testOnFrozenDisk(
    'over a file system that hangs in the kernel is given up; no further one is started until it is over',
    async () => {
      const disk = frozen as FrozenDisk;
      try {
        const destination = open(1, disk.path);
        await destination.put(small, never);
        const pid = pidOf(destination);
        disk.freeze();
        const other = uploadOf('d/b.wav', Buffer.from('b'));
        expect(await rejection(destination.put(other, never))).toMatchObject({ code: 'UNREACHABLE' });
        expect(isThere(pid)).toBe(true);
        for (let n = 0; n < 3; n++)
          expect((await rejection(destination.put(other, never))).message).toContain('has not ended yet');
        expect(destination.pid).toBeUndefined();
        disk.thaw();
        await gone(pid);
        await untilFulfilled(() => destination.put(other, never));
        await destination.close();
      } finally {
        disk.thaw();
      }
    },
  );
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  const patience = Date.now() + 20_000;
  while (isThere(pid)) {
    if (Date.now() > patience) throw new Error(`process ${pid} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Until the parent has heard that the old process is gone too. */
async function untilFulfilled(work: () => Promise<unknown>): Promise<void> {
  for (const patience = Date.now() + 20_000; ; await new Promise((resolve) => setTimeout(resolve, 20)))
    try {
      await work();
      return;
    } catch (error) {
      if (Date.now() > patience) throw error;
    }
}
