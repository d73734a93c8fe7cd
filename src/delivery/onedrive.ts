import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  Capabilities,
  CopyReference,
  Destination,
  StoredCopy,
  StoredFile,
  Upload,
} from '../jobs/destination.ts';
import { DeliveryError, permanent } from './delivery-error.ts';
import { provedSource } from './file-copy.ts';
import { fromGraphError, GraphClient, GraphRefusal } from './graph-client.ts';
import { GraphDrive, type DriveItem, type DrivePlace } from './graph-drive.ts';
import type { GraphAccount } from './graph-login.ts';
import { GraphUploads, type Sent } from './graph-upload.ts';
import { QuickXorHash } from './quick-xor-hash.ts';
import { Turns } from '../turns.ts';
import { PROBE, splitUploadPath } from './upload-path.ts';
import { UploadSessions } from './upload-sessions.ts';

export interface OneDriveOptions extends GraphAccount {
  readonly name: string;
  readonly place: DrivePlace;
  /** Folder in the library; made when it is missing. '' is the library itself. */
  readonly root: string;
  /** Name of the retention label that every file with a last day gets. */
  readonly retentionLabel?: string | undefined;
  /** PEM file of the authorities of both services' certificates, beside the usual ones. */
  readonly ca?: string | undefined;
  /** Where begun uploads are remembered over a restart. */
  readonly sessionsFile?: string | undefined;
  readonly sessions: number;
  readonly timeoutSeconds: number;
}

/** Up to this many octets a file goes in one request, which is whole or not at all. */
const SMALL = 4 * 1024 * 1024;
/** How often, and how long apart, a checksum is asked for that the service has not made yet. */
const CHECKSUM_TRIES = 3;
const CHECKSUM_PAUSE = 500;
const REPLACE = '?@microsoft.graph.conflictBehavior=replace';
const FAIL = '?@microsoft.graph.conflictBehavior=fail';

/** OneDrive for Business or a SharePoint document library. A file appears under its name when it is whole. */
class OneDriveDestination implements Destination {
  readonly name: string;
  readonly #options: OneDriveOptions;
  readonly #client: GraphClient;
  readonly #drive: GraphDrive;
  readonly #uploads: GraphUploads;
  readonly #turns = new Turns();

  constructor(options: OneDriveOptions) {
    this.name = options.name;
    this.#options = options;
    // One connection for every file under way, and one for what is asked beside it.
    this.#client = new GraphClient(options, { ...options, sockets: options.sessions * 2 });
    this.#drive = new GraphDrive(this.#client, options.place, options.root);
    this.#uploads = new GraphUploads(this.#client, new UploadSessions(options.sessionsFile));
  }

