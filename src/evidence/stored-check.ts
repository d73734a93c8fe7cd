import type { SealedEntry } from './call-check.ts';
import type { ReadEntry } from './chain-check.ts';
import type { StoredBody } from './entry-types.ts';
import { fault, note, type Finding } from './finding.ts';

/** A `stored` entry: where a recording was proved to be. */
export interface StoredCopy {
  readonly index: number;
  readonly file: string;
  readonly time: string;
  readonly body: StoredBody;
}

/** Follows where the recordings were delivered: what was stored must be what was sealed, and a deletion must speak of every place. */
export class StoredCheck {
  readonly findings: Finding[] = [];
  /** By the recording's UUID, in order. */
  readonly copies = new Map<string, StoredCopy[]>();
  /** Of recordings that no entry of this log seals: an earlier epoch may have. */
  readonly strangers: StoredCopy[] = [];
  readonly #sealed = new Map<string, string>();

  add(entry: ReadEntry): void {
    const { header, body, file } = entry;
    if (body.type === 'recording') this.#sealed.set(body.rec, body.hash);
    else if (body.type === 'tombstone') this.#delete(entry, body.rec, body.targets);
    if (body.type !== 'stored') return;
    const copy = { index: header.index, file, time: header.time, body };
    const known = this.copies.get(body.rec);
    if (known === undefined) this.copies.set(body.rec, [copy]);
    else known.push(copy);
    const hash = this.#sealed.get(body.rec);
    if (hash === undefined) this.strangers.push(copy);
    else this.findings.push(...compareStored(copy, hash));
  }

  /** More places than fit into the line are counted there, and not compared. */
  #delete({ header, file }: ReadEntry, rec: string, targets: string): void {
    const named = new Set(targets.split(' ').map((target) => target.replace(/=.*$/, '')));
    if (named.has('and-more')) return;
    for (const target of new Set(this.copies.get(rec)?.map(({ body }) => body.target)))
      if (!named.has(target))
        this.findings.push(
          note(
            'COPY_UNEXPLAINED',
            file,
            `entry ${header.index}: recording ${rec} was deleted, yet of its copy at ${target} the entry says nothing`,
          ),
        );
  }
}

/** What arrived must be what was sealed; `hash` is that of the sealed list. */
function compareStored({ index, file, body }: StoredCopy, hash: string): readonly Finding[] {
  if (body.checksum === hash) return [];
  const detail = `entry ${index}: what is at ${body.target} is not what was sealed of recording ${body.rec}`;
  return [fault('STORED_DIFFERS', file, detail)];
}

/**
 * Copies of recordings that their own log does not seal. They belong to an earlier epoch of it; where the entry of that is missing
 * although all epochs are here, the copy is of something that was never sealed.
 */
export function compareStrangers(
  strangers: readonly StoredCopy[],
  earlier: readonly (ReadonlyMap<number, SealedEntry> | undefined)[],
): readonly Finding[] {
  const sealed = new Map<string, string>();
  for (const recordings of earlier)
    for (const { body } of recordings?.values() ?? []) sealed.set(body.rec, body.hash);
  return strangers.flatMap((copy) => {
    const hash = sealed.get(copy.body.rec);
    if (hash !== undefined) return compareStored(copy, hash);
    if (earlier.includes(undefined)) return [];
    const detail = `entry ${copy.index}: recording ${copy.body.rec} was never sealed before it came to ${copy.body.target}`;
    return [fault('STORED_DIFFERS', copy.file, detail)];
  });
}
