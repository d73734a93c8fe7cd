import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Capabilities, Destination, Upload } from '../jobs/destination.ts';
import { deliveryError, DeliveryError, isOurs } from './delivery-error.ts';
import { provedSource } from './file-copy.ts';
import { openTreeDestination, type RemoteFacts, type RemoteTree } from './remote-tree.ts';
import { SessionPool } from './session-pool.ts';
import { codeOfStatus, SmbSession, type SmbAnswer, type SmbLogin } from './smb-session.ts';

export interface SmbOptions extends SmbLogin {
  readonly name: string;
  /** Folder in the share, with `/`; '' for its top. It is never made. */
  readonly root: string;
  /** Sessions at once. */
  readonly sessions: number;
}

const ABSENT = /^(?:OBJECT_NAME_NOT_FOUND|OBJECT_PATH_NOT_FOUND|NO_SUCH_FILE)$/;
/** Below this a transfer is as good as dead, octets per millisecond. */
const SLOWEST = 20;
/** As it stands in a listing: name, attributes, size, date of 24 characters. */
const LISTED =
  /^ {2}(.+?) {2,}([A-Z]*) +(\d+) {2}([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/;

/** A share, by smbclient: one request a method, each answer seen before the next is sent. */
class SmbTree implements RemoteTree {
  readonly #options: SmbOptions;
  readonly #pool: SessionPool<SmbSession>;
  #spool: Promise<string> | undefined;

  constructor(options: SmbOptions) {
    this.#options = options;
    this.#pool = new SessionPool({
      name: options.name,
      limit: options.sessions,
      open: (signal) => SmbSession.open(options, signal),
    });
  }

  locationOf(path: string): string {
    const { service, root } = this.#options;
    return `smb:${service}/${root === '' ? '' : `${root}/`}${path}`;
  }

  async stat(path: string, signal: AbortSignal): Promise<RemoteFacts | undefined> {
    const answer = await this.#ask(`allinfo ${this.#quoted(path)}`, signal, ABSENT);
    if (answer.status !== undefined) return undefined;
    if (/^attributes: [A-Z]*D/m.test(answer.lines.join('\n'))) return undefined;
    const size = /stream: \[::\$DATA\], (\d+) bytes/.exec(answer.lines.join('\n'))?.[1];
    if (size === undefined)
      throw new DeliveryError('UNREACHABLE', `${path}: no size in ${answer.lines.join('; ')}`);
    const written = /write_time:\s+(.+)/.exec(answer.lines.join('\n'))?.[1] ?? '';
    return { size: Number(size), ...modified(written) };
  }

  async makeFolder(folder: string, signal: AbortSignal): Promise<void> {
    const parts = folder.split('/');
    for (const at of parts.keys())
      await this.#ask(
        `mkdir ${this.#quoted(parts.slice(0, at + 1).join('/'))}`,
        signal,
        /^OBJECT_NAME_COLLISION$/,
      );
  }

  async create(path: string, upload: Upload, signal: AbortSignal): Promise<void> {
    const { file, remove } = await this.#onDisk(upload, signal);
    try {
      await this.#ask(`put ${quote(file)} ${this.#quoted(path)}`, signal, undefined, upload.size);
    } finally {
      await remove();
    }
  }

  async open(path: string, signal: AbortSignal): Promise<Readable | undefined> {
    const facts = await this.stat(path, signal);
    if (facts === undefined) return undefined;
    const octets = facts.size;
    if (octets === 0) return Readable.from([]);
    const stream = new PassThrough({ highWaterMark: 1_048_576 });
    const { session, release } = await this.#pool.lease(signal);
    const giveUp = (): void => {
      if (!stream.readableEnded) session.end();
    };
    stream.once('close', giveUp);
    session
      .ask(`get ${this.#quoted(path)} -`, signal, {
        octets,
        onData: (part) => {
          if (!stream.write(part)) session.slowDown((resume) => stream.once('drain', resume));
        },
        patience: octets / SLOWEST,
      })
      .then(
        (answer) => {
          if (answer.status === undefined) stream.end();
          else stream.destroy(failure(answer, path));
        },
        (error: unknown) => stream.destroy(error as Error),
      )
      .finally(release);
    return stream;
  }

  async rename(from: string, to: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#ask(
      `rename ${this.#quoted(from)} ${this.#quoted(to)}`,
      signal,
      /^OBJECT_NAME_COLLISION$/,
    );
    return answer.status === undefined;
  }

  replaces(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async replace(from: string, to: string, signal: AbortSignal): Promise<void> {
    await this.#ask(`rename ${this.#quoted(from)} ${this.#quoted(to)} -f`, signal);
  }

  append(): Promise<void> {
    return Promise.reject(deliveryError('UNSUPPORTED', 'smbclient cannot append'));
  }

  async list(
    folder: string,
    signal: AbortSignal,
  ): Promise<readonly (RemoteFacts & { readonly name: string })[]> {
    const mask = this.#quoted(folder === '' ? '*' : `${folder}/*`);
    const answer = await this.#ask(`ls ${mask}`, signal, ABSENT);
    if (answer.status !== undefined) return [];
    return answer.lines.flatMap((line) => {
      const [, name, attributes = '', size, date = ''] = LISTED.exec(line) ?? [];
      if (name === undefined || attributes.includes('D')) return [];
      return [{ name, size: Number(size), ...modified(`${date} UTC`) }];
    });
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    await this.#ask(`del ${this.#quoted(path)}`, signal, ABSENT);
  }

  async capabilities(signal: AbortSignal): Promise<Capabilities> {
    // The login is the proof: the client refuses a server that does less.
    await this.#ask(`ls ${this.#quoted('*')}`, signal, ABSENT);
    const encrypted = this.#options.encryption === 'required';
    return {
      lock: 'none',
      atomicCreate: true,
      encryption: encrypted ? 'smb3' : 'none',
      serverChecksum: false,
      remarks: encrypted ? [] : ['signed but not encrypted: whoever sees the network can listen'],
    };
  }

  async close(): Promise<void> {
    this.#pool.close();
    const spool = await this.#spool;
    if (spool !== undefined) await rm(spool, { recursive: true, force: true });
  }

  /** Rejects for every status but the ones that `allowed` matches. */
  async #ask(command: string, signal: AbortSignal, allowed?: RegExp, size = 0): Promise<SmbAnswer> {
    return this.#pool.use(signal, async (session) => {
      const answer = await session.ask(command, signal, { patience: size / SLOWEST });
      if (answer.status === undefined || allowed?.test(answer.status) === true) return answer;
      throw failure(answer, command);
    });
  }

  /** smbclient reads files. What is none, small texts of the log, becomes one in a folder that nobody else can read. */
  async #onDisk(
    upload: Upload,
    signal: AbortSignal,
  ): Promise<{ readonly file: string; readonly remove: () => Promise<void> }> {
    if (upload.file !== undefined && isQuotable(upload.file))
      return { file: upload.file, remove: () => Promise.resolve() };
    this.#spool ??= mkdtemp(join(tmpdir(), 'sealtape-smb-'));
    const file = join(await this.#spool, randomUUID());
    const remove = async (): Promise<void> => {
      await unlink(file).catch(() => undefined);
    };
    try {
      await pipeline(provedSource(upload, signal), createWriteStream(file, { flags: 'wx', mode: 0o600 }));
    } catch (error) {
      await remove();
      throw isOurs(error) ? error : new DeliveryError('SOURCE_UNREADABLE', file, { cause: error });
    }
    return { file, remove };
  }

  #quoted(path: string): string {
    const { root } = this.#options;
    return quote((root === '' ? path : `${root}/${path}`).replaceAll('/', '\\'));
  }
}

/** smbclient knows no escape for the quote, so no name with one gets here. */
function quote(text: string): string {
  if (!isQuotable(text)) throw deliveryError('BAD_PATH', JSON.stringify(text));
  return `"${text}"`;
}

const isQuotable = (text: string): boolean => !/["\p{Cc}]/u.test(text);

const failure = (answer: SmbAnswer, what: string): Error =>
  deliveryError(
    codeOfStatus(answer.status ?? ''),
    `${what.slice(0, 300)}: ${answer.lines.find((line) => line.includes('NT_STATUS_'))?.trim() ?? ''}`,
  );

function modified(text: string): { readonly modifiedAt?: number } {
  const at = Date.parse(text);
  return Number.isNaN(at) ? {} : { modifiedAt: at };
}

/**
 * A Windows share or Samba server (SMB 3.1.1), through Debian's smbclient. `deletion` logs in as the account that may
 * remove files, and does nothing else.
 */
export const openSmbDestination = (options: SmbOptions, deletion?: SmbOptions): Destination =>
  openTreeDestination(options.name, new SmbTree(options), deletion && new SmbTree(deletion));
