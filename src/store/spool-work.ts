import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import { BeginningHash } from '../evidence/beginning-hash.ts';
import type { FileDigest } from '../jobs/ports.ts';
import { TEMPORARY } from './create-once.ts';
import { codeOf, StoreError } from './store-error.ts';

/** What is done to the files of one recording in one go. Paths are absolute. */
export type SpoolOrder =
  | {
      readonly what: 'digest';
      readonly path: string;
      readonly audioOffset: number;
      readonly beginnings: readonly number[];
    }
  | {
      readonly what: 'create';
      readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
    }
  | {
      readonly what: 'finish';
      readonly folder: string;
      readonly files: readonly { readonly from: string; readonly to: string }[];
    }
  | { readonly what: 'sync' | 'discard'; readonly folder: string };

const READ = 256 * 1024;
const MODE = 0o640;

/**
 * Carries out an order, one call into the file system after the other, and waits for the disk meanwhile: for threads that have nothing else
 * to do. Throws StoreError DIFFERENT and MISSING as `SealFiles` has it; what else fails comes out as it is.
 */
export function carryOutOrder(order: SpoolOrder): FileDigest | undefined {
  switch (order.what) {
    case 'digest':
      return digest(order);
    case 'create':
      for (const { path, bytes } of order.files) create(path, bytes);
      return undefined;
    case 'finish':
      for (const { from, to } of order.files) finish(from, to);
      sync(order.folder);
      return undefined;
    case 'sync':
      sync(order.folder);
      return undefined;
    case 'discard':
      rmSync(order.folder, { recursive: true, force: true });
      return undefined;
  }
}

function digest({ path, audioOffset, beginnings }: Extract<SpoolOrder, { what: 'digest' }>): FileDigest {
  const whole = createHash('sha256');
  const audio = new BeginningHash(beginnings);
  const buffer = Buffer.allocUnsafe(READ);
  const file = openSync(path, 'r');
  let bytes = 0;
  try {
    for (;;) {
      const length = readSync(file, buffer, 0, READ, bytes);
      if (length === 0) break;
      const part = buffer.subarray(0, length);
      whole.update(part);
      audio.update(part.subarray(Math.min(Math.max(audioOffset - bytes, 0), length)));
      bytes += length;
    }
  } finally {
    closeSync(file);
  }
  return {
    bytes,
    sha256: whole.digest('hex'),
    audioSha256: audio.digest(),
    beginnings: beginnings.map((length) => audio.of(length)),
  };
}

/** A crash leaves the whole file or none; its name is durable after `sync`. */
function create(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${randomUUID()}${TEMPORARY}`;
  try {
    writeFileSync(temporary, bytes, { flag: 'wx', flush: true, mode: MODE });
    linkSync(temporary, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    if (!readFileSync(path).equals(bytes))
      throw new StoreError('DIFFERENT', `${path} already exists with other contents`, { cause: error });
  } finally {
    remove(temporary);
  }
}

function finish(from: string, to: string): void {
  if (from === to) return;
  try {
    linkSync(from, to);
  } catch (error) {
    requireFinished(from, to, error);
  }
  remove(from);
}

/** Returns when `to` is what `from` was to become; throws otherwise. */
function requireFinished(from: string, to: string, error: unknown): void {
  const code = codeOf(error);
  const target = lstatIfThere(to);
  if (code === 'ENOENT' && target !== undefined) return;
  if (code === 'ENOENT')
    throw new StoreError('MISSING', `neither ${from} nor ${to} is there`, { cause: error });
  if (code !== 'EEXIST') throw error;
  const source = lstatSync(from);
  if (source.ino === target?.ino && source.dev === target.dev) return;
  throw new StoreError('DIFFERENT', `${to} already exists`, { cause: error });
}

const lstatIfThere = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** fsync of a folder: new names in it survive a power cut. */
function sync(path: string): void {
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
