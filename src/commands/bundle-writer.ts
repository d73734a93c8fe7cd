import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

/** Takes the files of a bundle one after the other. */
export interface BundleWriter {
  /** `path` with `/`. Rejects as the disk or the source does. */
  add(path: string, octets: Readable | Buffer): Promise<void>;
  /** Everything is on disk when it resolves. */
  close(): Promise<void>;
  /** Removes what was written. */
  discard(): Promise<void>;
}

/** A folder, or a ZIP file where the name ends so. Nothing that is there is overwritten. */
export const openBundleWriter = (out: string): Promise<BundleWriter> =>
  /\.zip$/i.test(out) ? openZip(out) : openFolder(out);

async function openFolder(out: string): Promise<BundleWriter> {
  await mkdir(out, { recursive: true, mode: 0o700 });
  if ((await readdir(out)).length > 0) throw new Error(`${out} is not empty`);
  return {
    async add(path, octets) {
      const file = join(out, path);
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      await pipeline(streamOf(octets), createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true }));
    },
    close: () => Promise.resolve(),
    discard: () => rm(out, { recursive: true, force: true }),
  };
}

async function openZip(out: string): Promise<BundleWriter> {
  const file = await open(out, 'wx', 0o600);
  const zip = new ZipFile();
  const written = pipeline(zip.outputStream, file.createWriteStream({ flush: true }));
  // Told of when it is closed.
  written.catch(() => undefined);
  return {
    async add(path, octets) {
      const stream = streamOf(octets);
      // Audio hardly shrinks, and what is not packed can be repaired.
      zip.addReadStream(stream, path, { compress: false, mtime: new Date(), mode: 0o100600 });
      await Promise.race([finished(stream), written]);
    },
    async close() {
      zip.end();
      await written;
    },
    async discard() {
      await file.close().catch(() => undefined);
      await rm(out, { force: true });
    },
  };
}

const streamOf = (octets: Readable | Buffer): Readable =>
  Buffer.isBuffer(octets) ? Readable.from([octets]) : octets;
