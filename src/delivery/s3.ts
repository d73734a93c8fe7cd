import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  DeleteObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  type HeadObjectCommandOutput,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import type {
  Capabilities,
  CopyReference,
  Destination,
  Retention,
  StoredCopy,
  StoredFile,
  Upload,
} from '../jobs/destination.ts';
import { DeliveryError, isOurs, permanent } from './delivery-error.ts';
import { provedSource } from './file-copy.ts';
import { S3Bucket } from './s3-bucket.ts';
import { MOST_AT_ONCE, statusOf, wordOf, type S3Options } from './s3-client.ts';
import { factsOf, hashOfBeginning, isLocked, lockOf, toldChecksum } from './s3-facts.ts';
import { putCommand, type S3Abilities } from './s3-probe.ts';
import { Turns } from '../turns.ts';

/** Servers may keep a date to the second. */
const SECOND = 1000;

interface Sending {
  readonly abilities: S3Abilities;
  readonly signal: AbortSignal;
}

/** A bucket. An object is there whole or not at all, so there are no unfinished names. */
class S3Destination implements Destination {
  readonly name: string;
  readonly #bucket: S3Bucket;
  readonly #turns = new Turns();

  constructor(options: S3Options) {
    this.name = options.name;
    this.#bucket = new S3Bucket(options);
  }

