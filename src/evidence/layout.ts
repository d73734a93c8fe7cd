import { Buffer } from 'node:buffer';
import { EvidenceError } from './evidence-error.ts';
import { slugOf } from './origin.ts';
import { certificateFingerprint } from './signature.ts';

/** Entries a file; only the newest file is ever shorter. */
export const ENTRIES_PER_FILE = 256;
const FILES_PER_FOLDER = 1000;

const root = (origin: string): string => `evidence/${slugOf(origin)}`;

/** Copy of entry 0, to be compared with the acceptance protocol. */
export const genesisPath = (origin: string): string => `${root(origin)}/genesis.txt`;

/** A certificate's place, by the first 16 digits of its SHA-256 fingerprint. Throws EvidenceError BAD_KEY. */
export const certificatePath = (origin: string, certificatePem: string): string =>
  `${root(origin)}/${certificateName(certificatePem)}`;

export const certificateName = (certificatePem: string): string =>
  `cert-${certificateFingerprint(certificatePem).slice(0, 16)}.pem`;

/** The certificate of an authority that one of ours, or another authority's, was issued by. Throws EvidenceError BAD_KEY. */
export const issuerPath = (origin: string, certificatePem: string): string =>
  `${root(origin)}/ca/${issuerName(certificatePem)}`;

export const issuerName = (certificatePem: string): string =>
  `${certificateFingerprint(certificatePem).slice(0, 16)}.pem`;

/** The file that holds an entry, for example `entries/000/000004.txt` for indices 1024 to 1279. */
export const entryFilePath = (origin: string, index: number): string =>
  `${root(origin)}/${entryFileName(index)}`;

/** The same path below the origin's folder. */
export function entryFileName(index: number): string {
  const file = Math.floor(index / ENTRIES_PER_FILE);
  const folder = Math.floor(file / FILES_PER_FOLDER);
  return `entries/${String(folder).padStart(3, '0')}/${String(file).padStart(6, '0')}.txt`;
}

/**
 * A checkpoint's text, its signature, that of the new key at a key roll, and the two lines that a time stamp is made over
 * (evidence.md 1.5).
 */
export const checkpointPath = (
  origin: string,
  size: number,
  kind: 'txt' | 'sig' | 'new.sig' | 'sums',
): string => `${root(origin)}/checkpoint/${size}.${kind}`;

/** The RFC 3161 response of the authority with this name over `<size>.sums`. */
export const tokenPath = (origin: string, size: number, authority: string): string =>
  `${root(origin)}/checkpoint/${size}.${authority}.tsr`;

/** Certificates that the tokens of an authority need, PEM, one after the other; `fingerprint` is that of the file's bytes. */
export const authorityPath = (origin: string, authority: string, fingerprint: string): string =>
  `${root(origin)}/tsa/${authority}-${fingerprint.slice(0, 16)}.pem`;

/** One of our checkpoints with the cosignature of the witness of this name, a signed note. */
export const witnessPath = (origin: string, size: number, witness: string): string =>
  `${root(origin)}/witness/${size}.${witness}.note`;

/** A checkpoint of the peer of this name as it was seen here, a signed note with our cosignature. */
export const peerPath = (origin: string, size: number, peer: string): string =>
  `${root(origin)}/peer/${size}.${peer}.note`;

/** A checkpoint of the peer of this name that does not continue what was seen of its log; no part of what is verified, but a proof. */
export const forkPath = (
  origin: string,
  size: number,
  { peer, hash }: { readonly peer: string; readonly hash: string },
): string => `${root(origin)}/fork/${size}.${peer}.${hash.slice(0, 16)}.note`;

/** A key roll's statement and its two signatures. */
export const keyrollPath = (origin: string, n: number, kind: 'txt' | 'old.sig' | 'new.sig'): string =>
  `${root(origin)}/keyroll-${n}.${kind}`;

/** `<size>.sums`: what `shasum -a 256 -c` reads beside the checkpoint's text and signature. */
export const formatSums = (
  size: number,
  sha256: { readonly text: string; readonly signature: string },
): Buffer => Buffer.from(`${sha256.text}  ${size}.txt\n${sha256.signature}  ${size}.sig\n`);

/** The bytes of an entry file: the entries as they are, one blank line between them. */
export const formatEntryFile = (entries: readonly Uint8Array[]): Buffer =>
  Buffer.concat(entries.flatMap((entry, at) => (at === 0 ? [entry] : [Buffer.from('\n'), entry])));

/**
 * The entries of a file, byte for byte; whether each is well-formed is for `parseEntry` to say.
 * Throws EvidenceError BAD_ENTRY_FILE for an empty file, more than 256 entries, blank lines at the ends or two in a row.
 */
export function parseEntryFile(bytes: Uint8Array): readonly Buffer[] {
  const text = Buffer.from(bytes).toString('latin1');
  const entries = text.split(/(?<=\n)\n/);
  const whole = entries.every((entry) => entry.endsWith('\n') && !entry.startsWith('\n'));
  if (!whole || entries.length > ENTRIES_PER_FILE)
    throw new EvidenceError('BAD_ENTRY_FILE', 'not up to 256 entries with one blank line between them');
  return entries.map((entry) => Buffer.from(entry, 'latin1'));
}
