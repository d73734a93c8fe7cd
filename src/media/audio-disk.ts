import {
  accessSync,
  closeSync,
  constants,
  fdatasync,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';

/** What a capture asks of the file system; a test can let it refuse. Errors are Node's, with their `code`. */
export interface AudioDisk {
  /** Throws or rejects unless files can be made in the folder. */
  readonly check: (folder: string) => void | Promise<void>;
  /** Creates a file for reading and writing; fails when it exists. */
  readonly create: (path: string) => number;
  /** Writes at a position; returns how many octets were taken. */
  readonly write: (fd: number, octets: Uint8Array, length: number, position: number) => number;
  readonly read: (fd: number, octets: Uint8Array, length: number, position: number) => number;
  readonly truncate: (fd: number, length: number) => void;
  /** Resolves when octets and length of the file are on the disk (fdatasync); asynchronous, because it may take long and other calls go on. */
  readonly sync: (fd: number) => Promise<void>;
  readonly close: (fd: number) => void;
  readonly remove: (path: string) => void;
  /** Whether a write would be taken now; until then the octets stay where they are. */
  readonly ready: (fd: number) => boolean;
  /** Resolves when everything taken so far is written; rejects when the disk refuses it. */
  readonly settled: (fd: number) => Promise<void>;
  /** Gives up what was taken and is refused. Returns the position before which the file is right, Infinity when all of it was written. */
  readonly giveUp: (fd: number) => number;
}

/** How often the audio of a call is written, and brought to the disk. */
export interface DiskRhythm {
  /** Between two writes: what a killed process loses at most, besides what the kernel has not handed over yet. */
  readonly flushSeconds: number;
  /** Between two fdatasyncs of a file: what a power cut loses at most. */
  readonly syncSeconds: number;
  /** So much audio of a leg is kept while the disk does not take it; what comes then is lost. Default: 60. */
  readonly bufferSeconds?: number;
}

export const USUAL_RHYTHM: DiskRhythm = { flushSeconds: 1, syncSeconds: 10 };

const fdatasyncAsync = promisify(fdatasync);

/** The file system, called and waited for: for a thread that receives see `WriteBehind`. */
export const nodeDisk: AudioDisk = {
  check: (folder) => {
    accessSync(`${folder}/.`, constants.W_OK | constants.X_OK);
  },
  create: (path) => openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o640),
  write: (fd, octets, length, position) => writeSync(fd, octets, 0, length, position),
  read: (fd, octets, length, position) => readSync(fd, octets, 0, length, position),
  truncate: ftruncateSync,
  sync: fdatasyncAsync,
  close: closeSync,
  remove: unlinkSync,
  ready: () => true,
  settled: () => Promise.resolve(),
  giveUp: () => Infinity,
};
