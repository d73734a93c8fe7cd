import type { ReadEntry } from './chain-check.ts';
import type { KeyrollBody } from './entry-types.ts';
import { fault, type Finding } from './finding.ts';

/** A `keyroll` entry as it was read. */
export interface KeyrollEntry {
  readonly index: number;
  readonly file: string;
  readonly body: KeyrollBody;
}

/** An entry that names a key. */
export interface KeyMoment {
  readonly index: number;
  /** As the entry states it. */
  readonly time: string;
  readonly file: string;
}

/** The first and the last entry that name a key. */
export interface KeyUse {
  readonly key: string;
  readonly first: KeyMoment;
  last: KeyMoment;
}

/** Follows the signing key through the log: it changes by a `keyroll` entry alone, and an old one never comes back. */
export class KeyCheck {
  readonly findings: Finding[] = [];
  readonly rolls: KeyrollEntry[] = [];
  readonly uses = new Map<string, KeyUse>();
  readonly #spans: { readonly from: number; readonly key: string }[] = [];
  readonly #replaced = new Set<string>();
  /** The key that the next entry must name. */
  #next: string | undefined;

  add({ header, body, file }: ReadEntry): void {
    const { index, key, time } = header;
    const moment = { index, time, file };
    const use = this.uses.get(key);
    if (use === undefined) this.uses.set(key, { key, first: moment, last: moment });
    else use.last = moment;
    if (key !== (this.#next ?? key)) this.#refuse(file, index, key);
    if (this.#spans.at(-1)?.key !== key) this.#spans.push({ from: index, key });
    this.#next = key;
    if (body.type !== 'keyroll') return;
    if (body.old !== key)
      this.findings.push(
        fault('KEYROLL_INVALID', file, `entry ${index} replaces a key that does not sign it`),
      );
    this.#replaced.add(key);
    this.#next = body.new;
    this.rolls.push({ index, file, body });
  }

  /** The key that the entry with this index names. */
  keyAt(index: number): string | undefined {
    return this.#spans.findLast(({ from }) => from <= index)?.key;
  }

  #refuse(file: string, index: number, key: string): void {
    this.findings.push(
      this.#replaced.has(key)
        ? fault(
            'KEY_AFTER_ROLL',
            file,
            `entry ${index} names key sha256:${key}, which had been replaced before`,
          )
        : fault(
            'KEY_CHANGED',
            file,
            `entry ${index} names another key than those before it, without a key roll`,
          ),
    );
  }
}
