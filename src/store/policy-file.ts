import { open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PolicyFile, PolicyState } from '../recorder/policy.ts';
import { syncDirectory, TEMPORARY } from './create-once.ts';
import { codeOf, StoreError } from './store-error.ts';

/**
 * Rules and memberships in `policy.json` of the data directory. Written whole or not at all: a crash leaves the state before or after a change.
 */
export function openPolicyFile(dataDir: string): PolicyFile {
  const path = join(dataDir, 'policy.json');
  return { load: () => load(path), save: (state) => save(path, state) };
}

/** A damaged file must stop the start: to go on without it would record what nobody wants recorded, or lose what must be. */
async function load(path: string): Promise<PolicyState | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as PolicyState;
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw new StoreError('CORRUPT', `${path} cannot be read; restore it from your backup`, { cause });
  }
}

async function save(path: string, state: PolicyState): Promise<void> {
  const temporary = `${path}${TEMPORARY}`;
  const file = await open(temporary, 'w', 0o640);
  try {
    await file.writeFile(`${JSON.stringify(state)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}
