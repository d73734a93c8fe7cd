import { createHash } from 'node:crypto';
import SftpClient from 'ssh2-sftp-client';
import type { SFTPWrapper } from 'ssh2';
import { DeliveryError, deliveryError, type DeliveryErrorCode } from './delivery-error.ts';
import type { Session } from './session-pool.ts';

export interface SftpLogin {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string | undefined;
  /** PEM or OpenSSH format. */
  readonly privateKey?: string | undefined;
  readonly passphrase?: string | undefined;
  /** Every host key that is accepted, as `ssh-keygen -l` prints it: `SHA256:…`. */
  readonly fingerprints: readonly string[];
  /** Seconds a connection or a single request may take. */
  readonly timeoutSeconds: number;
}

/** What is sent at once without waiting for the answer: distance must not make a transfer slow. */
const WINDOW = 32;
const BLOCK = 128 * 1024;
/** draft-ietf-secsh-filexfer-02 §7 */
export const SSH_FX = { NO_SUCH_FILE: 2, PERMISSION_DENIED: 3, FAILURE: 4, UNSUPPORTED: 8 } as const;

/** One SSH connection with its SFTP channel. */
export class SftpSession implements Session {
  readonly #client: SftpClient;
  readonly #patience: number;
  #alive = false;
  /** How the requests that have no answer yet are told that there will be none. */
  readonly #waiting = new Set<(error: Error) => void>();
  #ended = false;

  private constructor(login: SftpLogin) {
    this.#patience = login.timeoutSeconds * 1000;
    const lost = (): void => {
      this.#gone(new DeliveryError('UNREACHABLE', `${login.host}: the connection was lost`));
    };
    this.#client = new SftpClient('sealtape', { error: lost, end: lost, close: lost });
  }

