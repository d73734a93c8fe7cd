import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { CLIP_ENCODINGS, clipOf, type Clip, type ClipEncoding } from '../media/clip.ts';
import type {
  Announcement,
  AnnouncementFiles,
  AnnouncementUpload,
  KeptAnnouncements,
} from '../recorder/announcements.ts';
import type { AnnouncementChangeEvent } from '../recorder/events.ts';
import { syncDirectory, TEMPORARY } from './create-once.ts';
import type { Ffmpeg } from './ffmpeg.ts';
import { codeOf, StoreError } from './store-error.ts';

export interface AnnouncementFolders {
  /** Where uploads are kept; made when there is a first one. */
  readonly uploads: string;
  /** Those that came with the product. */
  readonly shipped: string;
  readonly ffmpeg: Pick<Ffmpeg, 'encode'>;
  readonly maxSeconds: number;
}

const INDEX = 'announcements.json';
const INCOMING = 'incoming-';
/** Of a conversion: far more than the longest takes. */
const PATIENCE = 120_000;

const Listed = z.object({
  name: z.string(),
  locale: z.string(),
  folder: z.string().regex(/^[a-z0-9*.-]+$/),
  sha256: z.string(),
  milliseconds: z.number(),
  encodings: z.array(z.enum(CLIP_ENCODINGS)),
  addedAt: z.number().optional(),
  actor: z.string().optional(),
});
type Listed = z.infer<typeof Listed>;

const Change = z.object({
  type: z.literal('announcement'),
  at: z.number(),
  change: z.enum(['added', 'removed']),
  name: z.string(),
  locale: z.string(),
  sha256: z.string(),
  actor: z.string(),
  hashBefore: z.string(),
  hashAfter: z.string(),
});

/** A list alone, or with the changes that may not be stated yet. */
const Index = z.union([
  z.array(Listed).transform((listed) => ({ listed, unstated: [] })),
  z.object({ listed: z.array(Listed), unstated: z.array(Change) }),
]);
type Index = Readonly<z.infer<typeof Index>>;

const FILE: Readonly<Record<ClipEncoding, string>> = {
  PCMA: 'audio.al',
  PCMU: 'audio.ul',
  G722: 'audio.g722',
  OPUS: 'audio.opus',
};

/** G.711 every telephone has; what else an ffmpeg can encode depends on how it was built. */
const NEEDED: readonly ClipEncoding[] = ['PCMA', 'PCMU'];
const OPTIONAL: readonly ClipEncoding[] = ['G722', 'OPUS'];

const ARGUMENTS: Readonly<Record<ClipEncoding, readonly string[]>> = {
  PCMA: ['-ar', '8000', '-c:a', 'pcm_alaw', '-f', 'alaw'],
  PCMU: ['-ar', '8000', '-c:a', 'pcm_mulaw', '-f', 'mulaw'],
  G722: ['-ar', '16000', '-c:a', 'g722', '-f', 'g722'],
  OPUS: [
    ...['-ar', '48000', '-c:a', 'libopus', '-b:a', '24k', '-application', 'voip'],
    ...['-frame_duration', '20', '-f', 'ogg'],
  ],
};

/**
 * Announcements as folders of encoded audio, listed in `announcements.json`. The list names a folder only once all of it is on the disk, and is
 * written whole or not at all: a crash leaves what was before or after a change.
 */
export class StoredAnnouncements implements AnnouncementFiles {
  readonly #folders: AnnouncementFolders;

  constructor(folders: AnnouncementFolders) {
    this.#folders = folders;
  }

  /** Rejects with StoreError CORRUPT for a list that cannot be read. */
  async load(): Promise<KeptAnnouncements> {
    await this.#sweep();
    const { shipped, uploads } = this.#folders;
    const [ours, theirs] = await Promise.all([readList(shipped), readIndex(uploads)]);
    const all = [
      ...ours.map((each) => announced(each, 'shipped')),
      ...theirs.listed.map((each) => announced(each, 'uploaded')),
    ];
    return { all, unstated: theirs.unstated };
  }

  async add(
    upload: AnnouncementUpload,
    changeOf: (added: Announcement) => AnnouncementChangeEvent,
  ): Promise<Announcement> {
    const { uploads } = this.#folders;
    const format = formatOf(upload.file);
    if (format === undefined)
      throw new StoreError('INVALID', 'this is no WAV, MP3 or Ogg file by its first octets');
    await mkdir(uploads, { recursive: true, mode: 0o750 });
    const incoming = join(uploads, `${INCOMING}${randomUUID()}`);
    await mkdir(incoming, { mode: 0o750 });
    try {
      const original = join(incoming, `original.${format}`);
      await writeFile(original, upload.file, { flush: true });
      const made = await this.#convert({ path: original, format }, incoming);
      const listed = {
        name: upload.name,
        locale: upload.locale,
        sha256: sha256(upload.file),
        ...made,
        addedAt: upload.addedAt,
        actor: upload.actor,
        // A name of its own each time: what is being played is not overwritten.
        folder: `${upload.name}.${upload.locale === '*' ? 'any' : upload.locale}-${randomUUID().slice(0, 8)}`,
      };
      await rename(incoming, join(uploads, listed.folder));
      const added = announced(listed, 'uploaded');
      await this.#replace(listed, [listed], changeOf(added));
      return added;
    } catch (error) {
      throw withoutPath(error, incoming);
    } finally {
      await rm(incoming, { recursive: true, force: true });
    }
  }

  async remove(change: AnnouncementChangeEvent): Promise<void> {
    await this.#replace(change, [], change);
  }

