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
}

export interface Archive {
  readonly root: string;
  /** What was asked for: all, a folder, one recording, or the log alone. */
  readonly extent: 'archive' | 'folder' | 'recording' | 'log';
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
  const asked = await realpath(path).catch((error: unknown) => {
    throw new UnreadableError(`${path}: ${messageOf(error)}`);
  });
  const root = await findRoot(asked);
  const below = relative(root, asked).split(sep).join('/');
  const isFile = (await stat(asked)).isFile();
  const listing: Listing = { recordings: new Map(), foreign: [] };
  await list(root, '', listing);
  const recordings = [...listing.recordings.values()].sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1));
  if (below === '')
    return { root, extent: 'archive', recordings, elsewhere: new Map(), foreign: listing.foreign };
  if (below === 'evidence' || below.startsWith('evidence/'))
    return { root, extent: 'log', recordings: [], elsewhere: elsewhereOf(recordings), foreign: [] };
  const wanted = isFile ? recordingPath(below) : `${below}/`;
  const isAsked = (recording: RecordingFiles): boolean =>
    isFile ? pathOf(recording) === wanted : recording.folder.startsWith(wanted);
  const chosen = recordings.filter(isAsked);
  if (chosen.length === 0) throw new UnreadableError(`${path}: no recording here`);
  return {
    root,
    extent: isFile ? 'recording' : 'folder',
    recordings: chosen,
    elsewhere: elsewhereOf(recordings.filter((recording) => !isAsked(recording))),
    foreign: isFile ? [] : listing.foreign.filter((file) => file.startsWith(wanted)),
  };
}

const pathOf = ({ folder, name }: RecordingFiles): string => `${folder}${name}`;

const elsewhereOf = (recordings: readonly RecordingFiles[]): ReadonlyMap<string, string> =>
  new Map(recordings.map((recording) => [recording.name.slice(-8), pathOf(recording)]));

function recordingPath(file: string): string {
  const recording = recordingOf(basename(file));
  if (recording === undefined) throw new UnreadableError(`${file}: not a file of a recording`);
  return file.slice(0, file.length - basename(file).length) + recording;
}

/** The nearest folder upwards that contains `evidence/`. */
async function findRoot(from: string): Promise<string> {
  for (let folder = from; ; folder = dirname(folder)) {
    const evidence = await stat(join(folder, 'evidence')).catch(() => undefined);
    if (evidence?.isDirectory() === true) return folder;
    if (dirname(folder) === folder)
      throw new UnreadableError(`${from}: neither here nor above is a folder "evidence"`);
  }
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
