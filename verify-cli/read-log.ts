import type { Dirent } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseEntry } from '../src/evidence/entry.ts';
import { EvidenceError } from '../src/evidence/evidence-error.ts';
import type { NamedBytes } from '../src/evidence/keyring.ts';
import { parseOrigin } from '../src/evidence/origin.ts';
import type { TokenFile } from '../src/evidence/stamp-check.ts';
import {
  LogCheck,
  type CheckedLog,
  type CheckpointFiles,
  type LogFiles,
  type NoteFile,
  type Trust,
} from '../src/evidence/verify-log.ts';
import type { KeyrollFiles } from '../src/evidence/verify-keyrolls.ts';
import { UnreadableError, type Archive } from './archive.ts';

/**
 * Reads and verifies one log; `folder` is its place below the root. Of a bundle's it is no fault that the entries are not there.
 * Throws UnreadableError when it cannot be a log.
 */
export async function readLog(
  { root, extent }: Pick<Archive, 'root' | 'extent'>,
  folder: string,
  trust: Trust,
): Promise<CheckedLog> {
  const place = new LogFolder(root, folder);
  const check = new LogCheck(await filesOf(place, extent === 'bundle'), trust);
  for (const below of await entryFiles(place)) check.addEntryFile(below, await place.read(below));
  return check.finish();
}

/** A log's folder; everything in it is named by its path below. */
class LogFolder {
  readonly folder: string;
  readonly #path: string;

  constructor(root: string, folder: string) {
    this.folder = folder;
    this.#path = join(root, folder);
  }

  read(below: string): Promise<Uint8Array> {
    return readFile(join(this.#path, below));
  }

  async named(below: string): Promise<NamedBytes> {
    return { file: `${this.folder}/${below}`, bytes: await this.read(below) };
  }

  /** Names in a folder in their order; none when the folder is not there. */
  async names(below: string): Promise<readonly string[]> {
    return (await this.#list(below)).map(({ name }) => name).sort();
  }

  /** Of these only the folders. */
  async folders(below: string): Promise<readonly string[]> {
    return (await this.#list(below)).flatMap((entry) => (entry.isDirectory() ? entry.name : [])).sort();
  }

  async #list(below: string): Promise<readonly Dirent[]> {
    try {
      return await readdir(join(this.#path, below), { withFileTypes: true });
    } catch (error) {
      if ((error as { readonly code?: string }).code === 'ENOENT') return [];
      throw error;
    }
  }
}

async function filesOf(place: LogFolder, partial: boolean): Promise<LogFiles> {
  const here = await place.names('');
  const genesis = here.includes('genesis.txt') ? await place.read('genesis.txt') : undefined;
  const certificates: NamedBytes[] = [];
  for (const name of here.filter((file) => file.endsWith('.pem'))) certificates.push(await place.named(name));
  const issuers: NamedBytes[] = [];
  for (const name of (await place.names('ca')).filter((file) => file.endsWith('.pem')))
    issuers.push(await place.named(`ca/${name}`));
  const authorities: NamedBytes[] = [];
  for (const name of (await place.names('tsa')).filter((file) => file.endsWith('.pem')))
    authorities.push(await place.named(`tsa/${name}`));
  const forks: NamedBytes[] = [];
  for (const name of (await place.names('fork')).filter((file) => file.endsWith('.note')))
    forks.push(await place.named(`fork/${name}`));
  const checkpoint = await place.names('checkpoint');
  return {
    origin: originOf(place.folder, genesis),
    folder: place.folder,
    partial,
    genesis,
    certificates,
    issuers,
    authorities,
    checkpoints: await readCheckpoints(place, checkpoint),
    tokens: await readTokens(place, checkpoint),
    keyrolls: await readKeyrolls(place, here),
    forks,
    notes: [...(await readNotes(place, 'witness')), ...(await readNotes(place, 'peer'))],
  };
}

/** The folder's name says whose log it is; where it was renamed, the genesis does. */
function originOf(folder: string, genesis: Uint8Array | undefined): string {
  const candidates = [
    () => basename(folder).replaceAll('_', '/'),
    () => (genesis === undefined ? '' : parseEntry(genesis).header.origin),
  ];
  for (const candidate of candidates)
    try {
      const origin = candidate();
      parseOrigin(origin);
      return origin;
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
    }
  throw new UnreadableError(`${folder}: not the folder of a log`);
}

/**
 * Everything below `entries/` that calls itself an entry file, well placed or not. What else lies there says nothing of the log: a
 * recorder that was killed leaves unfinished copies (`.sealtape-….part`, swept away later), file servers and people leave theirs.
 */
async function entryFiles(place: LogFolder): Promise<readonly string[]> {
  const files: string[] = [];
  for (const thousand of await place.folders('entries'))
    for (const file of await place.names(`entries/${thousand}`))
      if (file.endsWith('.txt')) files.push(`entries/${thousand}/${file}`);
  return files;
}

const PARTS = { '.txt': 'text', '.sig': 'signature', '.new.sig': 'newSignature', '.sums': 'sums' } as const;

async function readCheckpoints(
  place: LogFolder,
  names: readonly string[],
): Promise<readonly CheckpointFiles[]> {
  const found = new Map<string, CheckpointFiles>();
  for (const name of names) {
    const [, size, ending] = /^([^.]*)(\.txt|\.sig|\.new\.sig|\.sums)$/.exec(name) ?? [];
    if (size === undefined || ending === undefined) continue;
    const files = found.get(size) ?? { file: `${place.folder}/checkpoint/${size}`, size };
    found.set(size, {
      ...files,
      [PARTS[ending as keyof typeof PARTS]]: await place.read(`checkpoint/${name}`),
    });
  }
  return [...found.values()];
}

async function readTokens(place: LogFolder, names: readonly string[]): Promise<readonly TokenFile[]> {
  const tokens: TokenFile[] = [];
  for (const name of names) {
    const [, size, authority = ''] = /^([^.]*)(?:\.(.+))?\.tsr$/.exec(name) ?? [];
    if (size === undefined) continue;
    const query = name.replace(/\.tsr$/, '.tsq');
    tokens.push({
      ...(await place.named(`checkpoint/${name}`)),
      size: Number(size),
      authority,
      query: names.includes(query) ? await place.read(`checkpoint/${query}`) : undefined,
    });
  }
  return tokens;
}

async function readKeyrolls(place: LogFolder, names: readonly string[]): Promise<readonly KeyrollFiles[]> {
  const numbers = new Set(names.flatMap((name) => /^keyroll-([^.]*)\./.exec(name)?.[1] ?? []));
  const read = (name: string): Promise<Uint8Array | undefined> =>
    names.includes(name) ? place.read(name) : Promise.resolve(undefined);
  const files: KeyrollFiles[] = [];
  for (const n of numbers)
    files.push({
      file: `${place.folder}/keyroll-${n}`,
      n,
      text: await read(`keyroll-${n}.txt`),
      oldSignature: await read(`keyroll-${n}.old.sig`),
      newSignature: await read(`keyroll-${n}.new.sig`),
    });
  return files;
}

async function readNotes(place: LogFolder, kind: NoteFile['kind']): Promise<readonly NoteFile[]> {
  const notes: NoteFile[] = [];
  for (const file of await place.names(kind)) {
    const [, size, name] = /^([^.]*)\.(.*)\.note$/.exec(file) ?? [];
    if (size === undefined || name === undefined) continue;
    notes.push({ ...(await place.named(`${kind}/${file}`)), kind, size: Number(size), name });
  }
  return notes;
}
