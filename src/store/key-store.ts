import { createPrivateKey, generateKeyPair, X509Certificate, type KeyObject } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { makeCertificate } from './certificate.ts';
import { createOnce, replaceFile, syncDirectory } from './create-once.ts';
import { decryptKey, encryptKey, isEncrypted } from './encrypted-key.ts';
import { codeOf, StoreError } from './store-error.ts';

export interface KeyStoreOptions {
  /** Common name in the certificate, at most 64 characters. */
  readonly subject: string;
  /** Program that makes certificates; only needed where this file does not run from dist. */
  readonly certificateEntry?: string | undefined;
  /** The key is encrypted under it on disk. */
  readonly passphrase: string;
}

/** A key and its certificate. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly certificatePem: string;
}

/** The key this installation signs with (evidence.md 1.6). */
export interface KeyStore extends KeyPair {
  /** True when this call made the pair. */
  readonly created: boolean;
}

/** The folder of the pair in use; it appears whole or not at all. */
export const CURRENT = 'current';
/** The pair that takes over at the next key roll. */
export const NEXT = 'next';
/** Begins the name of a pair that a roll has replaced. */
const REPLACED = 'old-';
const KEY_FILE = 'signing-key.pem';
export const CERTIFICATE_FILE = 'signing-certificate.pem';
const OTHERS = 0o077;
const generate = promisify(generateKeyPair);

/**
 * Opens the key store in `dir`, or makes an RSA-3072 key and its certificate when there is none. Nothing is ever overwritten, but that a
 * key of an earlier version, which lies there in the clear, is encrypted: half a store, a damaged file, a pair that does not match, or a
 * key that others can read is StoreError KEYS_DAMAGED, another passphrase KEYS_LOCKED; both name the file. Rejects with KEYS_NOT_MADE
 * when a first pair cannot be made.
 */
export async function openKeyStore(dir: string, options: KeyStoreOptions): Promise<KeyStore> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw damaged(dir, 'cannot be made', error);
  });
  const current = join(dir, CURRENT);
  await finishRoll(dir);
  if (await isThere(current)) return { ...(await loadPair(current, options.passphrase)), created: false };
  const made = await makePair(options);
  const created = await placePair(dir, CURRENT, made, options.passphrase);
  return created ? { ...made, created } : { ...(await loadPair(current, options.passphrase)), created };
}

/** A key roll that a crash cut off: the new pair takes its place, the old key is destroyed. */
async function finishRoll(dir: string): Promise<void> {
  const names = await readdir(dir).catch((error: unknown) => {
    throw damaged(dir, unreadable(error), error);
  });
  const replaced = names.filter((name) => name.startsWith(REPLACED));
  if (replaced.length === 0) return;
  if (!(await isThere(join(dir, CURRENT))) && (await isThere(join(dir, NEXT))))
    await rename(join(dir, NEXT), join(dir, CURRENT));
  await syncDirectory(dir);
  for (const name of replaced) await rm(join(dir, name), { recursive: true, force: true });
}

/** Puts the successor in place of the pair in use, which is destroyed. */
export async function replacePair(dir: string): Promise<void> {
  await rename(join(dir, CURRENT), join(dir, `${REPLACED}${Date.now()}`));
  await finishRoll(dir);
}

/** Whether the key in use needs the passphrase that it was stored under; false while there is none, or where it lies in the clear. */
export async function isLocked(dir: string): Promise<boolean> {
  const current = join(dir, CURRENT);
  if (!(await isThere(current))) return false;
  const text = await readFile(join(current, KEY_FILE), 'utf8').catch(() => undefined);
  return text === undefined || isEncrypted(text);
}

