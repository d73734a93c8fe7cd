import { Readable } from 'node:stream';
import type { FileEntryWithStats, Stats } from 'ssh2';
import type { Capabilities, Destination, Upload } from '../jobs/destination.ts';
import { DeliveryError, deliveryError, isOurs, type DeliveryErrorCode } from './delivery-error.ts';
import { provedSource } from './file-copy.ts';
import { openTreeDestination, type RemoteFacts, type RemoteTree } from './remote-tree.ts';
import { SessionPool } from './session-pool.ts';
import { SftpSession, SSH_FX, type SftpLogin } from './sftp-session.ts';

export interface SftpOptions extends SftpLogin {
  readonly name: string;
  /** Folder on the server; it is never made. '' is where the login lands. */
  readonly root: string;
  /** Connections at once. */
  readonly sessions: number;
}

const FSYNC = 'fsync@openssh.com';
const RENAME_OVER = 'posix-rename@openssh.com';
const STATVFS = 'statvfs@openssh.com';
const IS_FILE = 0o100000;
const FILE_TYPE = 0o170000;

/** An SFTP server (draft-ietf-secsh-filexfer-02, with OpenSSH's extensions where they are offered). */
class SftpTree implements RemoteTree {
  readonly #options: SftpOptions;
  readonly #pool: SessionPool<SftpSession>;

  constructor(options: SftpOptions) {
    this.#options = options;
    this.#pool = new SessionPool({
      name: options.name,
      limit: options.sessions,
      open: (signal) => SftpSession.open(options, signal),
    });
  }

  locationOf(path: string): string {
    const { host, port } = this.#options;
    return `sftp://${host}${port === 22 ? '' : `:${port}`}/${this.#at(path).replace(/^\//, '')}`;
  }

  stat(path: string, signal: AbortSignal): Promise<RemoteFacts | undefined> {
    return this.#use(path, signal, async (session) => {
      const found = await lookAt(session, this.#at(path), signal);
      return found !== undefined && isFile(found) ? factsOf(found) : undefined;
    });
  }

  makeFolder(folder: string, signal: AbortSignal): Promise<void> {
    return this.#use(folder, signal, async (session) => {
      if ((await lookAt(session, this.#at(folder), signal)) !== undefined) return;
      const parts = folder.split('/');
      for (const end of parts.keys()) {
        const path = this.#at(parts.slice(0, end + 1).join('/'));
        try {
          await session.tell(signal, (sftp, done) => {
            sftp.mkdir(path, { mode: 0o750 }, done);
          });
        } catch (error) {
          // Servers say "failure" for a folder that is there.
          if (isOurs(error) || (await lookAt(session, path, signal)) === undefined) throw error;
        }
      }
    });
  }

  create(path: string, upload: Upload, signal: AbortSignal): Promise<void> {
    return this.#use(path, signal, (session) =>
      this.#write(session, upload, { path, flags: 'wx', position: 0, signal }),
    );
  }

  async open(path: string, signal: AbortSignal): Promise<Readable | undefined> {
    const { session, release } = await this.#pool.lease(signal);
    try {
      const file = await this.#openToRead(session, path, signal);
      if (file === undefined) release();
      else
        return Readable.from(this.#octets(session, { ...file, path, release, signal }), {
          objectMode: false,
        });
    } catch (error) {
      release();
      throw this.#failure(error, path, signal);
    }
    return undefined;
  }

  rename(from: string, to: string, signal: AbortSignal): Promise<boolean> {
    return this.#use(to, signal, async (session) => {
      try {
        await session.ask(signal, (sftp, done) => {
          sftp.rename(this.#at(from), this.#at(to), done);
        });
        return true;
      } catch (error) {
        if (isOurs(error) || (await lookAt(session, this.#at(to), signal)) === undefined) throw error;
        return false;
      }
    });
  }

  /** Servers do not announce what the account may not use. */
  replaces(signal: AbortSignal): Promise<boolean> {
    return this.#use('', signal, (session) => Promise.resolve(session.offers(RENAME_OVER)));
  }

  replace(from: string, to: string, signal: AbortSignal): Promise<void> {
    return this.#use(to, signal, (session) =>
      session.tell(signal, (sftp, done) => {
        sftp.ext_openssh_rename(this.#at(from), this.#at(to), done);
      }),
    );
  }

  append(path: string, at: number, upload: Upload, signal: AbortSignal): Promise<void> {
    return this.#use(path, signal, (session) =>
      this.#write(session, upload, { path, flags: 'r+', position: at, signal }),
    );
  }

  list(folder: string, signal: AbortSignal): Promise<readonly (RemoteFacts & { readonly name: string })[]> {
    return this.#use(folder, signal, async (session) => {
      try {
        const found = await session.ask<FileEntryWithStats[]>(signal, (sftp, done) => {
          sftp.readdir(this.#at(folder), done);
        });
        return found
          .filter(({ attrs }) => isFile(attrs))
          .map(({ filename, attrs }) => ({ name: filename, ...factsOf(attrs) }));
      } catch (error) {
        if (statusOf(error) === SSH_FX.NO_SUCH_FILE) return [];
        throw error;
      }
    });
  }

  remove(path: string, signal: AbortSignal): Promise<void> {
    return this.#use(path, signal, (session) =>
      session.tell(signal, (sftp, done) => {
        sftp.unlink(this.#at(path), done);
      }),
    );
  }

  capabilities(signal: AbortSignal): Promise<Capabilities> {
    return this.#use('', signal, async (session) => {
      if ((await lookAt(session, this.#at(''), signal)) === undefined)
        throw new DeliveryError('UNREACHABLE', `${this.locationOf('')} is not there`);
      const remarks = [
        ...(session.offers(FSYNC)
          ? []
          : ['no fsync: a power cut of the server may lose what it has just confirmed']),
        ...(session.offers(RENAME_OVER)
          ? ['the account may replace files; see docs/destinations.md for one that may only add']
          : []),
      ];
      return { lock: 'none', atomicCreate: true, encryption: 'ssh', serverChecksum: false, remarks };
    });
  }

  close(): Promise<void> {
    this.#pool.close();
    return Promise.resolve();
  }

  async #write(
    session: SftpSession,
    upload: Upload,
    to: {
      readonly path: string;
      readonly flags: 'wx' | 'r+';
      readonly position: number;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const { path, flags, position, signal } = to;
    const handle = await session.ask<Buffer>(signal, (sftp, done) => {
      // The mode belongs to the request: the server's default would let everybody read.
      sftp.open(this.#at(path), flags, { mode: 0o640 }, done);
    });
    const closeFile = (): Promise<void> =>
      session.tell(signal, (sftp, done) => {
        sftp.close(handle, done);
      });
    try {
      await session.write(handle, from(provedSource(upload, signal), position), { position, signal });
      if (session.offers(FSYNC))
        await session.tell(signal, (sftp, done) => {
          sftp.ext_openssh_fsync(handle, done);
        });
    } catch (error) {
      if (session.alive) await closeFile().catch(() => undefined);
      throw await this.#whyNotWritten(error, session, { upload, signal });
    }
    await closeFile();
  }

  /** "Failure" is all that a server says of a full disk; how much room there is tells more. */
  async #whyNotWritten(
    error: unknown,
    session: SftpSession,
    { upload, signal }: { readonly upload: Upload; readonly signal: AbortSignal },
  ): Promise<unknown> {
    if (statusOf(error) !== SSH_FX.FAILURE || !session.offers(STATVFS)) return error;
    const room = await session
      .ask<{ readonly f_bavail: number; readonly f_frsize: number }>(signal, (sftp, done) => {
        sftp.ext_openssh_statvfs(this.#at(''), done as never);
      })
      .catch(() => undefined);
    if (room === undefined || room.f_bavail * room.f_frsize > upload.size) return error;
    return new DeliveryError('DISK_FULL', `${this.locationOf('')} has no room for ${upload.size} octets`, {
      cause: error,
    });
  }

  async #openToRead(
    session: SftpSession,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly handle: Buffer; readonly size: number } | undefined> {
    try {
      const handle = await session.ask<Buffer>(signal, (sftp, done) => {
        sftp.open(this.#at(path), 'r', done);
      });
      const { size } = await session.ask<Stats>(signal, (sftp, done) => {
        sftp.fstat(handle, done);
      });
      return { handle, size };
    } catch (error) {
      if (statusOf(error) === SSH_FX.NO_SUCH_FILE) return undefined;
      throw error;
    }
  }

  async *#octets(
    session: SftpSession,
    file: {
      readonly handle: Buffer;
      readonly size: number;
      readonly path: string;
      readonly release: () => void;
      readonly signal: AbortSignal;
    },
  ): AsyncGenerator<Buffer> {
    const { handle, size, path, release, signal } = file;
    try {
      yield* session.read(handle, size, signal);
    } catch (error) {
      throw this.#failure(error, path, signal);
    } finally {
      await session
        .tell(signal, (sftp, done) => {
          sftp.close(handle, done);
        })
        .catch(() => undefined);
      release();
    }
  }

  async #use<T>(path: string, signal: AbortSignal, work: (session: SftpSession) => Promise<T>): Promise<T> {
    try {
      return await this.#pool.use(signal, work);
    } catch (error) {
      throw this.#failure(error, path, signal);
    }
  }

  #failure(error: unknown, path: string, signal: AbortSignal): Error {
    if (signal.aborted) return new DeliveryError('ABORTED', path, { cause: error });
    if (isOurs(error)) return error;
    const code: DeliveryErrorCode = statusOf(error) === SSH_FX.PERMISSION_DENIED ? 'DENIED' : 'UNREACHABLE';
    return deliveryError(code, `${this.locationOf(path)}: ${String(error)}`, { cause: error });
  }

  #at(path: string): string {
    const { root } = this.#options;
    if (path === '') return root === '' ? '.' : root;
    return root === '' ? path : `${root.replace(/\/+$/, '')}/${path}`;
  }
}

