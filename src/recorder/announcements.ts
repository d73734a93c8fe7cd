import { createHash } from 'node:crypto';
import type { Clip, ClipEncoding } from '../media/clip.ts';
import { AnnouncementError } from './announcement-error.ts';
import type { AnnouncementChangeEvent } from './events.ts';
import { distinctMoments, stateAll } from './stated-changes.ts';

/** Stands for every language. */
const ANY_LOCALE = '*';

/** One text that can be played, in one language. */
export interface Announcement {
  readonly name: string;
  /** Two letters, or `*`. */
  readonly locale: string;
  /** Of the file that was uploaded, hex; of one that ships with the product, of its A-law form. */
  readonly sha256: string;
  readonly milliseconds: number;
  /** What it can be sent in. */
  readonly encodings: readonly ClipEncoding[];
  readonly source: 'shipped' | 'uploaded';
  /** Of uploads: when and by whom. */
  readonly addedAt?: number;
  readonly actor?: string;
}

/** Keeps announcements; `store/announcement-files.ts` fits. */
export interface AnnouncementFiles {
  /** Those that ship with the product, and those that were uploaded; with the changes of which it is not certain that the journal has them. */
  load(): Promise<KeptAnnouncements>;
  /**
   * Converts an upload and keeps it in place of one of the same name and language. What states it, as `changeOf` gives it, is on the disk with it.
   * Rejects with a code INVALID or MISSING when it cannot.
   */
  add(
    upload: AnnouncementUpload,
    changeOf: (added: Announcement) => AnnouncementChangeEvent,
  ): Promise<Announcement>;
  /** Removes the upload that a change names; as with `add`, what states it is kept. */
  remove(change: AnnouncementChangeEvent): Promise<void>;
  /** The journal has all changes until now. */
  stated(): Promise<void>;
  /** Rejects when it is not there. */
  clip(announcement: Announcement, encoding: ClipEncoding): Promise<Clip>;
}

export interface KeptAnnouncements {
  readonly all: readonly Announcement[];
  readonly unstated: readonly AnnouncementChangeEvent[];
}

export interface AnnouncementUpload {
  readonly name: string;
  readonly locale: string;
  /** WAV, MP3 or Ogg. */
  readonly file: Uint8Array;
  readonly addedAt: number;
  readonly actor: string;
}

export interface AnnouncementOptions {
  readonly files: AnnouncementFiles;
  /** States a change. Resolves with whether it is on disk, and with it whatever was stated before. Never rejects. */
  readonly state: (event: AnnouncementChangeEvent) => Promise<boolean>;
  readonly now: () => number;
  /** Language of a call that names none. */
  readonly locale: string;
}

/**
 * The announcements there are. A change is on disk before it holds, is stated in the log with who made it, and holds for the next call; a process
 * killed in between has it stated by the next one, as with `Policy`. What was played once is kept in memory.
 */
