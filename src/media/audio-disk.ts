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
  /** Throws unless files can be made in the folder. */
  readonly check: (folder: string) => void;
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
}

/** How often the audio of a call is written, and brought to the disk. */
export interface DiskRhythm {
  /** Between two writes: what a killed process loses at most, besides what the kernel has not handed over yet. */
  readonly flushSeconds: number;
  /** Between two fdatasyncs of a file: what a power cut loses at most. */
  readonly syncSeconds: number;
}

export const USUAL_RHYTHM: DiskRhythm = { flushSeconds: 1, syncSeconds: 10 };

const fdatasyncAsync = promisify(fdatasync);

/** The real one. Writes are synchronous: positioned writes into the page cache cost less than a trip to the thread pool. */
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
};
