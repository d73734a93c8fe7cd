import { X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CurrentSigner } from '../evidence/current-signer.ts';
import { chainOf } from '../evidence/certificate-chain.ts';
import { certificateName, issuerName } from '../evidence/layout.ts';
import { createSigner, spkiFingerprint } from '../evidence/signature.ts';
import { makeCertificateRequest, packKeys, unpackKeys } from './certificate.ts';
import { createOnce, replaceFile, syncDirectory } from './create-once.ts';
import {
  CERTIFICATE_FILE,
  CURRENT,
  isThere,
  loadPair,
  makePair,
  NEXT,
  openKeyStore,
  pairOf,
  pemOf,
  placePair,
  replacePair,
  type KeyPair,
  type KeyStoreOptions,
} from './key-store.ts';
import { StoreError } from './store-error.ts';

/** Certificates of keys that signed before, PEM. */
const FORMER = 'former';
/** Certificates of the authorities that issued one of ours, PEM. */
const ISSUERS = 'issuers';
const RESET = 'reset';
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The keys of this node: the only place that touches a private key. Everything else has the signer, behind which a key in a hardware
 * module can stand as well.
 */
export class NodeKeys {
  readonly signer: CurrentSigner;
  /** True when the first pair was made just now. */
  readonly created: boolean;
  readonly #dir: string;
  readonly #options: KeyStoreOptions;

  private constructor(
    dir: string,
    options: KeyStoreOptions,
    parts: { readonly signer: CurrentSigner; readonly created: boolean },
  ) {
    this.#dir = dir;
    this.#options = options;
    this.signer = parts.signer;
    this.created = parts.created;
  }

  /** Opens or makes them. Rejects with StoreError KEYS_DAMAGED, KEYS_LOCKED, KEYS_NOT_MADE. */
  static async open(dir: string, options: KeyStoreOptions): Promise<NodeKeys> {
    const { created, privateKey, certificatePem } = await openKeyStore(dir, options);
    const issuers = await certificatesOf(join(dir, ISSUERS));
    const former = await certificatesOf(join(dir, FORMER));
    const signer = createSigner(privateKey, certificatePem, { former, issuers });
    const next = join(dir, NEXT);
    const successor = (await isThere(next))
      ? signerOf(await loadPair(next, options.passphrase), issuers)
      : undefined;
    return new NodeKeys(dir, options, { signer: new CurrentSigner(signer, successor), created });
  }

