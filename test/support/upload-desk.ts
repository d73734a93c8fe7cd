import { randomUUID } from 'node:crypto';
import { eTagOf, LibraryRefusal, type DocumentLibrary, type LibraryItem } from './document-library.ts';
import type { ServiceAnswer } from './login-service.ts';

const UNIT = 327_680;
const LONGEST_FRAGMENT = 60 * 1024 * 1024;

export interface OpenSession {
  readonly parent: LibraryItem;
  readonly name: string;
  readonly conflict: 'fail' | 'replace';
  readonly deferCommit: boolean;
  readonly endsAt: number;
  parts: Buffer[];
  size: number | undefined;
}

/** Upload sessions as Graph documents them for OneDrive for Business (driveItem: createUploadSession). */
export class UploadDesk {
  readonly sessions = new Map<string, OpenSession>();
  /** Octets of all fragments that were taken. */
  received = 0;
  /** Milliseconds. */
  lifetime = 86_400_000;
  readonly #library: DocumentLibrary;

  constructor(library: DocumentLibrary) {
    this.#library = library;
  }

  /** While one is open for a name, there is no other. */
  begin(
    parent: LibraryItem,
    name: string,
    body: unknown,
    ifMatch: string | undefined,
  ): { readonly token: string; readonly endsAt: number } {
    const { item = {}, deferCommit = false } = (body ?? {}) as {
      readonly item?: Readonly<Record<string, unknown>>;
      readonly deferCommit?: boolean;
    };
    if ('fileSize' in item)
      throw new LibraryRefusal(400, 'invalidRequest', 'fileSize is not for this service');
    const conflict = item['@microsoft.graph.conflictBehavior'] === 'replace' ? 'replace' : 'fail';
    const there = this.#library.childOf(parent, name);
    if (ifMatch !== undefined && (there === undefined || eTagOf(there) !== ifMatch))
      throw new LibraryRefusal(412, 'resourceModified', 'The eTag does not match.');
    const used = [...this.sessions.values()].some(
      (each) => each.parent === parent && each.name.toLowerCase() === name.toLowerCase(),
    );
    if (used || (there !== undefined && conflict === 'fail'))
      throw new LibraryRefusal(
        409,
        'nameAlreadyExists',
        'A file with the same name is currently being uploaded.',
      );
    const token = randomUUID();
    const endsAt = Date.now() + this.lifetime;
    const session = { parent, name, conflict, deferCommit, endsAt, parts: [], size: undefined } as const;
    this.sessions.set(token, { ...session, parts: [] });
    return { token, endsAt };
  }

  /** All sessions end, with what they have. */
  expire(): void {
    this.sessions.clear();
  }

  answer(
    token: string,
    { method, range, body }: { readonly method: string; readonly range: string; readonly body: Buffer },
  ): ServiceAnswer {
    const session = this.sessions.get(token);
    if (session === undefined || session.endsAt < Date.now())
      throw new LibraryRefusal(404, 'itemNotFound', 'The upload session was not found.');
    if (method === 'GET') return { status: 200, json: stateOf(session) };
    if (method === 'DELETE') {
      this.sessions.delete(token);
      return { status: 204 };
    }
    if (method === 'POST') return this.#commit(token, session);
    this.#take(session, range, body);
    const whole = lengthOf(session) === session.size;
    return whole && !session.deferCommit
      ? this.#commit(token, session)
      : { status: 202, json: stateOf(session) };
  }

  #take(session: OpenSession, range: string, body: Buffer): void {
    const { from, to, total } = rangeOf(range, body.length);
    if (body.length >= LONGEST_FRAGMENT) throw new LibraryRefusal(413, 'invalidRequest', 'Too large.');
    if (to >= total || total !== (session.size ?? total)) throw invalid('Another total length was declared.');
    if (from < lengthOf(session))
      throw new LibraryRefusal(416, 'invalidRange', 'The fragment was received already.');
    if (from > lengthOf(session)) throw invalid('Fragments must be in order.');
    if (body.length % UNIT !== 0 && to + 1 !== total) throw invalid('Not a multiple of 320 KiB.');
    session.size = total;
    session.parts.push(body);
    this.received += body.length;
  }

  #commit(token: string, session: OpenSession): ServiceAnswer {
    if (lengthOf(session) !== session.size)
      throw new LibraryRefusal(400, 'invalidRequest', 'There are octets missing.');
    const { parent, name, conflict } = session;
    // A session whose file cannot be made stays until its time is over.
    const { item, isNew } = this.#library.store(parent, name, {
      content: Buffer.concat(session.parts),
      conflict,
    });
    this.sessions.delete(token);
    return { status: isNew ? 201 : 200, json: this.#library.describe(item) };
  }
}

const invalid = (message: string): LibraryRefusal => new LibraryRefusal(400, 'invalidRequest', message);

function rangeOf(
  header: string,
  length: number,
): { readonly from: number; readonly to: number; readonly total: number } {
  const [from = NaN, to = NaN, total = NaN] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(header) ?? [])
    .slice(1)
    .map(Number);
  if (to - from + 1 !== length) throw invalid('Content-Range does not fit the content.');
  return { from, to, total };
}

const lengthOf = ({ parts }: OpenSession): number => parts.reduce((sum, { length }) => sum + length, 0);

const stateOf = (session: OpenSession): unknown => ({
  expirationDateTime: new Date(session.endsAt).toISOString(),
  nextExpectedRanges: lengthOf(session) === session.size ? [] : [`${lengthOf(session)}-`],
});