/** Reads a pair. Rejects with StoreError KEYS_DAMAGED, KEYS_LOCKED. */
export async function loadPair(folder: string, passphrase: string): Promise<KeyPair> {
  const keyFile = join(folder, KEY_FILE);
  const certificateFile = join(folder, CERTIFICATE_FILE);
  const keyPem = await read(keyFile);
  const certificatePem = await read(certificateFile);
  if (((await stat(keyFile)).mode & OTHERS) !== 0)
    throw damaged(keyFile, 'can be read by others; take that away with chmod 600');
  const privateKey = parse(keyFile, 'is damaged', () => decryptKey(keyPem, passphrase, keyFile));
  const certificate = parse(certificateFile, 'is damaged', () => new X509Certificate(certificatePem));
  if (!isRsa3072(privateKey)) throw damaged(keyFile, 'holds no RSA key of at least 3072 bits');
  if (!certificate.checkPrivateKey(privateKey))
    throw damaged(certificateFile, `does not belong to ${keyFile}`);
  if (!isEncrypted(keyPem)) await replaceFile(keyFile, await encryptKey(privateKey, passphrase), 0o600);
  return { privateKey, certificatePem };
}

/** A new key with a certificate that it signs itself. Rejects with StoreError KEYS_NOT_MADE. */
export async function makePair(options: Omit<KeyStoreOptions, 'passphrase'>): Promise<KeyPair> {
  const { privateKey } = await generate('rsa', { modulusLength: 3072, publicExponent: 65537 });
  const { subject, certificateEntry: entry } = options;
  const certificatePem = await makeCertificate(pemOf(privateKey), {
    subject,
    ...(entry === undefined ? {} : { entry }),
  });
  return { privateKey, certificatePem };
}

/** A key from outside with its certificate. Throws StoreError KEYS_DAMAGED when they cannot be used. */
export function pairOf(privateKeyPem: string, certificatePem: string): KeyPair {
  const privateKey = parse('the key', 'cannot be read', () => createPrivateKey(privateKeyPem));
  const certificate = parse('the certificate', 'cannot be read', () => new X509Certificate(certificatePem));
  if (!isRsa3072(privateKey)) throw damaged('the key', 'is not RSA of at least 3072 bits');
  if (!certificate.checkPrivateKey(privateKey)) throw damaged('the certificate', 'is of another key');
  return { privateKey, certificatePem };
}

/** Writes a pair as a folder of this name; false when there is one already. Rejects with StoreError KEYS_NOT_MADE. */
export async function placePair(
  dir: string,
  name: string,
  pair: KeyPair,
  passphrase: string,
): Promise<boolean> {
  const temporary = await mkdtemp(join(dir, 'new-'));
  try {
    const encrypted = await encryptKey(pair.privateKey, passphrase);
    await createOnce(join(temporary, KEY_FILE), Buffer.from(encrypted), 0o600);
    await createOnce(join(temporary, CERTIFICATE_FILE), Buffer.from(pair.certificatePem), 0o644);
    // A folder replaces only an empty one, so a pair that is there stays.
    await rename(temporary, join(dir, name));
    await syncDirectory(dir);
    return true;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (/^(EEXIST|ENOTEMPTY)$/.test(codeOf(error))) return false;
    throw new StoreError('KEYS_NOT_MADE', `${join(dir, name)} could not be written`, { cause: error });
  }
}

/** PKCS#8, not encrypted: for a child process of ours alone. */
export const pemOf = (privateKey: KeyObject): string =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw damaged(path, unreadable(error), error);
  }
}

const isRsa3072 = (key: KeyObject): boolean =>
  key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 3072;

function parse<T>(file: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw damaged(file, what, error);
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT';
    throw damaged(file, missing ? 'is missing; restore it from a backup' : unreadable(error), error);
  }
}

/** Restored by root, or by a copy that did not keep the owner: the commonest reason, and the one that people can do something about. */
const unreadable = (error: unknown): string =>
  /^(?:EACCES|EPERM)$/.test(codeOf(error))
    ? `may not be read by the user that runs this (uid ${process.geteuid?.() ?? '?'}); give it to that user with chown -R`
    : 'cannot be read';

const damaged = (file: string, what: string, cause?: unknown): StoreError =>
  new StoreError('KEYS_DAMAGED', `${file} ${what}`, { cause });
