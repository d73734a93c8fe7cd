import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type {
  Capabilities,
  CopyReference,
  Destination,
  StoredCopy,
  StoredFile,
  Upload,
} from '../jobs/destination.ts';
import { DeliveryError, permanent } from './delivery-error.ts';
import { readSource } from './file-copy.ts';
import { isUnfinished, splitUploadPath, unfinishedName } from './upload-path.ts';
import { Turns } from '../turns.ts';

export interface RemoteFacts {
  readonly size: number;
  /** Epoch milliseconds by the server's clock. */
  readonly modifiedAt?: number;
}

/**
 * A file server, one request a method. Paths are below the root, with `/`, and were checked. Errors are DeliveryError or
 * PermanentUploadError; an aborted request rejects with DeliveryError ABORTED.
 */
export interface RemoteTree {
  /** For people, without credentials. */
  locationOf(path: string): string;
  stat(path: string, signal: AbortSignal): Promise<RemoteFacts | undefined>;
  /** Makes the folder and those above it; fine when they are there. */
  makeFolder(folder: string, signal: AbortSignal): Promise<void>;
  /** Writes a new file, refusing one that is there, and resolves when the server has it for good, as far as it can tell. */
  create(path: string, upload: Upload, signal: AbortSignal): Promise<void>;
  /** Undefined when there is no such file. */
  open(path: string, signal: AbortSignal): Promise<Readable | undefined>;
  /** False when the new name is taken. Never replaces. */
  rename(from: string, to: string, signal: AbortSignal): Promise<boolean>;
  /** Whether the server offers, and lets us, rename over a file that is there. */
  replaces(signal: AbortSignal): Promise<boolean>;
  replace(from: string, to: string, signal: AbortSignal): Promise<void>;
  /** Writes what `upload` has from octet `at` on to the end of a file of so many octets, durably. */
  append(path: string, at: number, upload: Upload, signal: AbortSignal): Promise<void>;
  list(folder: string, signal: AbortSignal): Promise<readonly (RemoteFacts & { readonly name: string })[]>;
  remove(path: string, signal: AbortSignal): Promise<void>;
  capabilities(signal: AbortSignal): Promise<Capabilities>;
  close(): Promise<void>;
}

const STALE_AFTER = 3_600_000;
/** What a clean-up after a failure may take; the failure itself is what the caller hears of. */
const CLEANING_WITHIN = 15_000;

/** A file server as archive: unfinished name, read-back, rename without replacing. */
class TreeDestination implements Destination {
  readonly name: string;
  readonly #tree: RemoteTree;
  /** The same tree for whoever may remove. */
  readonly #remover: RemoteTree;
  readonly #made = new Set<string>();
  /** When the folders that were used are looked through for what crashed recorders left unfinished, epoch milliseconds. */
  readonly #sweeps = new Map<string, number>();
  /** Extensions of one file follow one another. */
  readonly #extending = new Turns();

  constructor(name: string, tree: RemoteTree, remover: RemoteTree) {
    this.name = name;
    this.#tree = tree;
    this.#remover = remover;
  }

