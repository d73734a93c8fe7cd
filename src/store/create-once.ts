import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, StoreError } from './store-error.ts';

/** Ends the names of files that a crash may leave and that nobody needs. */
export const TEMPORARY = '.tmp';

/** fsync of a folder: new names in it survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Creates `path` so that a crash leaves either the whole file or no file, and its name is durable. Repeating the call with equal bytes does
 * nothing; with other bytes it throws StoreError DIFFERENT. Other failures of the disk come out as they are.
 */
export async function createOnce(path: string, bytes: Uint8Array, mode = 0o640): Promise<void> {
  await createWhole(path, bytes, mode);
  // Also when it was there already: the crash may have come before this line.
  await syncDirectory(dirname(path));
}

/** The same, except that the name is durable only after `syncDirectory`. */
async function createWhole(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}${TEMPORARY}`;
  try {
    await writeFile(temporary, bytes, { flag: 'wx', flush: true, mode });
    await link(temporary, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    if (!(await readFile(path)).equals(bytes))
      throw new StoreError('DIFFERENT', `${path} already exists with other contents`, { cause: error });
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/** Exchanges a file for another in one step: a crash leaves one of them whole. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}
