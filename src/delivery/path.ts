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

/** Octets up to which a file is copied by one read and one write. */
const SMALL = 256 * 1024;
/** Folders. */
const MOST_REMEMBERED = 1000;

/** Where an upload goes. */
interface Place {
  readonly upload: Upload;
  readonly folders: readonly string[];
  readonly folder: string;
  readonly target: string;
}

/** A destination that is a folder of this machine. */
class PathDestination implements Destination {
  readonly name: string;
  readonly #root: string;
  readonly #marker: string | undefined;
  readonly #onProgress: () => void;
  readonly #staleAfter: number;
  readonly #link: (from: string, to: string) => Promise<void>;
  readonly #sweptAt = new Map<string, number>();
  /** Folders that were there when they were last written to. */
  readonly #made = new Set<string>();
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
    await this.#storeStage([upload], signal);
    return copyOf(this.#placeOf(upload));
  }

  async putStages(
    stages: readonly (readonly Upload[])[],
    signal: AbortSignal,
  ): Promise<readonly StoredCopy[]> {
    const copies: StoredCopy[] = [];
    for (const stage of stages) copies.push(...(await this.#storeStage(stage, signal)));
    return copies;
  }

  async extend(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    return this.#extending.after(upload.path, () => this.#extendNow(upload, signal));
  }

  async #extendNow(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    const place = this.#placeOf(upload);
    const { target, folder } = place;
    await this.#inFolders([place], signal, async () => {
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
    });
    return copyOf(place);
  }

  #placeOf(upload: Upload): Place {
    const { folders, name } = splitUploadPath(upload.path);
    const folder = join(this.#root, ...folders);
    return { upload, folders, folder, target: join(folder, name) };
  }

  /** Writes the files beside each other, then names them one after the other. */
  async #storeStage(uploads: readonly Upload[], signal: AbortSignal): Promise<readonly StoredCopy[]> {
    const places = uploads.map((upload) => this.#placeOf(upload));
    if (places.length > 0)
      await this.#inFolders(places, signal, async () => {
        const written = await Promise.allSettled(places.map((place) => this.#written(place, signal)));
        try {
          for (const [at, place] of places.entries())
            await this.#named(place.target, signal, () => this.#nameCopy(place, written[at], signal));
        } finally {
          for (const each of written) if (each.status === 'fulfilled') await removeIfThere(each.value);
        }
      });
    return places.map(copyOf);
  }

  /** A proved copy under a name of its own; undefined when the file is there already. */
  async #written({ upload, folder, target }: Place, signal: AbortSignal): Promise<string | undefined> {
    // A small one is written again sooner than it is looked for: should it be there, naming the copy tells.
    if (upload.size > SMALL && (await isThere(target))) {
      await this.#mustEqual(target, upload, signal);
      return undefined;
    }
    const partial = join(folder, unfinishedName());
    try {
      await writeProvedCopy(upload, partial, { signal, onProgress: this.#onProgress });
      return partial;
    } catch (error) {
      await removeIfThere(partial);
      throw error;
    }
  }

  async #nameCopy(
    { upload, target }: Place,
    written: PromiseSettledResult<string | undefined> | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (written?.status === 'rejected') throw written.reason as Error;
    const partial = written?.value;
    if (partial !== undefined && !(await this.#giveName(partial, target)))
      await this.#mustEqual(target, upload, signal);
  }

  /** Makes the folders, does the work, makes it durable and turns errors into ours. */
  async #inFolders(places: readonly Place[], signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const folders = new Map(places.map((place) => [place.folder, place.folders]));
    await this.#guarded(places[0]?.target ?? this.#root, signal, async () => {
      const remembered = [...folders.keys()].filter((folder) => this.#made.has(folder));
      await this.#prepare(folders);
      try {
        await work();
      } catch (error) {
        if (remembered.length === 0 || !isAbsence(error)) throw error;
        // Somebody has removed a folder that was there.
        for (const folder of remembered) this.#made.delete(folder);
        await this.#prepare(folders);
        await work();
      }
      // Also when it was there already: the crash may have come before this line.
      for (const folder of folders.keys()) await syncFolder(folder);
    });
  }

  async #prepare(folders: ReadonlyMap<string, readonly string[]>): Promise<void> {
    for (const [folder, parts] of folders) {
      if (!this.#made.has(folder)) await this.#makeFolders(parts);
      if (this.#made.size > MOST_REMEMBERED) this.#made.clear();
      this.#made.add(folder);
      await this.#sweep(folder);
    }
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
    return this.#named(target, signal, async () => {
      signal.throwIfAborted();
      if (!(await stat(this.#root)).isDirectory())
        throw permanent('BAD_PATH', `${this.#root} is not a folder`);
      if (this.#marker !== undefined && (await statOrNothing(join(this.#root, this.#marker))) === undefined)
        throw new DeliveryError('UNREACHABLE', `${this.#root} has no ${this.#marker}: it is not mounted`);
      return work();
    });
  }

  /** Turns errors into ours, which name the file. */
  async #named<T>(target: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
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
      await removeIfThere(partial);
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
    if (this.#sweptAt.size > MOST_REMEMBERED) this.#sweptAt.clear();
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

const copyOf = ({ target, upload }: Place): StoredCopy => ({
  location: target,
  proof: 'read-back',
  checksum: `sha256:${upload.sha256}`,
});

/** Whether a file or folder was not there. */
const isAbsence = (error: unknown): boolean =>
  codeOf(error) === 'ENOENT' ||
  (codeOf(error) === 'UNREACHABLE' && codeOf((error as { readonly cause?: unknown }).cause) === 'ENOENT');

async function removeIfThere(path: string | undefined): Promise<void> {
  if (path !== undefined) await unlink(path).catch(() => undefined);
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
export function openPathDestination(
  options: PathOptions,
): Destination & Required<Pick<PathDestination, 'putStages'>> {
  return new PathDestination(options);
}
