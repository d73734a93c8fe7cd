import { randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { accessDenied, AwsError, invalidArgument, preconditionFailed } from './aws-error.ts';
import type { ChecksumName } from './aws-checksums.ts';

export interface ObjectLock {
  mode?: 'GOVERNANCE' | 'COMPLIANCE';
  /** Epoch milliseconds. */
  until?: number;
  hold?: boolean;
}

/** What is stored of an object's content. */
export interface ObjectContent {
  /** A file of this machine. */
  readonly file: string;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum: {
    readonly name: ChecksumName;
    readonly value: string;
    readonly type: 'FULL_OBJECT' | 'COMPOSITE';
  };
  readonly parts?: number;
}

/** One version of an object, or a delete marker. */
export interface ObjectVersion {
  readonly key: string;
  readonly id: string;
  /** Epoch milliseconds. */
  readonly modifiedAt: number;
  /** Undefined for a delete marker. */
  readonly content: ObjectContent | undefined;
  readonly lock: ObjectLock;
}

export interface DefaultRetention {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE';
  readonly days: number;
}

/** If-None-Match and If-Match of a write. */
export interface WriteConditions {
  readonly ifNoneMatch?: string | undefined;
  readonly ifMatch?: string | undefined;
}

const DAY = 86_400_000;

/** A general purpose bucket of Amazon S3: versions, delete markers, Object Lock. */
export class AwsBucket {
  readonly name: string;
  readonly #now: () => number;
  versioning: 'Enabled' | undefined;
  objectLock: boolean;
  defaultRetention: DefaultRetention | undefined;
  /** Of all keys, oldest first. */
  #versions: ObjectVersion[] = [];
  /** How often each key was deleted. */
  readonly #deletions = new Map<string, number>();

  constructor(
    name: string,
    options: { readonly objectLock?: boolean; readonly versions?: boolean; readonly now: () => number },
  ) {
    this.name = name;
    this.#now = options.now;
    this.objectLock = options.objectLock === true;
    this.versioning = this.objectLock || options.versions === true ? 'Enabled' : undefined;
  }

  /** Newest first. */
  versionsOf(key: string): readonly ObjectVersion[] {
    return this.#versions.filter((each) => each.key === key).reverse();
  }

  /** In the order of a listing: by the octets of the keys, of one key the newest first. */
  get versions(): readonly ObjectVersion[] {
    return [...this.#versions]
      .reverse()
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }

  /** The version that a request means. Rejects as GET and HEAD do (405 and 404 with x-amz-delete-marker). */
  find(key: string, id: string | undefined): ObjectVersion & { readonly content: ObjectContent } {
    const found =
      id === undefined ? this.versionsOf(key)[0] : this.versionsOf(key).find((each) => each.id === id);
    if (found === undefined) throw id === undefined ? noSuchKey(key) : noSuchVersion(key, id);
    const { content } = found;
    if (content !== undefined) return { ...found, content };
    const headers = { 'x-amz-delete-marker': 'true', 'x-amz-version-id': found.id };
    throw id === undefined
      ? new AwsError(404, 'NoSuchKey', 'The specified key does not exist.', {
          details: { Key: key },
          headers,
        })
      : new AwsError(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.', {
          headers: { ...headers, Allow: 'DELETE' },
        });
  }

  /** Looks at the conditions of a write, against what is there at this moment. */
  mustFit(key: string, { ifNoneMatch, ifMatch }: WriteConditions): void {
    const there = this.versionsOf(key)[0]?.content;
    if (ifNoneMatch !== undefined && there !== undefined) throw preconditionFailed('If-None-Match');
    if (ifMatch === undefined) return;
    if (there === undefined) throw noSuchKey(key);
    if (`"${there.etag}"` !== ifMatch && there.etag !== ifMatch) throw preconditionFailed('If-Match');
  }

  /** A further version; without versioning it takes the place of the one before. */
  add(key: string, content: ObjectContent, lock: ObjectLock): ObjectVersion {
    const modifiedAt = this.#now();
    const preset = this.defaultRetention;
    const kept: ObjectLock =
      preset === undefined || lock.mode !== undefined
        ? lock
        : { ...lock, mode: preset.mode, until: modifiedAt + preset.days * DAY };
    const version = { key, id: this.#newId(), modifiedAt, content, lock: { ...kept } };
    if (this.versioning === undefined) this.#drop((each) => each.key === key);
    this.#versions.push(version);
    return version;
  }

  deletionsOf(key: string): number {
    return this.#deletions.get(key) ?? 0;
  }

  /** Without a version id a delete marker where there are versions. */
  delete(
    key: string,
    id: string | undefined,
    bypass: boolean,
  ): { readonly id?: string; readonly marker?: boolean } {
    this.#deletions.set(key, this.deletionsOf(key) + 1);
    if (id === undefined && this.versioning !== undefined) {
      const marker = { key, id: this.#newId(), modifiedAt: this.#now(), content: undefined, lock: {} };
      this.#versions.push(marker);
      return { id: marker.id, marker: true };
    }
    const found = this.versionsOf(key).find((each) => id === undefined || each.id === id);
    if (found !== undefined && this.#isKept(found.lock, bypass))
      throw accessDenied('Access Denied because object protected by object lock.');
    this.#drop((each) => each === found);
    return id === undefined
      ? {}
      : { id, ...(found !== undefined && found.content === undefined && { marker: true }) };
  }

  /** Later always, earlier or less strict only for GOVERNANCE with the bypass. */
  retain(
    version: ObjectVersion,
    wanted: Required<Pick<ObjectLock, 'mode' | 'until'>>,
    bypass: boolean,
  ): void {
    if (wanted.until <= this.#now())
      throw invalidArgument(
        'The retain until date must be in the future!',
        'RetainUntilDate',
        String(wanted.until),
      );
    const { mode, until = 0 } = version.lock;
    const weaker = wanted.until < until || (mode === 'COMPLIANCE' && wanted.mode !== mode);
    const held = mode !== undefined && until > this.#now();
    if (held && weaker && !(mode === 'GOVERNANCE' && bypass))
      throw accessDenied('Access Denied because object protected by object lock.');
    Object.assign(version.lock, wanted);
  }

  #isKept({ mode, until = 0, hold = false }: ObjectLock, bypass: boolean): boolean {
    return hold || (until > this.#now() && !(mode === 'GOVERNANCE' && bypass));
  }

  #drop(which: (version: ObjectVersion) => boolean): void {
    for (const { content } of this.#versions.filter(which))
      if (content !== undefined) unlink(content.file).catch(() => undefined);
    this.#versions = this.#versions.filter((each) => !which(each));
  }

  #newId(): string {
    return this.versioning === undefined
      ? 'null'
      : randomBytes(24).toString('base64url').replaceAll('-', '.');
  }
}

const noSuchKey = (key: string): AwsError =>
  new AwsError(404, 'NoSuchKey', 'The specified key does not exist.', { details: { Key: key } });

const noSuchVersion = (key: string, id: string): AwsError =>
  /^[A-Za-z0-9._]{32}$|^null$/.test(id)
    ? new AwsError(404, 'NoSuchVersion', 'The specified version does not exist.', {
        details: { Key: key, VersionId: id },
      })
    : invalidArgument('Invalid version id specified', 'versionId', id);
