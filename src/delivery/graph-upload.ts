import { setTimeout as delay } from 'node:timers/promises';
import { PermanentUploadError, type Upload } from '../jobs/destination.ts';
import { DeliveryError } from './delivery-error.ts';
import { provedSource } from './file-copy.ts';
import { GraphRefusal, type GraphClient } from './graph-client.ts';
import type { DriveItem } from './graph-drive.ts';
import { QuickXorHash } from './quick-xor-hash.ts';
import type { UploadSession, UploadSessions } from './upload-sessions.ts';

/** Every fragment but the last is a multiple of this many octets. */
const UNIT = 320 * 1024;
/** Octets sent at once: what an upload costs in memory. */
const FRAGMENT = 16 * UNIT;
/** Sessions begun for one file before the queue has to come back. */
const SESSIONS = 3;
/** Failures in a row without an octet of progress. */
const FAILURES = 4;
const PAUSE = 250;

/** What an upload came to; `quick` is the checksum of what was sent. */
export interface Sent {
  readonly item: DriveItem;
  readonly quick: string;
}

/** How a session is begun, and whether the file appears only when we say so. */
export interface SessionStart {
  /** Address that begins one. */
  readonly at: string;
  readonly conflict: 'fail' | 'replace';
  readonly deferCommit: boolean;
  /** Only while the file is this version. */
  readonly ifMatch?: string | undefined;
}

type Trouble =
  /** The session is over or unknown. */
  | 'gone'
  /** The server lacks octets that it had. */
  | 'rewound'
  /** The name was taken in the meantime. */
  | 'taken';

class SessionTrouble extends Error {
  override readonly name = 'SessionTrouble';
  readonly trouble: Trouble;
  constructor(trouble: Trouble) {
    super(`the upload session is ${trouble}`);
    this.trouble = trouble;
  }
}

interface SessionState {
  readonly nextExpectedRanges?: readonly string[];
  readonly expirationDateTime?: string;
}

interface Fragment {
  readonly from: number;
  readonly bytes: Uint8Array;
}

/** Uploads by fragments (Graph, createUploadSession): resumed where the server stands, committed when the source was proved. */
export class GraphUploads {
  readonly #client: GraphClient;
  readonly #sessions: UploadSessions;

  constructor(client: GraphClient, sessions: UploadSessions) {
    this.#client = client;
    this.#sessions = sessions;
  }

  /**
   * Undefined when the name is taken, or another upload holds it. What fails in between leaves the session for the next call, except what
   * only a person can help: then it is cancelled.
   */
  async send(upload: Upload, start: SessionStart, signal: AbortSignal): Promise<Sent | undefined> {
    for (let begun = 1; ; begun += 1) {
      const session = this.#known(upload) ?? (await this.#begin(upload, start, signal));
      if (session === undefined) return undefined;
      try {
        const sent = await this.#fill(upload, session, signal);
        this.#sessions.forget(upload.path);
        return sent;
      } catch (error) {
        const trouble = error instanceof SessionTrouble ? error.trouble : undefined;
        if (isHopeless(error)) await this.#cancel(upload.path, session);
        if (trouble === 'taken') return undefined;
        if (trouble === undefined) throw error;
        if (begun >= SESSIONS)
          throw new DeliveryError('UNREACHABLE', `${upload.path}: upload sessions end too early`, {
            cause: error,
          });
      }
    }
  }

