import { randomBytes } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { createOnce } from './create-once.ts';
import { codeOf, StoreError } from './store-error.ts';

const CREDENTIAL = /^credential:(.+)$/;
const OTHERS = 0o007;

/** Where the passphrase of the signing key is. */
export interface PassphraseSource {
  /** A file, or `credential:NAME` for one that systemd gives (LoadCredential, LoadCredentialEncrypted). */
  readonly file: string;
  /** Made with 32 random octets when it is not there. */
  readonly generate: boolean;
}

/**
 * Reads the passphrase: the first line of the file. Rejects with StoreError KEYS_LOCKED when it is missing, empty, or can be read by
 * everybody on the machine.
 */
export async function readPassphrase({ file, generate }: PassphraseSource): Promise<string> {
  const path = placeOf(file);
  const text = await read(path).catch(async (error: unknown) => {
    if (!generate || codeOf(error) !== 'ENOENT')
      throw locked(codeOf(error) === 'ENOENT' ? `${path} is missing` : `${path} cannot be read`, error);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const made = `${randomBytes(32).toString('base64url')}\n`;
    try {
      await createOnce(path, Buffer.from(made), 0o600);
      return made;
    } catch (cause) {
      // Another process was faster.
      if (codeOf(cause) === 'DIFFERENT') return read(path);
      throw locked(`${path} cannot be written`, cause);
    }
  });
  if (((await stat(path)).mode & OTHERS) !== 0)
    throw locked(`everybody can read ${path}; take that away with chmod 600`);
  const [line = ''] = text.split(/\r?\n/);
  if (line === '') throw locked(`${path} has no passphrase in its first line`);
  return line;
}

function placeOf(file: string): string {
  const [, name] = CREDENTIAL.exec(file) ?? [];
  if (name === undefined) return file;
  const folder = process.env['CREDENTIALS_DIRECTORY'];
  if (folder === undefined)
    throw locked(`there is no credential ${name}: the service was not started with LoadCredential=`);
  return join(folder, name);
}

const read = (path: string): Promise<string> => readFile(path, 'utf8');

const locked = (what: string, cause?: unknown): StoreError =>
  new StoreError('KEYS_LOCKED', `the passphrase of the signing key: ${what}`, { cause });
