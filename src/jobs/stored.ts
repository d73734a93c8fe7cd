import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { StoredBody } from '../evidence/entry-types.ts';
import { parseInfo } from '../evidence/info.ts';
import type { CopyRow, FileRow, SealFiles } from './ports.ts';

/** What an entry line can hold (docs/evidence-format.md 3.1, text). */
const TEXT = /^[!-~](?:[ -~]{0,198}[!-~])?$/;

/** The random number of a recording's info file. Rejects when that is not in the spool. */
export async function nonceOf(files: readonly FileRow[], spool: Pick<SealFiles, 'path'>): Promise<string> {
  const info = files.find(({ kind }) => kind === 'info');
  if (info === undefined) throw new Error('a sealed recording has no info file');
  const fields = new Map(parseInfo(await readFile(spool.path(info.recording, info.name))));
  return fields.get('Nonce') ?? '';
}

/**
 * What the log says of a recording whose files are proved at a destination (evidence.md 1.4). A location holds numbers and names, and the
 * hash outlives it: with the nonce of the info file it cannot be guessed back to them once that is deleted.
 */
export function storedBody(
  files: readonly FileRow[],
  copies: readonly CopyRow[],
  nonce: string,
): Omit<StoredBody, 'rec' | 'target'> {
  const audio = files.find(({ kind }) => kind === 'audio');
  const copy = copies.find(({ name }) => name === audio?.name) ?? copies[0];
  const version = copy?.version ?? '';
  return {
    type: 'stored',
    locatorHash: sha256(`${nonce} ${copy?.location ?? ''}`),
    versionId: TEXT.test(version) ? version : '-',
    checksum: files.find(({ kind }) => kind === 'hash')?.sha256 ?? '',
    ...lockOf(copies),
  };
}

/** What holds for all of the copies: the earliest end, and the weaker way. */
function lockOf(copies: readonly CopyRow[]): Pick<StoredBody, 'retainUntil' | 'mode'> {
  const locks = copies.flatMap(({ retention }) => retention ?? []);
  if (locks.length === 0 || locks.length < copies.length) return { retainUntil: '-', mode: 'none' };
  return {
    retainUntil: new Date(Math.min(...locks.map(({ until }) => until))).toISOString(),
    mode: locks.some(({ mode }) => mode === 'governance') ? 'governance' : 'compliance',
  };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