export class Announcements {
  readonly #options: AnnouncementOptions;
  #all: readonly Announcement[];
  readonly #clips = new Map<string, Promise<Clip>>();
  readonly #moment: () => number;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: AnnouncementOptions, all: readonly Announcement[]) {
    this.#options = options;
    this.#moment = distinctMoments(options.now);
    this.#all = all;
  }

  /** Reads what there is, and states what the process before did not get to. */
  static async open(options: AnnouncementOptions): Promise<Announcements> {
    const { all, unstated } = await options.files.load();
    const announcements = new Announcements(options, all);
    if (unstated.length > 0) await announcements.#declare(unstated);
    return announcements;
  }

  get list(): readonly Announcement[] {
    return this.#all;
  }

  get names(): readonly string[] {
    return [...new Set(this.#all.map(({ name }) => name))];
  }

  /**
   * What a call hears that asks for a name, with or without a language: an upload in that language, an upload for all, what ships in that
   * language, and only then another language. Undefined for a name there is none of.
   */
  find(name: string, locale = this.#options.locale): Announcement | undefined {
    const rank = ({ source, locale: own }: Announcement): number => {
      const uploaded = source === 'uploaded';
      if (own === locale) return uploaded ? 0 : 2;
      if (own === ANY_LOCALE) return 1;
      return own === this.#options.locale ? 3 : 4;
    };
    return this.#all.filter((each) => each.name === name).toSorted((a, b) => rank(a) - rank(b))[0];
  }

  /** Rejects when its file cannot be read. */
  clip(announcement: Announcement, encoding: ClipEncoding): Promise<Clip> {
    const key = `${announcement.sha256} ${encoding}`;
    const known = this.#clips.get(key);
    if (known !== undefined) return known;
    const clip = this.#options.files.clip(announcement, encoding);
    this.#clips.set(key, clip);
    clip.catch(() => this.#clips.delete(key));
    return clip;
  }

  /** Adds one, or replaces the upload of the same name and language. Rejects with what keeps the file from being converted or written. */
  add(upload: Omit<AnnouncementUpload, 'addedAt'>): Promise<Announcement> {
    return this.#inTurn(async () => {
      const allWith = (added: Announcement): readonly Announcement[] => [
        ...this.#all.filter((each) => !isUpload(each, added)),
        added,
      ];
      const at = this.#moment();
      const changeOf = (added: Announcement): AnnouncementChangeEvent =>
        this.#changeTo(allWith(added), { at, change: 'added', of: added });
      const added = await this.#options.files.add({ ...upload, addedAt: at }, changeOf);
      await this.#take(allWith(added), changeOf(added));
      return added;
    });
  }

  /**
   * Removes an upload. Rejects with AnnouncementError NO_ANNOUNCEMENT, or SHIPPED for one that came with the product.
   */
  remove(name: string, locale: string, actor: string): Promise<void> {
    return this.#inTurn(async () => {
      const removed = this.#all.find((each) => isUpload(each, { name, locale }));
      if (removed === undefined) throw this.#whyNone(name, locale);
      const left = this.#all.filter((each) => each !== removed);
      const at = this.#moment();
      const change = this.#changeTo(left, { at, change: 'removed', of: { ...removed, actor } });
      await this.#options.files.remove(change);
      await this.#take(left, change);
    });
  }

  #whyNone(name: string, locale: string): AnnouncementError {
    const named = this.#all.filter((each) => each.name === name);
    if (named.some((each) => each.source === 'shipped' && (each.locale === locale || locale === ANY_LOCALE)))
      return new AnnouncementError(
        'SHIPPED',
        `${name} came with the product and stays; add one of the same name to replace it.`,
      );
    const others = named.map((each) => each.locale).join(', ');
    return new AnnouncementError(
      'NO_ANNOUNCEMENT',
      others === ''
        ? `There is no announcement ${name}.`
        : `There is no announcement ${name} with this language, but with: ${others}.`,
    );
  }

  /** What states that there are others now. */
  #changeTo(
    all: readonly Announcement[],
    { of, ...when }: Pick<AnnouncementChangeEvent, 'at' | 'change'> & { readonly of: Announcement },
  ): AnnouncementChangeEvent {
    const { name, locale, sha256, actor = 'unknown' } = of;
    const hashes = { hashBefore: hashOf(this.#all), hashAfter: hashOf(all) };
    return { type: 'announcement', ...when, name, locale, sha256, actor, ...hashes };
  }

  async #take(all: readonly Announcement[], change: AnnouncementChangeEvent): Promise<void> {
    this.#all = all;
    this.#clips.clear();
    await this.#declare([change]);
  }

  async #declare(changes: readonly AnnouncementChangeEvent[]): Promise<void> {
    // Otherwise they wait in memory, and in the files for the next start. What is stated twice the log knows.
    if (await stateAll(changes, this.#options.state))
      await this.#options.files.stated().catch(() => undefined);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

const isUpload = (one: Announcement, other: Pick<Announcement, 'name' | 'locale'>): boolean =>
  one.source === 'uploaded' && one.name === other.name && one.locale === other.locale;

/** Of everything that can be played: `<name> <locale> <sha256>` a line, sorted. What the `config` entries of the evidence log name. */
const hashOf = (all: readonly Announcement[]): string =>
  createHash('sha256')
    .update(
      all
        .map(({ name, locale, sha256 }) => `${name} ${locale} ${sha256}\n`)
        .sort()
        .join(''),
    )
    .digest('hex');
