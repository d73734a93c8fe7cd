import { randomBytes } from 'node:crypto';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createOnce } from './create-once.ts';
import { codeOf, StoreError } from './store-error.ts';

const FILE = 'admin-token';

/**
 * The token that lets its holder change this recorder, made at the first start: 256 random bits in `admin-token`, readable by the
 * recorder's user alone. Rejects with StoreError KEYS_DAMAGED for a file that holds none.
 */
export async function openAdminToken(dataDir: string): Promise<string> {
  const path = join(dataDir, FILE);
  const there = await readAdminToken(dataDir);
  if (there === undefined)
    await createOnce(path, Buffer.from(`${randomBytes(32).toString('base64url')}\n`), 0o600);
  // Somebody may have copied the folder about.
  else await chmod(path, 0o600);
  return there ?? (await readAdminToken(dataDir)) ?? '';
}

/** Undefined when the recorder was never started. Rejects with what keeps the file from being read. */
export async function readAdminToken(dataDir: string): Promise<string | undefined> {
  const path = join(dataDir, FILE);
  try {
    const token = (await readFile(path, 'utf8')).trim();
    if (/^[A-Za-z0-9_-]{32,128}$/.test(token)) return token;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  throw new StoreError(
    'KEYS_DAMAGED',
    `${path} holds no token; remove it, and the next start makes a new one`,
  );
}