const statusOf = (error: unknown): unknown => (error as { readonly code?: unknown } | null)?.code;

/** Undefined when there is nothing of that name; links are not followed. */
async function lookAt(session: SftpSession, path: string, signal: AbortSignal): Promise<Stats | undefined> {
  try {
    return await session.ask<Stats>(signal, (sftp, done) => {
      sftp.lstat(path, done);
    });
  } catch (error) {
    if (statusOf(error) === SSH_FX.NO_SUCH_FILE) return undefined;
    throw error;
  }
}

const isFile = ({ mode }: { readonly mode: number }): boolean => (mode & FILE_TYPE) === IS_FILE;

const factsOf = ({ size, mtime }: { readonly size: number; readonly mtime: number }): RemoteFacts => ({
  size,
  modifiedAt: mtime * 1000,
});

/** The octets behind the first `skip`. */
async function* from(source: AsyncIterable<Buffer>, skip: number): AsyncIterable<Buffer> {
  let left = skip;
  for await (const part of source) {
    if (part.length > left) yield part.subarray(left);
    left = Math.max(0, left - part.length);
  }
}

/**
 * An SFTP server. Files are created exclusively, fsynced where it can, and renamed without replacing. `deletion` logs in as the account that may
 * remove files, and does nothing else.
 */
export const openSftpDestination = (options: SftpOptions, deletion?: SftpOptions): Destination =>
  openTreeDestination(options.name, new SftpTree(options), deletion && new SftpTree(deletion));