  async put(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    const { folders } = splitUploadPath(upload.path);
    const there = await this.#tree.stat(upload.path, signal);
    if (there !== undefined) await this.#mustEqual(upload, there, signal);
    else
      await this.#throughPartial(folders, upload, {
        signal,
        finish: async (partial) => {
          if (await this.#tree.rename(partial, upload.path, signal)) return;
          await this.#mustEqual(upload, await this.#tree.stat(upload.path, signal), signal);
          await this.#discard(partial, signal);
        },
      });
    return this.#copyOf(upload);
  }

  async extend(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    const { folders } = splitUploadPath(upload.path);
    await this.#extending.after(upload.path, () => this.#extendNow(folders, upload, signal));
    return this.#copyOf(upload);
  }

  async #extendNow(folders: readonly string[], upload: Upload, signal: AbortSignal): Promise<void> {
    const before = await this.#tree.stat(upload.path, signal);
    const size = before?.size ?? 0;
    const beginning = before === undefined ? undefined : await this.#hash(upload.path, size, signal);
    if (before !== undefined && size >= upload.size) {
      if ((await this.#hash(upload.path, upload.size, signal)) === upload.sha256) return;
      throw different(this.#tree.locationOf(upload.path));
    }
    if (before !== undefined && beginning !== (await hashOfSource(upload, signal)).of(size))
      throw different(this.#tree.locationOf(upload.path));
    await this.#extendBy(folders, upload, { size: before?.size, signal });
  }

  async #extendBy(
    folders: readonly string[],
    upload: Upload,
    { size, signal }: { readonly size: number | undefined; readonly signal: AbortSignal },
  ): Promise<void> {
    const tree = this.#tree;
    if (size !== undefined && !(await tree.replaces(signal))) {
      // An account that may only add: what is there stays, and a cut append is a shorter beginning that the next one continues.
      await tree.append(upload.path, size, upload, signal);
      if ((await this.#hash(upload.path, upload.size, signal)) === upload.sha256) return;
      throw new DeliveryError('NOT_PROVED', `${upload.path}: what is read back is not what was written`);
    }
    await this.#throughPartial(folders, upload, {
      signal,
      finish: async (partial) => {
        if (size !== undefined) await tree.replace(partial, upload.path, signal);
        else if (!(await tree.rename(partial, upload.path, signal)))
          throw new DeliveryError('MOVED', `${upload.path} appeared while it was being written`);
      },
    });
  }

  async open({ path }: CopyReference, signal: AbortSignal): Promise<Readable | undefined> {
    splitUploadPath(path);
    return this.#tree.open(path, signal);
  }

  async stat({ path }: CopyReference, signal: AbortSignal): Promise<StoredFile | undefined> {
    splitUploadPath(path);
    const facts = await this.#tree.stat(path, signal);
    return facts === undefined ? undefined : { path, ...facts };
  }

  async list(folder: string, signal: AbortSignal): Promise<readonly StoredFile[]> {
    if (folder !== '') splitUploadPath(folder);
    const found = await this.#tree.list(folder, signal);
    return found
      .filter(({ name }) => !isUnfinished(name))
      .map(({ name, ...facts }) => ({ path: folder === '' ? name : `${folder}/${name}`, ...facts }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async remove(copy: CopyReference, signal: AbortSignal): Promise<boolean> {
    if ((await this.stat(copy, signal)) === undefined) return false;
    await this.#remover.remove(copy.path, signal);
    return true;
  }

  setRetention(): Promise<void> {
    return Promise.reject(permanent('UNSUPPORTED', `${this.name}: this kind of server cannot lock files`));
  }

  setHold(): Promise<void> {
    return this.setRetention();
  }

  capabilities(signal: AbortSignal): Promise<Capabilities> {
    return this.#tree.capabilities(signal);
  }

  async close(): Promise<void> {
    await Promise.all([this.#tree.close(), this.#remover.close()]);
  }

  #copyOf({ path, sha256 }: Upload): StoredCopy {
    return { location: this.#tree.locationOf(path), proof: 'read-back', checksum: `sha256:${sha256}` };
  }

  /** Stores a proved copy under an unfinished name; whatever happens then, the name is gone afterwards where the server lets us. */
  async #throughPartial(
    folders: readonly string[],
    upload: Upload,
    { signal, finish }: { readonly signal: AbortSignal; readonly finish: (partial: string) => Promise<void> },
  ): Promise<void> {
    const folder = folders.join('/');
    await this.#prepare(folder, signal);
    const partial = [...folders, unfinishedName()].join('/');
    try {
      await this.#write(partial, upload, signal);
      await finish(partial);
    } catch (error) {
      this.#made.delete(folder);
      await this.#discard(partial, AbortSignal.timeout(CLEANING_WITHIN));
      throw error;
    }
  }

  async #write(partial: string, upload: Upload, signal: AbortSignal): Promise<void> {
    await this.#tree.create(partial, upload, signal);
    const size = (await this.#tree.stat(partial, signal))?.size;
    if (size === upload.size && (await this.#hash(partial, size, signal)) === upload.sha256) return;
    const source = await hashOfSource(upload, signal);
    if (source.bytes !== upload.size || source.of() !== upload.sha256)
      throw permanent('SOURCE_CHANGED', `the file for ${upload.path} is no longer the one that was sealed`);
    throw new DeliveryError('NOT_PROVED', `${partial}: what is read back is not what was written`);
  }

  /** Makes the folder once, and sweeps those whose time has come. */
  async #prepare(folder: string, signal: AbortSignal): Promise<void> {
    if (!this.#made.has(folder)) {
      if (folder !== '') await this.#tree.makeFolder(folder, signal);
      if (this.#made.size > 1000) this.#made.clear();
      this.#made.add(folder);
    }
    const now = Date.now();
    if (!this.#sweeps.has(folder)) this.#sweeps.set(folder, now);
    // A folder of yesterday, say, gets nothing any more: what was left in its last hour is removed from here.
    for (const [used, at] of this.#sweeps) {
      if (at > now) continue;
      if (used === folder) this.#sweeps.set(folder, now + STALE_AFTER);
      else this.#sweeps.delete(used);
      await this.#sweep(used, now, signal);
    }
  }

  async #sweep(folder: string, now: number, signal: AbortSignal): Promise<void> {
    for (const { name, modifiedAt = Infinity } of await this.#tree.list(folder, signal))
      if (isUnfinished(name) && now - modifiedAt >= STALE_AFTER)
        await this.#discard(folder === '' ? name : `${folder}/${name}`, signal);
  }

  /** Removes what is unfinished; where no account may, it is left for the administrator. */
  async #discard(partial: string, signal: AbortSignal): Promise<void> {
    await this.#remover.remove(partial, signal).catch(() => undefined);
  }

  async #mustEqual(upload: Upload, there: RemoteFacts | undefined, signal: AbortSignal): Promise<void> {
    const same =
      there?.size === upload.size && (await this.#hash(upload.path, upload.size, signal)) === upload.sha256;
    if (!same) throw different(this.#tree.locationOf(upload.path));
  }

  /** SHA-256, hex, of the first `length` octets; undefined when there are fewer. */
  async #hash(path: string, length: number, signal: AbortSignal): Promise<string | undefined> {
    const stream = await this.#tree.open(path, signal);
    if (stream === undefined) return undefined;
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const part of stream as AsyncIterable<Buffer>) {
      hash.update(part.subarray(0, Math.max(0, length - bytes)));
      bytes += part.length;
    }
    return bytes < length ? undefined : hash.digest('hex');
  }
}

const different = (where: string): Error => permanent('DIFFERENT', `${where} is there with other contents`);

/** Length of a source, and the hash of its first octets (all of them by default). Reads on up to a little more than its size. */
async function hashOfSource(
  upload: Upload,
  signal: AbortSignal,
): Promise<{ readonly bytes: number; readonly of: (length?: number) => string | undefined }> {
  const parts: Buffer[] = [];
  const whole = createHash('sha256');
  let bytes = 0;
  for await (const part of readSource(upload, signal)) {
    whole.update(part);
    // Only files that grow are compared by their beginnings; they have 256 entries at most.
    if (bytes < GROWING_LIMIT) parts.push(part);
    bytes += part.length;
    if (bytes > upload.size) break;
  }
  return {
    bytes,
    of: (length) => {
      if (length === undefined) return whole.copy().digest('hex');
      if (length > bytes) return undefined;
      return createHash('sha256').update(Buffer.concat(parts).subarray(0, length)).digest('hex');
    },
  };
}

const GROWING_LIMIT = 4_000_000;

/**
 * A destination made of a file server. `remover` is the same server for an account that may remove, used for nothing else; without one `tree`
 * does it. Closing closes both.
 */
export const openTreeDestination = (name: string, tree: RemoteTree, remover = tree): Destination =>
  new TreeDestination(name, tree, remover);
