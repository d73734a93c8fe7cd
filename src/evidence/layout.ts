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

/** The file that holds an entry, for example `entries/000/000004.txt` for indices 1024 to 1279. */
export const entryFilePath = (origin: string, index: number): string =>
  `${root(origin)}/${entryFileName(index)}`;

/** The same path below the origin's folder. */
export function entryFileName(index: number): string {
  const file = Math.floor(index / ENTRIES_PER_FILE);
  const folder = Math.floor(file / FILES_PER_FOLDER);
  return `entries/${String(folder).padStart(3, '0')}/${String(file).padStart(6, '0')}.txt`;
}

export const checkpointPath = (origin: string, size: number, kind: 'txt' | 'sig'): string =>
  `${root(origin)}/checkpoint/${size}.${kind}`;

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