  async stated(): Promise<void> {
    const { listed, unstated } = await readIndex(this.#folders.uploads);
    if (unstated.length > 0) await this.#write({ listed, unstated: [] });
  }

  async clip(announcement: Announcement, encoding: ClipEncoding): Promise<Clip> {
    const root = announcement.source === 'shipped' ? this.#folders.shipped : this.#folders.uploads;
    const listed = (await readList(root)).find(
      (each) => isSame(each, announcement) && each.sha256 === announcement.sha256,
    );
    if (listed === undefined) throw new StoreError('MISSING', `no announcement ${announcement.name}`);
    return clipOf(encoding, await readFile(join(root, listed.folder, FILE[encoding])));
  }

  /** Everything G.711, or nothing; then what else this ffmpeg can. */
  async #convert(
    from: { readonly path: string; readonly format: string },
    folder: string,
  ): Promise<Pick<Listed, 'milliseconds' | 'encodings'>> {
    const { ffmpeg, maxSeconds } = this.#folders;
    const signal = AbortSignal.timeout(PATIENCE);
    const outputOf = (encoding: ClipEncoding): readonly string[] => [
      // One more than allowed, to see that it is too long.
      ...['-t', String(maxSeconds + 1), ...ARGUMENTS[encoding]],
      join(folder, FILE[encoding]),
    ];
    await ffmpeg.encode(from, NEEDED.map(outputOf), signal);
    const milliseconds = Math.floor((await stat(join(folder, FILE.PCMA))).size / 8);
    if (milliseconds > maxSeconds * 1000)
      throw new StoreError('INVALID', `it is longer than ${maxSeconds} seconds (announcements.maxSeconds)`);
    if (milliseconds < 20) throw new StoreError('INVALID', 'there is no sound in it');
    const encodings = [...NEEDED];
    for (const encoding of OPTIONAL)
      await ffmpeg.encode(from, [outputOf(encoding)], signal).then(
        () => encodings.push(encoding),
        () => rm(join(folder, FILE[encoding]), { force: true }),
      );
    for (const encoding of encodings) await syncFile(join(folder, FILE[encoding]));
    await syncDirectory(folder);
    return { milliseconds, encodings };
  }

  /** Puts others in the place of one in the list; folders that nobody names any more go. */
  async #replace(
    one: Pick<Listed, 'name' | 'locale'>,
    others: readonly Listed[],
    change: AnnouncementChangeEvent,
  ): Promise<void> {
    const { uploads } = this.#folders;
    const { listed, unstated } = await readIndex(uploads);
    await syncDirectory(uploads);
    const kept = listed.filter((each) => !isSame(each, one));
    await this.#write({ listed: [...kept, ...others], unstated: [...unstated, change] });
    await this.#sweep();
  }

  async #write({ listed, unstated }: Index): Promise<void> {
    const { uploads } = this.#folders;
    const temporary = join(uploads, `${INDEX}${TEMPORARY}`);
    const index = unstated.length === 0 ? listed : { listed, unstated };
    await writeFile(temporary, `${JSON.stringify(index, null, 2)}\n`, { flush: true, mode: 0o640 });
    await rename(temporary, join(uploads, INDEX));
    await syncDirectory(uploads);
  }

  /** Removes what a crash or a change left behind. */
  async #sweep(): Promise<void> {
    const { uploads } = this.#folders;
    const there = await readdir(uploads, { withFileTypes: true }).catch(() => []);
    const named = new Set((await readList(uploads)).map(({ folder }) => folder));
    for (const entry of there)
      if (entry.isDirectory() && !named.has(entry.name))
        await rm(join(uploads, entry.name), { recursive: true, force: true });
  }
}

/** What ffmpeg says names the file by its whole path, which is nobody's business. */
function withoutPath(error: unknown, folder: string): unknown {
  const { message = '' } = error as { readonly message?: string };
  if (codeOf(error) !== 'INVALID') return error;
  return new StoreError('INVALID', message.replace(/^INVALID: /, '').replaceAll(`${folder}/`, ''), {
    cause: error,
  });
}

const announced = (
  { name, locale, sha256: hash, milliseconds, encodings, addedAt, actor }: Listed,
  source: Announcement['source'],
): Announcement => ({
  name,
  locale,
  sha256: hash,
  milliseconds,
  encodings,
  source,
  ...(addedAt !== undefined && { addedAt }),
  ...(actor !== undefined && { actor }),
});

const isSame = (one: Pick<Listed, 'name' | 'locale'>, other: Pick<Listed, 'name' | 'locale'>): boolean =>
  one.name === other.name && one.locale === other.locale;

const readList = async (root: string): Promise<readonly Listed[]> => (await readIndex(root)).listed;

async function readIndex(root: string): Promise<Index> {
  const path = join(root, INDEX);
  try {
    return Index.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return { listed: [], unstated: [] };
    throw new StoreError(
      'CORRUPT',
      `${basename(dirname(path))}/${INDEX} cannot be read; restore it from your backup`,
      { cause },
    );
  }
}

/** By the first octets; the names of files and what a client calls them say little. */
function formatOf(file: Uint8Array): 'wav' | 'mp3' | 'ogg' | undefined {
  const head = Buffer.from(file.subarray(0, 12)).toString('latin1');
  if (/^(?:RIFF|RF64)....WAVE$/s.test(head)) return 'wav';
  if (head.startsWith('OggS')) return 'ogg';
  const [first = 0, second = 0] = file;
  // A tag, or the sync word of a frame of layer III (ISO 11172-3 2.4.1.3).
  return head.startsWith('ID3') || (first === 0xff && (second & 0xe6) === 0xe2) ? 'mp3' : undefined;
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