  /** The one begun before for the same octets. One for others under this name is of no use to anybody. */
  #known({ path, sha256 }: Upload): UploadSession | undefined {
    const known = this.#sessions.get(path);
    return known?.sha256 === sha256 ? known : undefined;
  }

  async #begin(
    { path, sha256 }: Upload,
    { at, conflict, deferCommit, ifMatch }: SessionStart,
    signal: AbortSignal,
  ): Promise<UploadSession | undefined> {
    const other = this.#sessions.get(path);
    if (other !== undefined) await this.#cancel(path, other);
    const body = {
      item: { '@microsoft.graph.conflictBehavior': conflict },
      ...(deferCommit && { deferCommit }),
    };
    const headers = ifMatch === undefined ? {} : { 'If-Match': ifMatch };
    try {
      const { uploadUrl: url, expirationDateTime } = (await this.#client.ask(
        { method: 'POST', at, headers, body },
        signal,
      )) as { readonly uploadUrl: string; readonly expirationDateTime: string };
      const session = { url, sha256, endsAt: Date.parse(expirationDateTime) };
      this.#sessions.keep(path, session);
      return session;
    } catch (error) {
      if (error instanceof GraphRefusal && error.status === 409) return undefined;
      throw error;
    }
  }

  async #fill(upload: Upload, session: UploadSession, signal: AbortSignal): Promise<Sent> {
    const quick = new QuickXorHash();
    let next: number | undefined;
    let item: DriveItem | undefined;
    for await (const { from, bytes } of fragmentsOf(upload, signal)) {
      quick.update(bytes);
      next ??= (await this.#state(session, signal)) ?? upload.size;
      while (item === undefined && next < from + bytes.length) {
        if (next < from) throw new SessionTrouble('rewound');
        if ((next - from) % UNIT !== 0) throw new SessionTrouble('gone');
        const rest = { from: next, bytes: bytes.subarray(next - from) };
        const result = await this.#put(rest, { session, size: upload.size, signal });
        if (typeof result === 'number') next = result;
        else item = result;
      }
    }
    return { item: item ?? (await this.#commit(session, signal)), quick: quick.digest() };
  }

  /** Sends one fragment, again after failures; the octet the server wants next, or the item when that was all. */
  async #put(
    { from, bytes }: Fragment,
    { session, size, signal }: { session: UploadSession; size: number; signal: AbortSignal },
  ): Promise<number | DriveItem> {
    const range = `bytes ${from}-${from + bytes.length - 1}/${size}`;
    for (let failures = 1; ; failures += 1) {
      try {
        const answer = await this.#client.ask(
          { method: 'PUT', at: session.url, headers: { 'Content-Range': range }, body: bytes, bare: true },
          signal,
        );
        if (isItem(answer)) return answer;
        const next = nextOf(answer as SessionState, size);
        if (next > from) return next;
      } catch (error) {
        await this.#mayGoOn(error, failures, signal);
      }
      const next = await this.#state(session, signal);
      if (next === undefined) return size;
      if (next !== from) return next;
      if (failures >= FAILURES)
        throw new DeliveryError('UNREACHABLE', 'the server takes a fragment and does not have it');
    }
  }

  async #commit(session: UploadSession, signal: AbortSignal): Promise<DriveItem> {
    for (let failures = 1; ; failures += 1)
      try {
        const answer = await this.#client.ask({ method: 'POST', at: session.url, bare: true }, signal);
        if (isItem(answer)) return answer;
        throw new DeliveryError('UNREACHABLE', 'a commit was answered without an item');
      } catch (error) {
        await this.#mayGoOn(error, failures, signal);
      }
  }

  /** The octet that is missing first, undefined when none is. */
  async #state(session: UploadSession, signal: AbortSignal): Promise<number | undefined> {
    try {
      const state = (await this.#client.ask(
        { method: 'GET', at: session.url, bare: true },
        signal,
      )) as SessionState;
      const next = nextOf(state, -1);
      return next < 0 ? undefined : next;
    } catch (error) {
      throw troubleOf(error) ?? error;
    }
  }

  /** Waits a little after what may pass at once; rejects with what does not. 416: the server has the fragment already. */
  async #mayGoOn(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    const trouble = troubleOf(error);
    if (trouble !== undefined) throw trouble;
    if (error instanceof GraphRefusal && error.status === 416 && failures < FAILURES) return;
    const mayPass =
      error instanceof GraphRefusal
        ? error.status >= 500 && error.status !== 507 && error.status !== 503
        : error instanceof DeliveryError && error.code === 'UNREACHABLE';
    if (!mayPass || failures >= FAILURES) throw error;
    await delay(PAUSE * 2 ** failures, undefined, { signal });
  }

  async #cancel(path: string, session: UploadSession): Promise<void> {
    this.#sessions.forget(path);
    // Otherwise it ends by itself when its time is over.
    await this.#client
      .ask({ method: 'DELETE', at: session.url, bare: true }, AbortSignal.timeout(10_000))
      .catch(() => undefined);
  }
}

/** The source in fragments, each in the memory of the one before; the last comes only when the whole was proved. */
async function* fragmentsOf(upload: Upload, signal: AbortSignal): AsyncGenerator<Fragment> {
  const buffer = Buffer.allocUnsafe(Math.min(FRAGMENT, upload.size));
  let from = 0;
  let filled = 0;
  for await (const part of provedSource(upload, signal)) {
    for (let at = 0; at < part.length;) {
      if (filled === buffer.length) {
        yield { from, bytes: buffer };
        from += filled;
        filled = 0;
      }
      const taken = part.copy(buffer, filled, at);
      filled += taken;
      at += taken;
    }
  }
  yield { from, bytes: buffer.subarray(0, filled) };
}

function nextOf({ nextExpectedRanges: ranges = [] }: SessionState, whenNone: number): number {
  const starts = ranges.map((range) => Number(range.split('-')[0])).filter((start) => start >= 0);
  return starts.length === 0 ? whenNone : Math.min(...starts);
}

const isItem = (answer: unknown): answer is DriveItem =>
  typeof (answer as { readonly id?: unknown } | null | undefined)?.id === 'string';

/** Nothing more can be sent into this session, now or later. */
const isHopeless = (error: unknown): boolean =>
  error instanceof PermanentUploadError ||
  (error instanceof SessionTrouble && error.trouble !== 'rewound') ||
  (error instanceof GraphRefusal && error.status === 507);

/** A session that is not there, or whose permission is over, is begun anew; a name that is taken is for the caller to look at. */
function troubleOf(error: unknown): SessionTrouble | undefined {
  if (!(error instanceof GraphRefusal)) return undefined;
  if ([401, 403, 404, 410].includes(error.status)) return new SessionTrouble('gone');
  return error.status === 409 ? new SessionTrouble('taken') : undefined;
}