  put(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    return this.#inTurn(upload, signal, async (sending) => {
      // A server that obeys If-None-Match tells by itself, at the price of a small body sent in vain when the file is there.
      const asks = !sending.abilities.atomicCreate || upload.size > MOST_AT_ONCE;
      const there = asks ? await this.#bucket.head(upload, signal) : undefined;
      if (there !== undefined) return this.#equal(upload, there, sending);
      const sent = await this.#send(upload, { IfNoneMatch: '*' }, sending);
      if (sent === undefined) return this.#equal(upload, await this.#bucket.head(upload, signal), sending);
      const { atomicCreate, versions } = sending.abilities;
      if (!atomicCreate && versions) await this.#mustBeFirst(upload, sent.version, signal);
      return this.#proved(upload, sent, sending);
    });
  }

  extend(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    return this.#inTurn(upload, signal, async (sending) => {
      const there = await this.#bucket.head(upload, signal);
      if (there !== undefined && (await this.#continues(upload, there, signal)) === 'done')
        return this.#copyOf(upload, factsOf(there), 'read-back');
      // Not If-Match: a log has one writer, and servers that know If-None-Match may not know it.
      const condition = there === undefined ? { IfNoneMatch: '*' } : {};
      const sent = await this.#send(upload, condition, sending);
      if (sent === undefined)
        throw new DeliveryError('MOVED', `${upload.path} changed while it was being extended`);
      return this.#proved(upload, sent, sending);
    });
  }

  open(copy: CopyReference, signal: AbortSignal): Promise<Readable | undefined> {
    return this.#bucket.open(copy, signal);
  }

  list(folder: string, signal: AbortSignal): Promise<readonly StoredFile[]> {
    return this.#bucket.list(folder, signal);
  }

  stat(copy: CopyReference, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.#bucket.guarded(copy.path, signal, async () => {
      const head = await this.#bucket.head(copy, signal);
      if (head !== undefined) return { path: copy.path, ...factsOf(head) };
      await this.#bucket.mustBeThere(copy, signal);
      return undefined;
    });
  }

  remove(copy: CopyReference, signal: AbortSignal): Promise<boolean> {
    return this.#bucket.guarded(copy.path, signal, async () => {
      const versions =
        copy.version === undefined ? await this.#bucket.versionsOf(copy, signal) : [copy.version];
      let removed = false;
      for (const version of versions.length === 0 ? [undefined] : versions) {
        const one = { path: copy.path, ...(version !== undefined && { version }) };
        const head = await this.#bucket.head(one, signal);
        try {
          await this.#bucket.client.send(new DeleteObjectCommand(this.#bucket.at(one)), {
            abortSignal: signal,
          });
        } catch (error) {
          throw head !== undefined && isLocked(factsOf(head))
            ? permanent('LOCKED', `${this.#bucket.locationOf(copy.path)} is kept by its lock`, {
                cause: error,
              })
            : error;
        }
        removed ||= head !== undefined;
      }
      return removed;
    });
  }

  setRetention(copy: CopyReference, { until, mode }: Retention, signal: AbortSignal): Promise<void> {
    const Retention = {
      Mode: mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE',
      RetainUntilDate: new Date(until),
    } as const;
    return this.#locking(copy, signal, () =>
      this.#bucket.client.send(new PutObjectRetentionCommand({ ...this.#bucket.at(copy), Retention }), {
        abortSignal: signal,
      }),
    );
  }

  setHold(copy: CopyReference, on: boolean, signal: AbortSignal): Promise<void> {
    const LegalHold = { Status: on ? 'ON' : 'OFF' } as const;
    return this.#locking(copy, signal, () =>
      this.#bucket.client.send(new PutObjectLegalHoldCommand({ ...this.#bucket.at(copy), LegalHold }), {
        abortSignal: signal,
      }),
    );
  }

  capabilities(signal: AbortSignal): Promise<Capabilities> {
    return this.#bucket.guarded(undefined, signal, async () => {
      // Asked for by a person, or at a start: the answer of today counts.
      this.#bucket.forgetAbilities();
      const { lock, atomicCreate, checksBody, tellsChecksum, versions } = await this.#bucket.able(signal);
      const remarks = [
        ...(lock === 'unknown'
          ? ['the account may not read the Object Lock configuration; a lock will be tried']
          : []),
        ...(versions ? [] : ['no versions are kept']),
        ...(tellsChecksum ? [] : ['SHA-256 checksums of objects are not kept']),
        ...(checksBody || tellsChecksum ? [] : ['wrong checksums are accepted: every copy is read back']),
      ];
      const encryption = this.#bucket.encrypted ? 'tls' : 'none';
      const serverChecksum = checksBody || tellsChecksum;
      return {
        lock: lock === 'no' ? 'none' : 'object-lock',
        atomicCreate,
        encryption,
        serverChecksum,
        remarks,
      };
    });
  }

  close(): Promise<void> {
    this.#bucket.client.destroy();
    return Promise.resolve();
  }

  #inTurn(
    upload: Upload,
    signal: AbortSignal,
    work: (sending: Sending) => Promise<StoredCopy>,
  ): Promise<StoredCopy> {
    return this.#bucket.guarded(upload.path, signal, () =>
      this.#turns.after(upload.path, async () =>
        work({ abilities: await this.#bucket.able(signal), signal }),
      ),
    );
  }

  /** Whether what is there is the beginning of `upload`, or it all and more. */
  async #continues(
    upload: Upload,
    { ContentLength: size = 0 }: HeadObjectCommandOutput,
    signal: AbortSignal,
  ): Promise<'grows' | 'done'> {
    const length = Math.min(size, upload.size);
    const beginning = await hashOfBeginning(provedSource(upload, signal), length);
    if ((await this.#bucket.hash({ path: upload.path }, length, signal)) !== beginning)
      throw permanent('DIFFERENT', `${this.#bucket.locationOf(upload.path)} is there with other contents`);
    return size >= upload.size ? 'done' : 'grows';
  }

  /** Undefined when the condition did not hold. */
  async #send(
    upload: Upload,
    condition: Pick<PutObjectCommandInput, 'IfNoneMatch'>,
    { abilities, signal }: Sending,
  ): Promise<{ readonly version: string | undefined } | undefined> {
    const body =
      upload.size <= MOST_AT_ONCE
        ? await buffer(provedSource(upload, signal))
        : Readable.from(provedSource(upload, signal), { objectMode: false });
    // The client does not look at errors of a body that it sends.
    const broken = new AbortController();
    if (body instanceof Readable)
      body.once('error', (error) => {
        broken.abort(error);
      });
    const input: PutObjectCommandInput = {
      ...this.#bucket.at(upload),
      Body: body,
      ContentLength: upload.size,
      ChecksumSHA256: Buffer.from(upload.sha256, 'hex').toString('base64'),
      ...condition,
      ...(abilities.lock === 'no' ? {} : lockOf(upload)),
    };
    try {
      const { VersionId } = await this.#bucket.client.send(putCommand(input, upload.sha256), {
        abortSignal: AbortSignal.any([signal, broken.signal]),
      });
      return { version: VersionId };
    } catch (error) {
      const cause: unknown = broken.signal.reason;
      if (isOurs(cause)) throw cause;
      if (statusOf(error) === 412) return undefined;
      if (wordOf(error) === 'InvalidRequest' && upload.retention !== undefined)
        throw permanent('LOCK_REFUSED', `${this.#bucket.locationOf(upload.path)}: ${String(error)}`, {
          cause: error,
        });
      throw error;
    } finally {
      if (body instanceof Readable) body.destroy();
    }
  }

  /** How the copy that the server has just taken is proved. */
  async #proved(
    upload: Upload,
    sent: { readonly version: string | undefined },
    sending: Sending,
  ): Promise<StoredCopy> {
    const { abilities, signal } = sending;
    const { path } = upload;
    const copy = { path, ...(sent.version !== undefined && { version: sent.version }) };
    // The server has compared what it stored with the hash; only a lock, be it the bucket's own, has to be looked at.
    if (abilities.checksBody && abilities.lock === 'no') return this.#copyOf(upload, copy, 'server-checksum');
    return this.#lookedAt(upload, { copy, head: await this.#bucket.head(copy, signal) }, sending);
  }

  async #lookedAt(
    upload: Upload,
    { copy, head }: { readonly copy: CopyReference; readonly head: HeadObjectCommandOutput | undefined },
    { abilities, signal }: Sending,
  ): Promise<StoredCopy> {
    const { path, size, sha256, retention } = upload;
    if (head?.ContentLength !== size)
      throw new DeliveryError('NOT_PROVED', `${path}: it is not there as it was stored`);
    const told = toldChecksum(head);
    const byServer = told !== undefined || abilities.checksBody;
    const found = told ?? (byServer ? sha256 : await this.#bucket.hash(copy, size, signal));
    if (found !== sha256)
      throw new DeliveryError('NOT_PROVED', `${path}: what is there is not what was sent`);
    const result = this.#copyOf(upload, factsOf(head), byServer ? 'server-checksum' : 'read-back');
    if (retention !== undefined && abilities.lock !== 'no' && !isKept(result, retention))
      throw permanent('LOCK_REFUSED', `${result.location}: the lock is not there when asked for`);
    return result;
  }

  /** A server that keeps versions but does not obey If-None-Match may have taken two files under one name. */
  async #mustBeFirst(upload: Upload, version: string | undefined, signal: AbortSignal): Promise<void> {
    const versions = await this.#bucket.versionsOf(upload, signal).catch(() => []);
    const first = versions.at(-1);
    if (first === undefined || first === version) return;
    if (
      (await this.#bucket.hash({ path: upload.path, version: first }, upload.size, signal)) === upload.sha256
    )
      return;
    if (version !== undefined)
      await this.remove({ path: upload.path, version }, signal).catch(() => undefined);
    throw permanent(
      'DIFFERENT',
      `${this.#bucket.locationOf(upload.path)} was stored by somebody else at the same moment`,
    );
  }

  async #equal(
    upload: Upload,
    there: HeadObjectCommandOutput | undefined,
    { abilities, signal }: Sending,
  ): Promise<StoredCopy> {
    const { path, size, sha256, retention } = upload;
    const copy = versionOf(path, there);
    const told = there && toldChecksum(there);
    const found =
      there?.ContentLength === size ? (told ?? (await this.#bucket.hash(copy, size, signal))) : '';
    if (there === undefined || found !== sha256)
      throw permanent('DIFFERENT', `${this.#bucket.locationOf(path)} is there with other contents`);
    const result = this.#copyOf(upload, factsOf(there), told === undefined ? 'read-back' : 'server-checksum');
    if (retention === undefined || abilities.lock === 'no' || isKept(result, retention)) return result;
    await this.setRetention(copy, retention, signal);
    return { ...result, retention };
  }

  #copyOf(
    upload: Upload,
    { version, retention }: Pick<StoredFile, 'version' | 'retention'>,
    proof: StoredCopy['proof'],
  ): StoredCopy {
    return {
      location: this.#bucket.locationOf(upload.path),
      proof,
      checksum: `sha256:${upload.sha256}`,
      ...(version !== undefined && { version }),
      ...(retention !== undefined && { retention }),
    };
  }

  async #locking(copy: CopyReference, signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    await this.#bucket.guarded(copy.path, signal, async () => {
      if ((await this.#bucket.able(signal)).lock === 'no')
        throw permanent('UNSUPPORTED', `the bucket ${this.#bucket.name} has no Object Lock`);
      try {
        await work();
      } catch (error) {
        const status = statusOf(error) ?? 0;
        if (status < 400 || status >= 500 || status === 429) throw error;
        throw permanent('LOCK_REFUSED', `${this.#bucket.locationOf(copy.path)}: ${wordOf(error)}`, {
          cause: error,
        });
      }
    });
  }
}

const versionOf = (path: string, head: HeadObjectCommandOutput | undefined): CopyReference => {
  const version = head && factsOf(head).version;
  return { path, ...(version !== undefined && { version }) };
};

const isKept = ({ retention }: StoredCopy, wanted: Retention): boolean =>
  retention !== undefined && retention.until > wanted.until - SECOND;

/** Amazon S3, or a server that speaks its protocol, with Object Lock where there is any. */
export const openS3Destination = (options: S3Options): Destination => new S3Destination(options);
