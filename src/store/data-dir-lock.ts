import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, readlink, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, StoreError } from './store-error.ts';

/** The right to use a data directory. */
export interface DataDirLock {
  /** Gives it back. May be called twice. */
  release(): Promise<void>;
}

const LOCK_FILE = 'sealtape.lock';
const OWNER = /^([1-9][0-9]{0,9}) ([0-9]+) ([0-9a-f-]{36})\n$/;

/**
 * Takes the data directory for this process alone, or rejects with StoreError LOCKED naming the process that has it. The lock
 * is a file with process id and that process's start time (proc(5), stat field 22, and the boot id), so the lock of a process
 * that was killed, even when its number is in use again, is simply taken over.
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  await mkdir(dataDir, { recursive: true });
  const path = join(dataDir, LOCK_FILE);
  const mine = await describeSelf();
  // Twice: once to clear away a dead owner's file, once to win or lose against whoever did the same.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (await take(path, mine)) return lockOf(path, mine);
    const content = await readOrNothing(path);
    if (content === undefined) continue;
    const owner = await livingOwner(content);
    if (owner !== undefined) throw locked(dataDir, `process ${owner}`);
    await clear(path, content);
  }
  throw locked(dataDir, 'another process');
}

const locked = (dataDir: string, owner: string): StoreError =>
  new StoreError(
    'LOCKED',
    `${dataDir} is in use by ${owner}; stop it, or give this recorder another dataDir`,
  );

const lockOf = (path: string, mine: string): DataDirLock => ({
  release: async () => {
    if ((await readOrNothing(path)) === mine) await unlink(path);
  },
});

/** link(2) fails when the name is taken, and the file is complete when the name appears. */
async function take(path: string, mine: string): Promise<boolean> {
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, mine);
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
}

/**
 * Moves a dead owner's file away and looks at what was moved: should it be the file of somebody who was faster, it is put
 * back, and linking it back cannot overwrite a third one's.
 */
async function clear(path: string, dead: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== dead) await link(aside, path).catch(() => undefined);
  await unlink(aside);
}

/** Process id of the owner when that very process still runs. */
async function livingOwner(content: string): Promise<number | undefined> {
  const match = OWNER.exec(content);
  if (match === null) return undefined;
  const [, pid = '', startTime, boot] = match;
  if (boot !== (await bootId())) return undefined;
  return (await startTimeOf(pid)) === startTime ? Number(pid) : undefined;
}

async function describeSelf(): Promise<string> {
  const pid = await readlink('/proc/self');
  return `${pid} ${(await startTimeOf(pid)) ?? '0'} ${await bootId()}\n`;
}

/** Clock ticks from boot to the start of a process; undefined when there is no such process. */
async function startTimeOf(pid: string): Promise<string | undefined> {
  const stat = await readOrNothing(`/proc/${pid}/stat`);
  // The second field is a name in parentheses that may itself hold spaces and parentheses.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

const bootId = async (): Promise<string> =>
  (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();

async function readOrNothing(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}
