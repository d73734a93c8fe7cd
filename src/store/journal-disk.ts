import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';

/** One open file of the journal. */
export interface JournalFile {
  /** Writes from `position` on; returns how many octets went in, which may be fewer. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  read(length: number, position: number): Promise<Buffer>;
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** The file operations of the journal; a test puts a failing disk in their place. */
export interface JournalDisk {
  makeFolder(path: string): Promise<void>;
  list(folder: string): Promise<readonly string[]>;
  readWhole(path: string): Promise<Buffer>;
  /** `create` empties what is there; `existing` wants the file to be there. */
  open(path: string, how: 'create' | 'existing'): Promise<JournalFile>;
  /** Writes a whole file and flushes it. */
  keep(path: string, bytes: Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
}

/** The real disk. */
export const nodeDisk: JournalDisk = {
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: (folder) => readdir(folder),
  readWhole: (path) => readFile(path),
  open: openFile,
  keep: (path, bytes) => writeFile(path, bytes, { flush: true, mode: 0o600 }),
  remove: (path) => rm(path, { force: true }),
  syncFolder: async (path) => {
    const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
};

async function openFile(path: string, how: 'create' | 'existing'): Promise<JournalFile> {
  const handle = await open(path, how === 'create' ? 'w+' : 'r+', 0o600);
  return {
    write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
    read: async (length, position) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    },
    datasync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  };
}