  /** Connects. Rejects with PermanentUploadError for another host key or refused credentials. */
  static async open(login: SftpLogin, signal: AbortSignal): Promise<SftpSession> {
    const session = new SftpSession(login);
    const seen: { fingerprint?: string } = {};
    const connecting = session.#client.connect({
      host: login.host,
      port: login.port,
      username: login.user,
      ...(login.password !== undefined && { password: login.password }),
      ...(login.privateKey !== undefined && { privateKey: login.privateKey }),
      ...(login.passphrase !== undefined && { passphrase: login.passphrase }),
      readyTimeout: login.timeoutSeconds * 1000,
      keepaliveInterval: 10_000,
      keepaliveCountMax: 3,
      hostVerifier: (key: Buffer) => {
        seen.fingerprint = fingerprintOf(key);
        return login.fingerprints.includes(seen.fingerprint);
      },
    });
    try {
      await abortable(connecting, signal);
      session.#alive = true;
      return session;
    } catch (error) {
      session.end();
      throw connectFailure(error, login, seen.fingerprint);
    }
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Whether the server announced an extension such as `fsync@openssh.com`. */
  offers(extension: string): boolean {
    const { _extensions: known } = this.#sftp as unknown as {
      readonly _extensions?: Record<string, unknown>;
    };
    return known !== undefined && Object.hasOwn(known, extension);
  }

  /**
   * One request. Rejects with the server's own error (`code` is its number), or with DeliveryError when connection or patience end:
   * the session is ended then. Without a signal it is for the caller to end the session when told to stop.
   */
  async ask<T>(
    signal: AbortSignal | undefined,
    request: (sftp: SFTPWrapper, done: (error?: Error | null, value?: T) => void) => unknown,
  ): Promise<T> {
    let fail: (error: Error) => void = () => undefined;
    const answer = new Promise<T>((resolve, reject) => {
      fail = reject;
      request(this.#sftp, (error, value) => {
        if (error === undefined || error === null) resolve(value as T);
        else reject(error);
      });
    });
    const stop = (): void => {
      fail(new DeliveryError('ABORTED', 'told to stop'));
    };
    const timer = setTimeout(() => {
      fail(new DeliveryError('UNREACHABLE', `no answer within ${this.#patience} ms`));
    }, this.#patience);
    this.#waiting.add(fail);
    if (signal?.aborted === true) stop();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await answer;
    } catch (error) {
      if (error instanceof DeliveryError) this.end();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(fail);
      signal?.removeEventListener('abort', stop);
    }
  }

  /** A request whose answer is that it was done. */
  async tell(
    signal: AbortSignal,
    request: (sftp: SFTPWrapper, done: (error?: Error | null) => void) => unknown,
  ): Promise<void> {
    await this.ask(signal, request);
  }

  /** Writes everything from `source` at `position` on; rejects with the first thing that went wrong. Returns the octets. */
  async write(
    handle: Buffer,
    source: AsyncIterable<Buffer>,
    { position, signal }: { readonly position: number; readonly signal: AbortSignal },
  ): Promise<number> {
    const under = new Set<Promise<unknown>>();
    const state: { error?: Error } = {};
    let at = position;
    const release = this.#stopBy(signal);
    try {
      for await (const part of source) {
        if (state.error !== undefined) break;
        const from = at;
        const written: Promise<unknown> = this.ask(undefined, (sftp, done) => {
          sftp.write(handle, part, 0, part.length, from, done);
        })
          .catch((error: unknown) => {
            state.error ??= error as Error;
          })
          .finally(() => under.delete(written));
        under.add(written);
        at += part.length;
        if (under.size >= WINDOW) await Promise.race(under);
      }
      await Promise.all(under);
    } finally {
      release();
    }
    if (state.error !== undefined) throw state.error;
    return at - position;
  }

  /** The octets of an open file, several blocks asked for ahead. */
  async *read(handle: Buffer, size: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const ahead: Promise<Buffer>[] = [];
    let next = 0;
    const release = this.#stopBy(signal);
    try {
      for (;;) {
        for (; next < size && ahead.length < WINDOW / 2; next += BLOCK) {
          const block = this.#readBlock(handle, next, Math.min(BLOCK, size - next));
          block.catch(() => undefined);
          ahead.push(block);
        }
        const block = ahead.shift();
        if (block === undefined) return;
        yield await block;
      }
    } finally {
      release();
    }
  }

  end(): void {
    this.#gone(new DeliveryError('UNREACHABLE', 'the connection was ended'));
    if (this.#ended) return;
    this.#ended = true;
    // A connection that hangs is not waited for.
    this.#client.end().catch(() => undefined);
  }

  #gone(error: Error): void {
    this.#alive = false;
    for (const fail of this.#waiting) fail(error);
  }

  /** One listener for what makes many requests: the signal may be shared by the whole service. Returns how to take it back. */
  #stopBy(signal: AbortSignal): () => void {
    const stop = (): void => {
      this.#gone(new DeliveryError('ABORTED', 'told to stop'));
      this.end();
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    return () => {
      signal.removeEventListener('abort', stop);
    };
  }

  get #sftp(): SFTPWrapper {
    const { sftp } = this.#client as unknown as { readonly sftp?: SFTPWrapper };
    if (sftp === undefined || !this.#alive) throw new DeliveryError('UNREACHABLE', 'not connected');
    return sftp;
  }

  /** A server may give less than asked for. */
  async #readBlock(handle: Buffer, position: number, length: number): Promise<Buffer> {
    const block = Buffer.allocUnsafe(length);
    for (let at = 0; at < length;) {
      const read = await this.ask<number>(undefined, (sftp, done) => {
        sftp.read(handle, block, at, length - at, position + at, done);
      });
      if (read === 0) return block.subarray(0, at);
      at += read;
    }
    return block;
  }
}

const fingerprintOf = (key: Buffer): string =>
  `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;

/** Rejects as soon as it is aborted; what the work comes to then is nobody's any more. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => {
      reject(new DeliveryError('ABORTED', 'told to stop'));
    };
  });
  work.catch(() => undefined);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function connectFailure(error: unknown, login: SftpLogin, seen: string | undefined): Error {
  if (error instanceof DeliveryError) return error;
  const text = String((error as { readonly message?: unknown } | null)?.message ?? error);
  if (seen !== undefined && !login.fingerprints.includes(seen))
    return deliveryError(
      'WRONG_HOST',
      `${login.host} has the host key ${seen}, which is not one of fingerprints`,
      {
        cause: error,
      },
    );
  const code: DeliveryErrorCode = /authentication methods failed|Permission denied/i.test(text)
    ? 'DENIED'
    : /Cannot parse privateKey|Encrypted private/i.test(text)
      ? 'MISCONFIGURED'
      : 'UNREACHABLE';
  return deliveryError(code, `${login.host}: ${text}`, { cause: error });
}
