import { createPrivateKey, generateKeyPair, X509Certificate, type KeyObject } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeCertificate } from './certificate.ts';
import { createOnce, syncDirectory } from './create-once.ts';
import { codeOf, StoreError } from './store-error.ts';

export interface KeyStoreOptions {
  /** Common name in the certificate, at most 64 characters. */
  readonly subject: string;
  /** Program that makes certificates; only needed where this file does not run from dist. */
  readonly certificateEntry?: string;
  /** How the key is protected on disk. So far by its file mode alone; a passphrase or TPM will be another kind. */
  readonly protection?: { readonly kind: 'file-mode' };
}

/** The key this installation signs with (evidence.md 1.6). */
export interface KeyStore {
  /** PKCS#8. */
  readonly privateKeyPem: string;
  readonly certificatePem: string;
  /** True when this call made the pair. */
  readonly created: boolean;
}

/** The folder of the pair in use; it appears whole or not at all. */
const CURRENT = 'current';
const KEY_FILE = 'signing-key.pem';
const CERTIFICATE_FILE = 'signing-certificate.pem';
const generate = promisify(generateKeyPair);

/**
 * Opens the key store in `dir`, or makes an RSA-3072 key and its certificate when there is none. Nothing is ever overwritten:
 * half a store, a damaged file or a pair that does not match is StoreError KEYS_DAMAGED, which names the file. Rejects with
 * KEYS_NOT_MADE when a first pair cannot be made.
 */
export async function openKeyStore(dir: string, options: KeyStoreOptions): Promise<KeyStore> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const current = join(dir, CURRENT);
  if (await isThere(current)) return { ...(await load(current)), created: false };
  const created = await create(dir, current, options);
  return { ...(await load(current)), created };
}

async function load(folder: string): Promise<Omit<KeyStore, 'created'>> {
  const keyFile = join(folder, KEY_FILE);
  const certificateFile = join(folder, CERTIFICATE_FILE);
  const pair = {
    keyFile,
    privateKeyPem: await read(keyFile),
    certificateFile,
    certificatePem: await read(certificateFile),
  };
  check(pair);
  return { privateKeyPem: pair.privateKeyPem, certificatePem: pair.certificatePem };
}

/** False when another process was faster: then its pair is the one. */
async function create(dir: string, current: string, options: KeyStoreOptions): Promise<boolean> {
  const { privateKey } = await generate('rsa', { modulusLength: 3072, publicExponent: 65537 });
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const certificatePem = await makeCertificate(privateKeyPem, {
    subject: options.subject,
    ...(options.certificateEntry === undefined ? {} : { entry: options.certificateEntry }),
  });
  const temporary = await mkdtemp(join(dir, 'new-'));
  try {
    await createOnce(join(temporary, KEY_FILE), Buffer.from(privateKeyPem), 0o600);
    await createOnce(join(temporary, CERTIFICATE_FILE), Buffer.from(certificatePem), 0o644);
    // A folder replaces only an empty one, so a pair that is there stays.
    await rename(temporary, current);
    await syncDirectory(dir);
    return true;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (/^(EEXIST|ENOTEMPTY)$/.test(codeOf(error))) return false;
    throw new StoreError('KEYS_NOT_MADE', `${current} could not be written`, { cause: error });
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw damaged(path, 'cannot be read', error);
  }
}

interface Pair {
  readonly keyFile: string;
  readonly privateKeyPem: string;
  readonly certificateFile: string;
  readonly certificatePem: string;
}

function check(pair: Pair): void {
  const key = parse(pair.keyFile, 'is damaged', () => createPrivateKey(pair.privateKeyPem));
  const certificate = parse(
    pair.certificateFile,
    'is damaged',
    () => new X509Certificate(pair.certificatePem),
  );
  if (!isRsa3072(key)) throw damaged(pair.keyFile, 'holds no RSA key of at least 3072 bits');
  if (!certificate.checkPrivateKey(key))
    throw damaged(pair.certificateFile, `does not belong to ${pair.keyFile}`);
}

const isRsa3072 = (key: KeyObject): boolean =>
  key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 3072;

function parse<T>(file: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw damaged(file, what, error);
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT';
    throw damaged(file, missing ? 'is missing; restore it from a backup' : 'cannot be read', error);
  }
}

const damaged = (file: string, what: string, cause?: unknown): StoreError =>
  new StoreError('KEYS_DAMAGED', `${file} ${what}`, { cause });