  /**
   * Makes the key that takes over at the next roll, or takes it from a PKCS#12 file. Safe on disk when resolved; one that waits already
   * stays. Rejects with StoreError CONFLICT when a PKCS#12 is given while another waits.
   */
  async prepareSuccessor(file?: { readonly bytes: Uint8Array; readonly password: string }): Promise<void> {
    const { passphrase, certificateEntry } = this.#options;
    if (file === undefined && this.signer.successor !== undefined) return;
    const { issuers, ...pair } =
      file === undefined
        ? { ...(await makePair(this.#options)), issuers: [] }
        : await unpacked(file, certificateEntry);
    if (spkiOf(pair.certificatePem) === this.signer.key)
      throw new StoreError('CONFLICT', 'that is the key in use');
    await keepIssuers(this.#dir, issuers);
    if (!(await placePair(this.#dir, NEXT, pair, passphrase)))
      throw new StoreError('CONFLICT', 'another key waits for its roll');
    this.signer.successor = signerOf(pair, issuers);
  }

  /** After a roll: the new pair takes its place on disk, the old key is destroyed, its certificate kept. Harmless without a roll. */
  async finishRoll(): Promise<void> {
    const next = join(this.#dir, NEXT);
    if (!(await isThere(next))) return;
    if (spkiOf(await readFile(join(next, CERTIFICATE_FILE), 'utf8')) !== this.signer.key) return;
    const current = join(this.#dir, CURRENT);
    await keepCertificate(this.#dir, await readFile(join(current, CERTIFICATE_FILE), 'utf8'));
    await replacePair(this.#dir);
  }

  /** A request for a certificate of the key in use, PKCS#10 in PEM. */
  async request(subject = this.#options.subject): Promise<string> {
    const { privateKey } = await this.#pair();
    return makeCertificateRequest(pemOf(privateKey), { subject, entry: this.#options.certificateEntry });
  }

  /** Key and certificates as a PKCS#12 file under the password. */
  async pack(password: string): Promise<Buffer> {
    const { privateKey, certificatePem } = await this.#pair();
    const chain = issuersAmong(this.signer.issuers, certificatePem);
    return packKeys(
      { privateKeyPem: pemOf(privateKey), certificates: [certificatePem, ...chain] },
      password,
      this.#options.certificateEntry,
    );
  }

  /**
   * Takes up the certificate that an authority made for the key in use: PEM, ours and its chain in any order. Rejects with StoreError
   * INVALID when none is of our key, or one is not signed by the next of the chain, or not valid now.
   */
  async adoptCertificate(
    pem: string,
    now: number,
  ): Promise<{ readonly certificate: string; readonly issuers: readonly string[] }> {
    const { certificate, chain } = issuedChain(pem, this.signer.key, now);
    const pair = await this.#pair();
    const current = join(this.#dir, CURRENT);
    await keepCertificate(this.#dir, pair.certificatePem);
    const issuers = chain.map(textOf);
    await keepIssuers(this.#dir, issuers);
    const text = textOf(certificate);
    await replaceFile(join(current, CERTIFICATE_FILE), text, 0o644);
    this.signer.replace(createSigner(pair.privateKey, text, { issuers }));
    return { certificate: text, issuers };
  }

  /** Whether these keys begin a new epoch of the log because those before are lost. */
  isReset(): Promise<boolean> {
    return isThere(join(this.#dir, RESET));
  }

  /** The new epoch has begun. */
  endReset(): Promise<void> {
    return rm(join(this.#dir, RESET), { force: true });
  }

  #pair(): Promise<KeyPair> {
    return loadPair(join(this.#dir, CURRENT), this.#options.passphrase);
  }
}

/**
 * Gives up keys that are lost: what is there is put aside, nothing deleted, and the next start makes new ones and begins a new epoch.
 * `evidence` is the folder with the recorder's own copies of its certificates.
 */
export async function resetKeys(dir: string, evidence: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const pem of await certificatesIn(evidence)) await keepCertificate(dir, pem);
  await writeFile(join(dir, RESET), '', { flush: true });
  await putAside(dir, [CURRENT, NEXT]);
}

/**
 * Puts the pair of a PKCS#12 file in the place of one that is lost or damaged; what is there is put aside, nothing deleted. `known` are the
 * certificates that this recorder signed under. Rejects with StoreError KEYS_NOT_MADE (another password, damaged), and INVALID for a key
 * that never signed here.
 */
export async function restoreKeys(
  dir: string,
  options: KeyStoreOptions,
  from: { readonly bytes: Uint8Array; readonly password: string; readonly known: readonly string[] },
): Promise<string> {
  const { issuers, ...pair } = await unpacked(from, options.certificateEntry);
  const key = spkiOf(pair.certificatePem);
  if (from.known.length > 0 && !from.known.some((pem) => spkiOf(pem) === key))
    throw invalid('no evidence here was signed by the key of that file');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await putAside(dir, [CURRENT]);
  await keepIssuers(dir, issuers);
  await placePair(dir, CURRENT, pair, options.passphrase);
  return pair.certificatePem;
}

async function putAside(dir: string, names: readonly string[]): Promise<void> {
  for (const name of names)
    if (await isThere(join(dir, name)))
      await rename(join(dir, name), join(dir, `lost-${name}-${Date.now()}`));
  await syncDirectory(dir);
}

/** The certificates that lie in the recorder's own copies of its logs. */
export async function certificatesIn(evidence: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const log of await readdir(evidence).catch(() => []))
    for (const name of await readdir(join(evidence, log)).catch(() => []))
      if (/^cert-[0-9a-f]{16}\.pem$/.test(name))
        found.push(await readFile(join(evidence, log, name), 'utf8'));
  return found;
}

/** Whether `resetKeys` was called and the new epoch has not begun. */
export const isResetAsked = (dir: string): Promise<boolean> => isThere(join(dir, RESET));

/** The certificate in use, PEM, without opening the key; undefined when there is none. */
export async function readCurrentCertificate(dir: string): Promise<string | undefined> {
  const file = join(dir, CURRENT, CERTIFICATE_FILE);
  return (await isThere(file)) ? readFile(file, 'utf8') : undefined;
}

const signerOf = (
  { privateKey, certificatePem }: KeyPair,
  issuers: readonly string[],
): ReturnType<typeof createSigner> => createSigner(privateKey, certificatePem, { issuers });

async function unpacked(
  { bytes, password }: { readonly bytes: Uint8Array; readonly password: string },
  entry: string | undefined,
): Promise<KeyPair & { readonly issuers: readonly string[] }> {
  const { privateKeyPem, certificates } = await unpackKeys(bytes, password, entry);
  const own = certificates.find((pem) => belongs(pem, privateKeyPem));
  if (own === undefined)
    throw new StoreError('KEYS_NOT_MADE', 'the PKCS#12 file holds no certificate of its key');
  const pair = pairOf(privateKeyPem, own);
  const certificatePem = textOf(new X509Certificate(own));
  return { ...pair, certificatePem, issuers: issuersAmong(certificates, certificatePem) };
}

/** Of these, the authorities that lead upwards from a certificate, as far as they are there. */
function issuersAmong(certificates: readonly string[], certificatePem: string): readonly string[] {
  const all = certificates.map((pem) => new X509Certificate(pem));
  return chainOf(new X509Certificate(certificatePem), [], all).certificates.slice(1).map(textOf);
}

function belongs(certificatePem: string, privateKeyPem: string): boolean {
  try {
    pairOf(privateKeyPem, certificatePem);
    return true;
  } catch {
    return false;
  }
}

function issuedChain(
  pem: string,
  key: string,
  now: number,
): { readonly certificate: X509Certificate; readonly chain: readonly X509Certificate[] } {
  const all = (pem.match(CERTIFICATE) ?? []).map((each) => new X509Certificate(each));
  const certificate = all.find((each) => spkiFingerprint(each.publicKey) === key);
  if (certificate === undefined) throw invalid('no certificate in the file is of the key in use');
  const chain: X509Certificate[] = [];
  for (let last = certificate; !last.verify(last.publicKey);) {
    const issuer = all.find(
      (each) => !chain.includes(each) && last.checkIssued(each) && last.verify(each.publicKey),
    );
    if (issuer === undefined)
      throw invalid(`the certificate of the issuer is missing in the file: ${inLine(last.issuer)}`);
    if (!issuer.ca) throw invalid(`the issuer is no certificate authority: ${inLine(issuer.subject)}`);
    chain.push(issuer);
    last = issuer;
  }
  for (const { subject, validFrom, validTo } of [certificate, ...chain])
    if (Date.parse(validFrom) > now || Date.parse(validTo) < now)
      throw invalid(`valid from ${validFrom} to ${validTo} only: ${inLine(subject)}`);
  return { certificate, chain };
}

const inLine = (name: string): string => name.replaceAll('\n', ', ');
const invalid = (detail: string): StoreError => new StoreError('INVALID', detail);
const textOf = (certificate: X509Certificate): string => certificate.toString();
const spkiOf = (pem: string): string => spkiFingerprint(new X509Certificate(pem).publicKey);

async function keepCertificate(dir: string, pem: string): Promise<void> {
  await mkdir(join(dir, FORMER), { recursive: true, mode: 0o700 });
  await createOnce(join(dir, FORMER, certificateName(pem)), Buffer.from(pem), 0o644);
}

async function keepIssuers(dir: string, issuers: readonly string[]): Promise<void> {
  if (issuers.length === 0) return;
  await mkdir(join(dir, ISSUERS), { recursive: true, mode: 0o700 });
  for (const pem of issuers) await createOnce(join(dir, ISSUERS, issuerName(pem)), Buffer.from(pem), 0o644);
}

async function certificatesOf(folder: string): Promise<readonly string[]> {
  if (!(await isThere(folder))) return [];
  const names = (await readdir(folder)).filter((name) => name.endsWith('.pem')).sort();
  return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
}
