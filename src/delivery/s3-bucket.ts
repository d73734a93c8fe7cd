import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type _Object,
  type DeleteMarkerEntry,
  type HeadObjectCommandOutput,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { CopyReference, StoredFile } from '../jobs/destination.ts';
import { DeliveryError, permanent } from './delivery-error.ts';
import { fromS3Error, openS3Client, statusOf, type S3Options } from './s3-client.ts';
import { hashOfBeginning, isAbsent } from './s3-facts.ts';
import { probeS3, type S3Abilities } from './s3-probe.ts';
import { splitUploadPath } from './upload-path.ts';

const LONGEST_KEY = 1024;
/** Trials that were disturbed before the queue has to come back. */
const PROBES = 5;

/** The objects of a bucket below a common beginning of their keys, and what its server can do. */
export class S3Bucket {
  readonly client: S3Client;
  readonly #options: S3Options;
  #abilities: Promise<S3Abilities> | undefined;

  constructor(options: S3Options) {
    this.#options = options;
    this.client = openS3Client(options);
  }

  get name(): string {
    return this.#options.bucket;
  }

  /** Whether nobody on the way can listen. */
  get encrypted(): boolean {
    return !(this.#options.endpoint ?? '').startsWith('http:');
  }

  /** Makes the next question about the abilities try anew. */
  forgetAbilities(): void {
    this.#abilities = undefined;
  }

  open(copy: CopyReference, signal: AbortSignal): Promise<Readable | undefined> {
    return this.guarded(copy.path, signal, async () => {
      try {
        const { Body } = await this.client.send(new GetObjectCommand(this.at(copy)), {
          abortSignal: signal,
        });
        return Body as Readable;
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    });
  }

  list(folder: string, signal: AbortSignal): Promise<readonly StoredFile[]> {
    return this.guarded(folder === '' ? undefined : folder, signal, async () => {
      const { Bucket, Key } = folder === '' ? this.#top() : this.at({ path: folder });
      const Prefix = Key === '' ? '' : `${Key}/`;
      const files: StoredFile[] = [];
      for (let ContinuationToken: string | undefined; ;) {
        const page = await this.client.send(
          new ListObjectsV2Command({ Bucket, Prefix, Delimiter: '/', ContinuationToken }),
          { abortSignal: signal },
        );
        for (const object of page.Contents ?? []) {
          const name = object.Key?.slice(Prefix.length) ?? '';
          if (name !== '' && !name.startsWith('.sealtape-')) files.push(listed(folder, name, object));
        }
        ContinuationToken = page.NextContinuationToken;
        if (ContinuationToken === undefined) return files;
      }
    });
  }

  async head(copy: CopyReference, signal: AbortSignal): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.client.send(new HeadObjectCommand({ ...this.at(copy), ChecksumMode: 'ENABLED' }), {
        abortSignal: signal,
      });
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw await this.#spoken(error, copy, signal);
    }
  }

  /** An answer to HEAD has no body, so that it cannot say what is wrong; one to GET can. */
  async #spoken(error: unknown, copy: CopyReference, signal: AbortSignal): Promise<unknown> {
    if (![301, 400, 403].includes(statusOf(error) ?? 0)) return error;
    try {
      const { Body } = await this.client.send(
        new GetObjectCommand({ ...this.at(copy), Range: 'bytes=0-0' }),
        {
          abortSignal: signal,
        },
      );
      (Body as Readable).destroy();
      return error;
    } catch (told) {
      return isAbsent(told) ? error : told;
    }
  }

  /** Rejects when it is not one file that is missing but the bucket, which an answer to HEAD does not tell. */
  async mustBeThere(copy: CopyReference, signal: AbortSignal): Promise<void> {
    const { Bucket, Key } = this.at(copy);
    await this.client.send(new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 }), {
      abortSignal: signal,
    });
  }

  async hash(copy: CopyReference, length: number, signal: AbortSignal): Promise<string | undefined> {
    const body = await this.open(copy, signal);
    return body === undefined ? undefined : hashOfBeginning(body as AsyncIterable<Buffer>, length);
  }

  /** Ids of all versions and deletion marks of one key, newest first. */
  async versionsOf({ path }: CopyReference, signal: AbortSignal): Promise<readonly string[]> {
    if (!(await this.able(signal)).versions) return [];
    const { Bucket, Key } = this.at({ path });
    const found: (DeleteMarkerEntry | ObjectVersion)[] = [];
    let from: { readonly KeyMarker?: string; readonly VersionIdMarker?: string | undefined } | undefined = {};
    while (from !== undefined) {
      const page: ListObjectVersionsCommandOutput = await this.client.send(
        new ListObjectVersionsCommand({ Bucket, Prefix: Key, ...from }),
        { abortSignal: signal },
      );
      found.push(...(page.DeleteMarkers ?? []), ...(page.Versions ?? []));
      const { IsTruncated, NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
      // Keys come in order, and of all that begin with this one it is the first.
      from = IsTruncated === true && KeyMarker === Key ? { KeyMarker, VersionIdMarker } : undefined;
    }
    return found
      .filter((each) => each.Key === Key)
      .sort((a, b) => (b.LastModified?.getTime() ?? 0) - (a.LastModified?.getTime() ?? 0))
      .flatMap(({ VersionId }) => VersionId ?? []);
  }

  able(signal: AbortSignal): Promise<S3Abilities> {
    const { bucket, objectLock } = this.#options;
    this.#abilities ??= this.#probe(0, signal)
      .then((found) => {
        if (objectLock === 'required' && found.lock === 'no')
          throw permanent('MISCONFIGURED', `the bucket ${bucket} has no Object Lock`);
        return found;
      })
      .catch((error: unknown) => {
        this.#abilities = undefined;
        throw error;
      });
    return this.#abilities;
  }

  /** Recorders that start at the same time try with the same object, and may remove it for each other. */
  async #probe(failures: number, signal: AbortSignal): Promise<S3Abilities> {
    const { bucket, root } = this.#options;
    try {
      return await probeS3(this.client, { bucket, root }, signal);
    } catch (error) {
      if (failures >= PROBES || !(error instanceof DeliveryError) || error.code !== 'MOVED') throw error;
      await delay(Math.random() * 100 * (failures + 1), undefined, { signal });
      return this.#probe(failures + 1, signal);
    }
  }

  async guarded<T>(path: string | undefined, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (path !== undefined) splitUploadPath(path);
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      throw fromS3Error(error, this.locationOf(path ?? ''), signal);
    }
  }

  #top(): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#options.bucket, Key: this.#options.root };
  }

  at({ path, version }: CopyReference): { Bucket: string; Key: string; VersionId?: string } {
    const { Bucket, Key: root } = this.#top();
    const Key = root === '' ? path : `${root}/${path}`;
    if (Buffer.byteLength(Key) > LONGEST_KEY) throw permanent('BAD_PATH', `${Key}: too long for a key`);
    return { Bucket, Key, ...(version !== undefined && { VersionId: version }) };
  }

  locationOf(path: string): string {
    const { Bucket, Key } = this.#top();
    return `s3://${[Bucket, Key, path].filter((part) => part !== '').join('/')}`;
  }
}

const listed = (folder: string, name: string, { Size = 0, LastModified }: _Object): StoredFile => ({
  path: folder === '' ? name : `${folder}/${name}`,
  size: Size,
  ...(LastModified && { modifiedAt: LastModified.getTime() }),
});
