import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AlarmBell } from '../alarm.ts';
import type { NodeKeys } from '../store/node-keys.ts';
import { codeOf, reasonOf } from '../store/store-error.ts';

/** What signs, and what keeps the names of users out of the log. */
export interface OpenedKeys {
  readonly keys: NodeKeys;
  readonly actorSecret: Uint8Array;
}

export interface KeysAtHandOptions {
  /** Rejects with StoreError KEYS_DAMAGED or KEYS_LOCKED, whose message names the file. */
  readonly open: () => Promise<OpenedKeys>;
  /** Files and folders whose change is worth another try. */
  readonly places: readonly string[];
  /** What becomes of calls meanwhile. */
  readonly mode: 'refuse' | 'record';
  readonly bell: AlarmBell;
  readonly now: () => number;
}

const LOOK_EVERY = 2000;
const MISSING = 'keys-missing';
const LOST = /^KEYS_(?:DAMAGED|LOCKED)$/;

/**
 * The keys of this node, also while they cannot be had: lost, damaged, locked, or of another log. The recorder runs all the same, says so,
 * and takes them up as soon as somebody has brought them back.
 */
export class KeysAtHand {
  readonly #options: KeysAtHandOptions;
  #opened: OpenedKeys | undefined;
  #missing: { readonly since: number; readonly text: string } | undefined;
  #waiting: ((opened: OpenedKeys) => void)[] = [];
  #missed: (() => void)[] = [];
  #traces = '';
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: KeysAtHandOptions) {
    this.#options = options;
  }

  get opened(): OpenedKeys | undefined {
    return this.#opened;
  }

  /** Since when they are missing, epoch milliseconds, and why; undefined while they are there. */
  get missing(): { readonly since: number; readonly text: string } | undefined {
    return this.#missing;
  }

  /** Whether calls are turned away because nothing could be signed. */
  get refusing(): boolean {
    return this.#missing !== undefined && this.#options.mode === 'refuse';
  }

  /** Opens them for the first time. Rejects only with what is no matter of the keys. */
  async start(): Promise<void> {
    await this.#open();
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  whenOpened(): Promise<OpenedKeys> {
    if (this.#opened !== undefined) return Promise.resolve(this.#opened);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves as soon as they are found to be missing. */
  async whenMissing(): Promise<void> {
    if (this.#missing === undefined) await new Promise<void>((resolve) => this.#missed.push(resolve));
  }

  /** They open, but cannot go on with the log: another start of them is only tried when something has changed on disk. */
  lose(text: string): void {
    this.#opened = undefined;
    this.#miss(text);
  }

  /** Tries again when a file has changed; `always` in any case. Never rejects. */
  async look(always = false): Promise<void> {
    this.#looking ??= this.#look(always).finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async #look(always: boolean): Promise<void> {
    if (this.#opened !== undefined) return;
    if (!always && (await tracesOf(this.#options.places)) === this.#traces) return;
    await this.#open().catch((error: unknown) => {
      this.#miss(reasonOf(error));
    });
  }

  async #open(): Promise<void> {
    // Before the try: what changes during it is looked at again.
    this.#traces = await tracesOf(this.#options.places);
    try {
      this.#opened = await this.#options.open();
    } catch (error) {
      if (!LOST.test(codeOf(error))) throw error;
      this.#miss(reasonOf(error));
      return;
    }
    // Opening them may have written something.
    this.#traces = await tracesOf(this.#options.places);
    this.#missing = undefined;
    this.#options.bell.clear(MISSING);
    for (const resolve of this.#waiting.splice(0)) resolve(this.#opened);
  }

  #miss(text: string): void {
    for (const resolve of this.#missed.splice(0)) resolve();
    this.#missing = { since: this.#missing?.since ?? this.#options.now(), text };
    const meanwhile =
      this.#options.mode === 'refuse'
        ? 'new calls are refused until then'
        : 'calls are recorded unsigned until then';
    this.#options.bell.raise({
      code: MISSING,
      severity: 'critical',
      text: `the signing keys cannot be used: ${text}. Bring them back (docs/keys.md), or give them up with \`sealtape keys reset\`; ${meanwhile}`,
    });
  }
}

/** Sizes and times of what lies at the places, and right below them. */
async function tracesOf(places: readonly string[]): Promise<string> {
  const traces: string[] = [];
  for (const place of places) {
    const names = await readdir(place).catch(() => []);
    for (const path of [place, ...names.map((name) => join(place, name))])
      traces.push(
        await stat(path).then(
          ({ ino, size, mtimeMs, ctimeMs }) => `${path} ${ino} ${size} ${mtimeMs} ${ctimeMs}`,
          (error: unknown) => `${path} ${codeOf(error)}`,
        ),
      );
  }
  return traces.join('\n');
}