  put(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    return this.#inTurn(upload.path, signal, async () => {
      await this.#drive.makeFolder(splitUploadPath(upload.path).folders, signal);
      const sent = await this.#sendNew(upload, signal);
      const copy =
        sent === undefined
          ? await this.#equal(upload, signal)
          : await this.#proved(upload, { ...sent, isNew: true }, signal);
      await this.#labelled(upload, copy.id, signal);
      return copy.stored;
    });
  }

  extend(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    return this.#inTurn(upload.path, signal, async () => {
      const there = await this.#drive.item(upload.path, signal);
      if (there === undefined) {
        await this.#drive.makeFolder(splitUploadPath(upload.path).folders, signal);
        const sent = await this.#sendNew(upload, signal);
        if (sent === undefined)
          throw new DeliveryError('MOVED', `${upload.path} appeared while it was being written`);
        return (await this.#proved(upload, { ...sent, isNew: true }, signal)).stored;
      }
      if ((await this.#continues(upload, there, signal)) === 'done')
        return this.#copyOf(upload, there, { proof: 'read-back', quick: undefined, signal });
      const sent = await this.#sendOver(upload, there, signal);
      if (sent === undefined)
        throw new DeliveryError('MOVED', `${upload.path} is being written by somebody else`);
      return (await this.#proved(upload, { ...sent, isNew: false }, signal)).stored;
    });
  }

  open(copy: CopyReference, signal: AbortSignal): Promise<Readable | undefined> {
    return this.#guarded(copy.path, signal, async () => {
      const item = await this.#file(copy, signal);
      return item === undefined ? undefined : this.#drive.open(item.id, signal);
    });
  }

  stat(copy: CopyReference, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.#guarded(copy.path, signal, async () => {
      const item = await this.#file(copy, signal);
      return item === undefined ? undefined : factsOf(copy.path, item);
    });
  }

  list(folder: string, signal: AbortSignal): Promise<readonly StoredFile[]> {
    return this.#guarded(folder === '' ? undefined : folder, signal, async () =>
      (await this.#drive.children(folder, signal))
        .filter(({ file, name }) => file !== undefined && !name.startsWith('.sealtape-'))
        .map((item) => factsOf(folder === '' ? item.name : `${folder}/${item.name}`, item))
        .sort((a, b) => (a.path < b.path ? -1 : 1)),
    );
  }

  remove(copy: CopyReference, signal: AbortSignal): Promise<boolean> {
    return this.#guarded(copy.path, signal, async () => {
      const item = await this.#file(copy, signal);
      const result = item === undefined ? 'absent' : await this.#drive.remove(item.id, signal);
      if (result === 'kept')
        throw permanent('LOCKED', `${copy.path} is kept by a retention label or a hold of the library`);
      return result === 'removed';
    });
  }

  setRetention(): Promise<void> {
    return Promise.reject(
      permanent('UNSUPPORTED', `${this.name}: how long a label keeps files is set in Microsoft Purview`),
    );
  }

  setHold(): Promise<void> {
    return this.setRetention();
  }

  capabilities(signal: AbortSignal): Promise<Capabilities> {
    return this.#guarded(undefined, signal, async () => {
      // Asked for by a person, or at a start: the answer of today counts.
      this.#drive.forget();
      const { driveType, quota } = await this.#drive.find(signal);
      await this.#drive.makeFolder([], signal);
      const { atomicCreate, checksum, label } = await this.#probe(signal);
      const { retentionLabel } = this.#options;
      return {
        lock: retentionLabel === undefined ? 'none' : 'label',
        atomicCreate,
        encryption: 'tls',
        serverChecksum: checksum,
        remarks: [
          ...(driveType === 'personal'
            ? ['a personal OneDrive: made for one person, not for an archive']
            : []),
          ...(quota?.state === undefined || quota.state === 'normal'
            ? []
            : [
                `room: ${quota.state}${quota.remaining === undefined ? '' : `, ${quota.remaining} octets left`}`,
              ]),
          ...(retentionLabel === undefined ? [] : [`files with a last day get the label ${retentionLabel}`]),
          ...(label === '' ? [] : [`the library gives new files the label ${label} by itself`]),
          ...(checksum ? [] : ['no checksums are told: every copy is read back']),
        ],
      };
    });
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  /** Undefined when the name is taken. */
  async #sendNew(upload: Upload, signal: AbortSignal): Promise<Sent | undefined> {
    if (upload.size > SMALL) {
      const at = await this.#drive.at(upload.path, signal, 'createUploadSession');
      return this.#uploads.send(upload, { at, conflict: 'fail', deferCommit: true }, signal);
    }
    const at = `${await this.#drive.at(upload.path, signal, 'content')}${FAIL}`;
    return this.#sendWhole(upload, { at }, signal);
  }

  /** Replaces the very version that was looked at. */
  async #sendOver(upload: Upload, there: DriveItem, signal: AbortSignal): Promise<Sent | undefined> {
    const ifMatch = there.eTag;
    if (upload.size > SMALL) {
      const at = await this.#drive.at(upload.path, signal, 'createUploadSession');
      const start = { at, conflict: 'replace', deferCommit: false, ifMatch } as const;
      return this.#uploads.send(upload, start, signal);
    }
    const at = `${await this.#drive.at(upload.path, signal, 'content')}${REPLACE}`;
    return this.#sendWhole(upload, { at, ifMatch }, signal);
  }

  async #sendWhole(
    upload: Upload,
    { at, ifMatch }: { readonly at: string; readonly ifMatch?: string | undefined },
    signal: AbortSignal,
  ): Promise<Sent | undefined> {
    const parts: Buffer[] = [];
    for await (const part of provedSource(upload, signal)) parts.push(part);
    const body = Buffer.concat(parts);
    const headers = {
      'Content-Type': 'application/octet-stream',
      ...(ifMatch !== undefined && { 'If-Match': ifMatch }),
    };
    try {
      const item = (await this.#client.ask({ method: 'PUT', at, headers, body }, signal)) as DriveItem;
      return { item, quick: new QuickXorHash().update(body).digest() };
    } catch (error) {
      if (error instanceof GraphRefusal && error.status === 409) return undefined;
      throw error;
    }
  }

  /** What the service has under the name is what we sent, by its own checksum, or by reading it back where it tells none. */
  async #proved(
    upload: Upload,
    { item, quick, isNew }: Sent & { readonly isNew: boolean },
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly stored: StoredCopy }> {
    const found = await this.#withChecksum(item, signal);
    const told = toldOf(found);
    const same =
      found.size === upload.size &&
      (told === undefined
        ? (await this.#hash(found, upload.size, signal)) === upload.sha256
        : told === quick);
    if (!same) {
      // It is ours and it is wrong: left there it would keep the right one out. Of a file that grew the library has the former versions.
      if (isNew) await this.#drive.remove(found.id, signal).catch(() => undefined);
      throw new DeliveryError('NOT_PROVED', `${upload.path}: what is there is not what was sent`);
    }
    const proof = told === undefined ? 'read-back' : 'server-checksum';
    return { id: found.id, stored: await this.#copyOf(upload, found, { proof, quick: told, signal }) };
  }

  /**
   * A file that was there before. Its checksum can tell that it is another; that it is the same is told by SHA-256 alone, since a file
   * with a given QuickXorHash is easily made.
   */
  async #equal(
    upload: Upload,
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly stored: StoredCopy }> {
    const there = await this.#drive.item(upload.path, signal);
    if (there === undefined)
      throw new DeliveryError(
        'MOVED',
        `${upload.path}: another upload holds the name; SharePoint ends it by itself, after a day at most`,
      );
    const same =
      there.file !== undefined &&
      there.size === upload.size &&
      (await this.#hash(there, upload.size, signal)) === upload.sha256;
    if (!same) throw await this.#different(upload.path, signal);
    const quick = toldOf(there);
    return {
      id: there.id,
      stored: await this.#copyOf(upload, there, { proof: 'read-back', quick, signal }),
    };
  }

  async #different(path: string, signal: AbortSignal): Promise<Error> {
    const where = await this.#drive.locationOf(path, signal);
    return permanent('DIFFERENT', `${where} is there with other contents`);
  }

  /** Whether what is there is the beginning of `upload`, or it all and more. */
  async #continues(upload: Upload, there: DriveItem, signal: AbortSignal): Promise<'grows' | 'done'> {
    const length = Math.min(there.size, upload.size);
    const ours = createHash('sha256');
    let bytes = 0;
    for await (const part of provedSource(upload, signal)) {
      ours.update(part.subarray(0, Math.max(0, length - bytes)));
      bytes += part.length;
    }
    if (there.file === undefined || (await this.#hash(there, length, signal)) !== ours.digest('hex'))
      throw await this.#different(upload.path, signal);
    return there.size >= upload.size ? 'done' : 'grows';
  }

  async #labelled(upload: Upload, id: string, signal: AbortSignal): Promise<void> {
    const { retentionLabel } = this.#options;
    if (retentionLabel === undefined || upload.retention === undefined) return;
    const where = `${upload.path}: the label ${retentionLabel}`;
    try {
      if ((await this.#drive.label(id, signal)).name === retentionLabel) return;
      await this.#drive.setLabel(id, retentionLabel, signal);
    } catch (error) {
      if (!(error instanceof GraphRefusal) || error.status >= 500 || error.status === 429) throw error;
      throw permanent('LOCK_REFUSED', `${where} was refused: ${error.message}`, { cause: error });
    }
    const { name = '' } = await this.#drive.label(id, signal);
    if (name !== retentionLabel)
      throw permanent('LOCK_REFUSED', `${where} was set, but the file has ${name === '' ? 'none' : name}`);
  }

  /** The file that is meant: with a version it must still be the same item, whatever was changed about it since. */
  async #file({ path, version }: CopyReference, signal: AbortSignal): Promise<DriveItem | undefined> {
    const item = await this.#drive.item(path, signal);
    if (item?.file === undefined) return undefined;
    const meant = identityOf(version);
    const found = identityOf(item.eTag);
    return meant === undefined || found === undefined || meant === found ? item : undefined;
  }

  /** SharePoint makes the checksum after the upload; mostly it is there at once. */
  async #withChecksum(item: DriveItem, signal: AbortSignal): Promise<DriveItem> {
    let found = item;
    for (let tries = 0; tries < CHECKSUM_TRIES && found.size > 0 && toldOf(found) === undefined; tries += 1) {
      if (tries > 0) await delay(CHECKSUM_PAUSE, undefined, { signal });
      found = await this.#drive.itemById(item.id, signal);
    }
    return found;
  }

  /** SHA-256, hex, of the first octets; undefined when there are fewer. */
  async #hash({ id }: DriveItem, length: number, signal: AbortSignal): Promise<string | undefined> {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const part of (await this.#drive.open(id, signal)) as AsyncIterable<Buffer>) {
      hash.update(part.subarray(0, Math.max(0, length - bytes)));
      bytes += part.length;
    }
    return bytes < length ? undefined : hash.digest('hex');
  }

  async #copyOf(
    upload: Upload,
    item: DriveItem,
    {
      proof,
      quick,
      signal,
    }: {
      readonly proof: StoredCopy['proof'];
      readonly quick: string | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<StoredCopy> {
    return {
      location: await this.#drive.locationOf(upload.path, signal),
      proof,
      checksum: quick === undefined ? `sha256:${upload.sha256}` : `quickxor:${quick}`,
      ...(item.eTag !== undefined && { version: item.eTag }),
    };
  }

  /** Finds out by trying whether a file that is there is left alone, and whether checksums are told. The probe is removed. */
  async #probe(
    signal: AbortSignal,
  ): Promise<{ readonly atomicCreate: boolean; readonly checksum: boolean; readonly label: string }> {
    const at = `${await this.#drive.at(PROBE, signal, 'content')}${FAIL}`;
    const body = Buffer.from('Sealtape looks what this library can do.\n');
    const put = async (): Promise<boolean> => {
      try {
        await this.#client.ask({ method: 'PUT', at, body }, signal);
        return true;
      } catch (error) {
        if (error instanceof GraphRefusal && error.status === 409) return false;
        throw error;
      }
    };
    await put();
    const replaced = await put();
    const item = await this.#drive.item(PROBE, signal);
    if (item === undefined)
      throw new DeliveryError('NOT_PROVED', `${PROBE} is not there after it was stored`);
    const checksum = toldOf(await this.#withChecksum(item, signal)) !== undefined;
    // Labels may be hidden from an application that does not set any.
    const { name: label = '' } = await this.#drive.label(item.id, signal).catch(() => ({ name: '' }));
    await this.#drive.remove(item.id, signal).catch(() => undefined);
    return { atomicCreate: !replaced, checksum, label };
  }

  #inTurn<T>(path: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return this.#guarded(path, signal, () => this.#turns.after(path, work));
  }

  async #guarded<T>(path: string | undefined, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (path !== undefined) splitUploadPath(path);
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      // Whatever went wrong, a folder may be gone that we believe to be there.
      this.#drive.forgetFolders();
      throw fromGraphError(error, `${this.name}: ${path ?? this.#options.root}`, signal);
    }
  }
}

const toldOf = (item: DriveItem): string | undefined => item.file?.hashes?.quickXorHash;

const factsOf = (path: string, { size, eTag, lastModifiedDateTime: changed }: DriveItem): StoredFile => ({
  path,
  size,
  ...(changed !== undefined && { modifiedAt: Date.parse(changed) }),
  ...(eTag !== undefined && { version: eTag }),
});

/** SharePoint's eTags are `"{id of the item},number of changes"`: the id stays, the number also grows when a label is set. */
const identityOf = (eTag: string | undefined): string | undefined =>
  /^"?\{?([0-9A-Fa-f-]{36})\}?,\d+"?$/.exec(eTag ?? '')?.[1]?.toLowerCase();

/** OneDrive for Business and SharePoint document libraries, through Microsoft Graph or that of a national cloud. */
export const openOneDriveDestination = (options: OneDriveOptions): Destination =>
  new OneDriveDestination(options);
