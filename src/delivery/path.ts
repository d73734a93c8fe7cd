import { constants, type BigIntStats } from 'node:fs';
import { link, lstat, mkdir, open, readdir, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type {
  Capabilities,
  CopyReference,
  Destination,
  StoredCopy,
  StoredFile,
  Upload,
} from '../jobs/destination.ts';
import { codeOf, DeliveryError, fromFileError, permanent } from './delivery-error.ts';
import { hashOfBeginning, writeProvedCopy } from './file-copy.ts';
import { isUnfinished, splitUploadPath, unfinishedName } from './upload-path.ts';
import { Turns } from '../turns.ts';

export interface PathOptions {
  readonly name: string;
  /** An existing folder: local, or a share that the operator mounted. It is never made, lest a missing mount goes unnoticed. */
  readonly root: string;
  /** A file directly in the root without which nothing is stored: proof that the right share is mounted there. */
  readonly marker?: string | undefined;
  /** Milliseconds after which an unfinished copy that nobody writes to is removed. Default ten minutes. */
  readonly staleAfter?: number;
  /** Creates a second name for a file; a test replaces it to stand for a file system that cannot. */
  readonly linkFile?: (from: string, to: string) => Promise<void>;
  /** Called whenever octets have moved. */
  readonly onProgress?: () => void;
}

const NO_LINKS = /^(EPERM|ENOTSUP|EOPNOTSUPP|ENOSYS|EMLINK)$/;

/** A destination that is a folder of this machine. */
class PathDestination implements Destination {
  readonly name: string;
  readonly #root: string;
  readonly #marker: string | undefined;
  readonly #onProgress: () => void;
  readonly #staleAfter: number;
  readonly #link: (from: string, to: string) => Promise<void>;
  readonly #sweptAt = new Map<string, number>();
  /** Extensions of one file follow one another. */
  readonly #extending = new Turns();

  constructor(options: PathOptions) {
    this.name = options.name;
    this.#root = resolve(options.root);
    this.#staleAfter = options.staleAfter ?? 600_000;
    this.#marker = options.marker;
    this.#link = options.linkFile ?? link;
    this.#onProgress = options.onProgress ?? (() => undefined);
  }

  async put(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    return this.#at(upload, signal, async (target, folder) => {
      if (await isThere(target)) return this.#mustEqual(target, upload, signal);
      await this.#throughPartial(folder, async (partial) => {
        await writeProvedCopy(upload, partial, { signal, onProgress: this.#onProgress });
        if (!(await this.#giveName(partial, target))) await this.#mustEqual(target, upload, signal);
      });
      return undefined;
    });
  }

  async extend(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    return this.#extending.after(upload.path, () => this.#extendNow(upload, signal));
  }

  async #extendNow(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    return this.#at(upload, signal, async (target, folder) => {
      const before = await statOrNothing(target);
      const size = Number(before?.size ?? 0);
      if (before !== undefined && size >= upload.size) return this.#mustBegin(target, upload, signal);
      await this.#throughPartial(folder, async (partial) => {
        const beginning = await writeProvedCopy(upload, partial, {
          signal,
          prefix: size,
          onProgress: this.#onProgress,
        });
        if (before === undefined) {
          if (await this.#giveName(partial, target)) return;
          throw new DeliveryError('MOVED', `${target} appeared while it was being written`);
        }
        if (beginning !== (await this.#hash(target, size, signal)))
          throw permanent('DIFFERENT', `${target} is not the beginning of what is to be stored there`);
        const now = await statOrNothing(target);
        if (now?.ino !== before.ino || now.size !== before.size || now.mtimeNs !== before.mtimeNs)
          throw new DeliveryError('MOVED', `${target} changed while it was being extended`);
        await rename(partial, target);
      });
      return undefined;
    });
  }

  /** Checks the path, makes the folders, does the work, makes it durable and turns errors into ours. */
  async #at(
    upload: Upload,
    signal: AbortSignal,
    work: (target: string, folder: string) => Promise<void>,
  ): Promise<StoredCopy> {
    const { folders, name } = splitUploadPath(upload.path);
    const folder = join(this.#root, ...folders);
    const target = join(folder, name);
    await this.#guarded(target, signal, async () => {
      await this.#makeFolders(folders);
      await this.#sweep(folder);
      await work(target, folder);
      // Also when it was there already: the crash may have come before this line.
      await syncFolder(folder);
    });
    return { location: target, proof: 'read-back', checksum: `sha256:${upload.sha256}` };
  }

  async open({ path }: CopyReference, signal: AbortSignal): Promise<Readable | undefined> {
    const target = this.#targetOf(path);
    return this.#guarded(target, signal, async () => {
      const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW).catch(unlessAbsent);
      return file?.createReadStream();
    });
  }

  async stat({ path }: CopyReference, signal: AbortSignal): Promise<StoredFile | undefined> {
    const target = this.#targetOf(path);
    return this.#guarded(target, signal, async () => {
      const found = await statOrNothing(target);
      return found?.isFile() === true ? storedFile(path, found) : undefined;
    });
  }

  async list(folder: string, signal: AbortSignal): Promise<readonly StoredFile[]> {
    const within = folder === '' ? this.#root : this.#targetOf(folder);
    return this.#guarded(within, signal, async () => {
      const names = (await readdir(within).catch(unlessAbsent)) ?? [];
      const files: StoredFile[] = [];
      for (const name of names.sort()) {
        const found = isUnfinished(name) ? undefined : await statOrNothing(join(within, name));
        if (found?.isFile() === true)
          files.push(storedFile(folder === '' ? name : `${folder}/${name}`, found));
      }
      return files;
    });
  }

  async remove({ path }: CopyReference, signal: AbortSignal): Promise<boolean> {
    const target = this.#targetOf(path);
    return this.#guarded(target, signal, async () => {
      if ((await statOrNothing(target)) === undefined) return false;
      await unlink(target);
      await syncFolder(dirname(target));
      return true;
    });
  }

  setRetention(): Promise<void> {
    return Promise.reject(permanent('UNSUPPORTED', `${this.name}: a folder cannot lock files`));
  }

  setHold(): Promise<void> {
    return this.setRetention();
  }

  async capabilities(signal: AbortSignal): Promise<Capabilities> {
    return this.#guarded(this.#root, signal, async () => {
      const atomicCreate = await this.#throughPartial(this.#root, async (partial) => {
        await writeFile(partial, '', { flag: 'wx', mode: 0o640 });
        const second = join(this.#root, unfinishedName());
        const linked = await this.#link(partial, second).then(
          () => true,
          () => false,
        );
        await unlink(second).catch(() => undefined);
        return linked;
      });
      const remarks =
        this.#marker === undefined ? ['no marker file: a share that is not mounted is not noticed'] : [];
      return { lock: 'none', atomicCreate, encryption: 'none', serverChecksum: false, remarks };
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #targetOf(path: string): string {
    const { folders, name } = splitUploadPath(path);
    return join(this.#root, ...folders, name);
  }

  /** Looks that the right root is there, does the work, turns errors into ours. */
  async #guarded<T>(target: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      signal.throwIfAborted();
      if (!(await stat(this.#root)).isDirectory())
        throw permanent('BAD_PATH', `${this.#root} is not a folder`);
      if (this.#marker !== undefined && (await statOrNothing(join(this.#root, this.#marker))) === undefined)
        throw new DeliveryError('UNREACHABLE', `${this.#root} has no ${this.#marker}: it is not mounted`);
      return await work();
    } catch (error) {
      if (signal.aborted && error === signal.reason)
        throw new DeliveryError('ABORTED', target, { cause: error });
      throw fromFileError(error, target);
    }
  }

  #hash(path: string, length: number, signal: AbortSignal): Promise<string | undefined> {
    return hashOfBeginning(path, length, { signal, onProgress: this.#onProgress });
  }

  async #makeFolders(folders: readonly string[]): Promise<void> {
    let parent = this.#root;
    for (const folder of folders) {
      const path = join(parent, folder);
      try {
        await mkdir(path, { mode: 0o750 });
        await syncFolder(parent);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      parent = path;
    }
  }

  async #throughPartial<T>(folder: string, work: (partial: string) => Promise<T>): Promise<T> {
    const partial = join(folder, unfinishedName());
    try {
      return await work(partial);
    } finally {
      await unlink(partial).catch(() => undefined);
    }
  }

  /** False when the name is taken. Never overwrites. */
  async #giveName(partial: string, target: string): Promise<boolean> {
    try {
      await this.#link(partial, target);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      if (!NO_LINKS.test(codeOf(error))) throw error;
    }
    // No hard links here (FAT, some shares). Looking first leaves a moment for a second writer; names carry the recording's
    // own random digits, so only another copy of the same recording can be meant, and that has the same bytes.
    if (await isThere(target)) return false;
    await rename(partial, target);
    return true;
  }

  async #mustEqual(target: string, upload: Upload, signal: AbortSignal): Promise<void> {
    const there = await statOrNothing(target);
    if (Number(there?.size) !== upload.size)
      throw permanent('DIFFERENT', `${target} is there with another size`);
    await this.#mustBegin(target, upload, signal);
  }

  async #mustBegin(target: string, upload: Upload, signal: AbortSignal): Promise<void> {
    if ((await this.#hash(target, upload.size, signal)) !== upload.sha256)
      throw permanent('DIFFERENT', `${target} is there with other contents`);
  }

  /**
   * Removes what crashed recorders left unfinished; a copy that is being written has a young time stamp. Looks when a folder is
   * first written to and from time to time after, since such a folder may hold many thousand names.
   */
  async #sweep(folder: string): Promise<void> {
    const now = Date.now();
    if (now - (this.#sweptAt.get(folder) ?? -Infinity) < this.#staleAfter) return;
    if (this.#sweptAt.size > 1000) this.#sweptAt.clear();
    this.#sweptAt.set(folder, now);
    for (const name of await readdir(folder)) {
      if (!isUnfinished(name)) continue;
      const path = join(folder, name);
      const found = await statOrNothing(path);
      if (found !== undefined && now - Number(found.mtimeMs) > this.#staleAfter)
        await unlink(path).catch(() => undefined);
    }
  }
}

const storedFile = (path: string, { size, mtimeMs }: BigIntStats): StoredFile => ({
  path,
  size: Number(size),
  modifiedAt: Number(mtimeMs),
});

function unlessAbsent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

const isThere = async (path: string): Promise<boolean> => (await statOrNothing(path)) !== undefined;

async function statOrNothing(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** fsync of a folder; some shares do not know it, and then there is nothing more to be done. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } catch (error) {
    if (!/^(EINVAL|ENOTSUP|EOPNOTSUPP|EBADF)$/.test(codeOf(error))) throw error;
  } finally {
    await folder.close();
  }
}

/**
 * A folder as archive: `put` links a proved copy to its name, so a crash leaves the whole file or none. Errors are
 * PermanentUploadError (cause: DeliveryError) or DeliveryError; see `delivery-error.ts` for which is which.
 */
export function openPathDestination(options: PathOptions): Destination {
  return new PathDestination(options);
}
