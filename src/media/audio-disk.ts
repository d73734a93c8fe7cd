import {
  accessSync,
  closeSync,
  constants,
  fdatasync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

/** What a capture asks of the file system; a test can let it refuse. Errors are Node's, with their `code`. */
export interface AudioDisk {
  /** Throws or rejects unless the folder can be made, if it is not there: it is asked of the folder above. */
  readonly check: (folder: string) => void | Promise<void>;
  /** Creates a file for reading and writing, and its folder where that is missing; fails when the file exists. */
  readonly create: (path: string) => number;
  /** Writes at a position; returns how many octets were taken. */
  readonly write: (fd: number, octets: Uint8Array, length: number, position: number) => number;
  readonly read: (fd: number, octets: Uint8Array, length: number, position: number) => number;
  readonly truncate: (fd: number, length: number) => void;
  /**
   * Resolves when octets and length of the file are on the disk (fdatasync), and the names by which it is found; asynchronous, because it
   * may take long and other calls go on. Who `isPatient` may hear of it some 20 ms later, where that is cheaper.
   */
  readonly sync: (fd: number, isPatient?: boolean) => Promise<void>;
  readonly close: (fd: number) => void;
  readonly remove: (path: string) => void;
  /** So much is under way at the moment that what can wait should. */
  readonly busy?: boolean;
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
  /** Between two segments of a file that is still growing. Default `SEGMENT_SECONDS`. */
  readonly segmentSeconds?: number;
}

export const USUAL_RHYTHM: DiskRhythm = { flushSeconds: 1, syncSeconds: 10 };

const fdatasyncAsync = promisify(fdatasync);

/** How a file is created and by whom it may be read; its folder alike. */
export const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
export const FILE_MODE = 0o640;
export const FOLDER_MODE = 0o750;

/** The file system, called and waited for, and names left to the kernel: for a thread that receives see `WriteBehind`. */
export const nodeDisk: AudioDisk = {
  check: (folder) => {
    accessSync(`${dirname(folder)}/.`, constants.W_OK | constants.X_OK);
  },
  create: (path) => {
    try {
      return openSync(path, NEW_FILE, FILE_MODE);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      mkdirSync(dirname(path), { mode: FOLDER_MODE });
      return openSync(path, NEW_FILE, FILE_MODE);
    }
  },
  write: (fd, octets, length, position) => writeSync(fd, octets, 0, length, position),
  read: (fd, octets, length, position) => readSync(fd, octets, 0, length, position),
  truncate: ftruncateSync,
  sync: (fd) => fdatasyncAsync(fd),
  close: closeSync,
  remove: unlinkSync,
  ready: () => true,
  settled: () => Promise.resolve(),
  giveUp: () => Infinity,
};
