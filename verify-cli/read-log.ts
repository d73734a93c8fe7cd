import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EvidenceError } from '../src/evidence/evidence-error.ts';
import type { Keyring, NamedBytes } from '../src/evidence/keyring.ts';
import { parseOrigin } from '../src/evidence/origin.ts';
import { LogCheck, type CheckedLog, type CheckpointFiles } from '../src/evidence/verify-log.ts';
import { UnreadableError } from './archive.ts';

/** Reads and verifies every log of the archive. Throws UnreadableError when there is none. */
export async function readLogs(root: string, keyring: Keyring): Promise<readonly CheckedLog[]> {
  const folders = await readdir(join(root, 'evidence'), { withFileTypes: true });
  const slugs = folders.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  if (slugs.length === 0) throw new UnreadableError(`${join(root, 'evidence')}: no log here`);
  const logs: CheckedLog[] = [];
  for (const slug of slugs.sort()) logs.push(await readLog(root, slug, keyring));
  return logs;
}

async function readLog(root: string, slug: string, keyring: Keyring): Promise<CheckedLog> {
  const folder = `evidence/${slug}`;
  const origin = originOf(slug, folder);
  const here = await names(join(root, folder));
  const certificates: NamedBytes[] = [];
  for (const name of here.filter((file) => file.endsWith('.pem')))
    certificates.push({ file: `${folder}/${name}`, bytes: await readFile(join(root, folder, name)) });
  const genesis = here.includes('genesis.txt')
    ? await readFile(join(root, folder, 'genesis.txt'))
    : undefined;
  const checkpoints = await readCheckpoints(root, `${folder}/checkpoint`);
  const check = new LogCheck({ origin, folder, genesis, certificates, checkpoints }, keyring);
  for (const below of await entryFiles(join(root, folder)))
    check.addEntryFile(below, await readFile(join(root, folder, below)));
  return check.finish();
}

function originOf(slug: string, folder: string): string {
  const origin = slug.replaceAll('_', '/');
  try {
    parseOrigin(origin);
    return origin;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new UnreadableError(`${folder}: not the folder of a log`);
  }
}

async function entryFiles(folder: string): Promise<readonly string[]> {
  const files: string[] = [];
  for (const thousand of await names(join(folder, 'entries')))
    for (const file of await names(join(folder, 'entries', thousand)))
      files.push(`entries/${thousand}/${file}`);
  return files;
}

async function readCheckpoints(root: string, folder: string): Promise<readonly CheckpointFiles[]> {
  const found = new Map<string, { file: string; size: string; text?: Uint8Array; signature?: Uint8Array }>();
  for (const name of await names(join(root, folder))) {
    const [, size, ending] = /^(.*)\.(txt|sig)$/.exec(name) ?? [];
    if (size === undefined) continue;
    const files = found.get(size) ?? { file: `${folder}/${size}`, size };
    const bytes = await readFile(join(root, folder, name));
    found.set(size, ending === 'txt' ? { ...files, text: bytes } : { ...files, signature: bytes });
  }
  return [...found.values()];
}

/** Names in a folder in their order; none when the folder is not there. */
async function names(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as { readonly code?: string }).code === 'ENOENT') return [];
    throw error;
  }
}
