import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { recordingOf } from '../src/evidence/recording-files.ts';

/** The files of one recording in one folder. */
export interface RecordingFiles {
  readonly name: string;
  /** Below the archive's root, '' or ending in a slash. */
  readonly folder: string;
  /** Base names. */
  readonly files: readonly string[];
  /** Octets of audio after which the log says what a file was, by what follows the recording's name in its. */
  readonly beginnings?: readonly { readonly file: string; readonly bytes: number }[];
}

export interface Archive {
  readonly root: string;
  /**
   * What was asked for: all, a folder, one recording, or the log alone. A bundle is a folder with recordings and no log above them,
   * only what proves that they are in one.
   */
  readonly extent: 'archive' | 'folder' | 'recording' | 'log' | 'bundle';
  /** Folders of logs below the root. */
  readonly logs: readonly string[];
  /** Certificates that lie beside a bundle's recordings. */
  readonly certificates: readonly string[];
  readonly recordings: readonly RecordingFiles[];
  /** Recordings of the archive that were not asked for, by the last eight digits of their name. */
  readonly elsewhere: ReadonlyMap<string, string>;
  /** Files that belong to no recording. */
  readonly foreign: readonly string[];
}

/** The place asked for cannot be verified at all. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}

interface Listing {
  readonly recordings: Map<string, { name: string; folder: string; files: string[] }>;
  readonly foreign: string[];
}

/** Finds the archive around a path and lists what is in it. Throws UnreadableError. */
export async function openArchive(path: string): Promise<Archive> {
  const asked = await realpath(withoutQuote(path)).catch((error: unknown) => {
    throw new UnreadableError(`${path}: ${messageOf(error)}`);
  });
  const isFile = (await stat(asked)).isFile();
  if (!isFile && (await isLog(asked))) return logAlone(dirname(asked), basename(asked));
  const root = (await isBundle(asked, isFile)) ? undefined : await findRoot(asked);
  if (root === undefined) return openBundle(path, asked, isFile);
  return openWithin(root, path, asked, isFile);
}

/** Windows takes the backslash in `"E:\my stick\"` for one that belongs to the quote, and no name there has one. */
const withoutQuote = (path: string): string => (sep === '\\' ? path.replace(/"$/, '') : path);

async function openWithin(root: string, path: string, asked: string, isFile: boolean): Promise<Archive> {
  const below = relative(root, asked).split(sep).join('/');
  const listing: Listing = { recordings: new Map(), foreign: [] };
  await list(root, '', listing);
  const recordings = sorted(listing);
  const logs = await logFolders(root);
  const whole = { root, logs, certificates: [] };
  if (below === '')
    return { ...whole, extent: 'archive', recordings, elsewhere: new Map(), foreign: listing.foreign };
  if (below === 'evidence' || below.startsWith('evidence/'))
    return { ...whole, extent: 'log', recordings: [], elsewhere: elsewhereOf(recordings), foreign: [] };
  const wanted = isFile ? recordingPath(below) : `${below}/`;
  const isAsked = (recording: RecordingFiles): boolean =>
    isFile ? pathOf(recording) === wanted : recording.folder.startsWith(wanted);
  const chosen = recordings.filter(isAsked);
  if (chosen.length === 0) throw new UnreadableError(`${path}: no recording here`);
  return {
    ...whole,
    extent: isFile ? 'recording' : 'folder',
    recordings: chosen,
    elsewhere: elsewhereOf(recordings.filter((recording) => !isAsked(recording))),
    foreign: isFile ? [] : listing.foreign.filter((file) => file.startsWith(wanted)),
  };
}

/** Where a bundle keeps what is needed of the log: as `evidence/`, without the entries. */
const PROOFS = 'proof';

/** A folder that holds a log itself: `evidence/<slug>` taken out of its archive. */
const logAlone = (root: string, folder: string): Archive => ({
  root,
  extent: 'log',
  logs: [folder],
  certificates: [],
  recordings: [],
  elsewhere: new Map(),
  foreign: [],
});

/** Wherever it was unpacked, a bundle stands for itself. */
const isBundle = (asked: string, isFile: boolean): Promise<boolean> =>
  isFolder(join(isFile ? dirname(asked) : asked, PROOFS));

async function openBundle(path: string, asked: string, isFile: boolean): Promise<Archive> {
  const root = isFile ? dirname(asked) : asked;
  const listing: Listing = { recordings: new Map(), foreign: [] };
  await list(root, '', listing);
  const logs = (await isFolder(join(root, PROOFS))) ? await foldersIn(root, PROOFS) : [];
  const all = sorted(listing);
  const wanted = isFile ? recordingPath(basename(asked)) : undefined;
  const recordings = wanted === undefined ? all : all.filter((each) => pathOf(each) === wanted);
  if (recordings.length === 0) throw new UnreadableError(`${path}: no recording here, and no log`);
  const own = listing.foreign.filter((file) => !file.startsWith(`${PROOFS}/`));
  const certificates = own.filter((file) => /\.(?:pem|crt|cer)$/.test(file));
  const foreign = own.filter((file) => !certificates.includes(file));
  return {
    root,
    extent: 'bundle',
    logs,
    certificates,
    recordings,
    elsewhere: elsewhereOf(all.filter((each) => !recordings.includes(each))),
    foreign: isFile ? [] : foreign,
  };
}

const sorted = (listing: Listing): readonly RecordingFiles[] =>
  [...listing.recordings.values()].sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1));

const pathOf = ({ folder, name }: RecordingFiles): string => `${folder}${name}`;

const elsewhereOf = (recordings: readonly RecordingFiles[]): ReadonlyMap<string, string> =>
  new Map(recordings.map((recording) => [recording.name.slice(-8), pathOf(recording)]));

function recordingPath(file: string): string {
  const recording = recordingOf(basename(file));
  if (recording === undefined) throw new UnreadableError(`${file}: not a file of a recording`);
  return file.slice(0, file.length - basename(file).length) + recording;
}

/** The nearest folder upwards that contains `evidence/` with a log in it. */
async function findRoot(from: string): Promise<string | undefined> {
  for (let folder = from; ; folder = dirname(folder)) {
    if (await isFolder(join(folder, 'evidence'))) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

async function logFolders(root: string): Promise<readonly string[]> {
  const folders = await foldersIn(root, 'evidence');
  if (folders.length === 0) throw new UnreadableError(`${join(root, 'evidence')}: no log here`);
  return folders;
}

async function foldersIn(root: string, folder: string): Promise<readonly string[]> {
  const found = await readdir(join(root, folder), { withFileTypes: true });
  return found.flatMap((entry) => (entry.isDirectory() ? `${folder}/${entry.name}` : [])).sort();
}

const isLog = async (folder: string): Promise<boolean> =>
  (await isFolder(join(folder, 'entries'))) && basename(dirname(folder)) !== 'evidence';

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true;
}

async function list(root: string, folder: string, listing: Listing): Promise<void> {
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory()) {
      if (path !== 'evidence') await list(root, `${path}/`, listing);
    } else addFile(folder, entry.name, listing);
  }
}

function addFile(folder: string, file: string, { recordings, foreign }: Listing): void {
  const name = recordingOf(file);
  if (name === undefined) {
    foreign.push(`${folder}${file}`);
    return;
  }
  const known = recordings.get(`${folder}${name}`);
  if (known === undefined) recordings.set(`${folder}${name}`, { name, folder, files: [file] });
  else known.files.push(file);
}

export const messageOf = (error: unknown): string =>
  (error as { readonly message?: string } | null)?.message ?? String(error);
