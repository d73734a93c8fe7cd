import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createOnce } from './create-once.ts';
import { codeOf, StoreError } from './store-error.ts';

const FILE = 'actor-secret';
const BYTES = 32;

/**
 * The secret under which users are hashed in the evidence log; made at the first start. Without the file the entries speak of nobody any
 * more, which is how they are made anonymous. Rejects with StoreError KEYS_DAMAGED when it is cut off.
 */
export async function openActorSecret(folder: string): Promise<Buffer> {
  const path = join(folder, FILE);
  try {
    const secret = await readFile(path);
    if (secret.length !== BYTES)
      throw new StoreError('KEYS_DAMAGED', `${path} does not have ${BYTES} octets`);
    return secret;
  } catch (error) {
    if (error instanceof StoreError) throw error;
    if (codeOf(error) !== 'ENOENT')
      throw new StoreError('KEYS_DAMAGED', `${path} cannot be read`, { cause: error });
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const secret = randomBytes(BYTES);
  await createOnce(path, secret, 0o600);
  return secret;
}
