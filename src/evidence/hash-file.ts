import { Buffer } from 'node:buffer';
import { EvidenceError } from './evidence-error.ts';

/** One line of `<rec>_hash.txt`. */
export interface FileHash {
  /** Base name, in `[A-Za-z0-9._+-]`. */
  readonly name: string;
  /** Hex, lower case. */
  readonly sha256: string;
}

/** A leading dot would allow `..` and hidden files, a leading hyphen would be an option to shasum. */
const NAME = /^[A-Za-z0-9_+][A-Za-z0-9._+-]{0,254}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const LINE = /^([0-9a-f]{64}) {2}(.+)$/;

/**
 * The list that is signed: `<64 hex><2 spaces><base name>` a line, as `shasum -c` reads it. Usually the WAV and the info file.
 * Throws EvidenceError BAD_HASH_FILE for a name outside `[A-Za-z0-9._+-]`, a name given twice, a malformed hash or no file.
 */
export function formatHashFile(files: readonly FileHash[]): Buffer {
  const names = new Set(files.map(({ name }) => name));
  if (files.length === 0 || names.size !== files.length)
    throw new EvidenceError('BAD_HASH_FILE', 'no file, or one named twice');
  const lines = files.map(({ name, sha256 }) => {
    if (!NAME.test(name)) throw new EvidenceError('BAD_HASH_FILE', `name ${JSON.stringify(name)}`);
    if (!SHA256.test(sha256)) throw new EvidenceError('BAD_HASH_FILE', `hash of ${name}`);
    return `${sha256}  ${name}\n`;
  });
  return Buffer.from(lines.join(''), 'latin1');
}

/** Reads the list; throws EvidenceError BAD_HASH_FILE for anything `formatHashFile` would not write. */
export function parseHashFile(bytes: Uint8Array): readonly FileHash[] {
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  if (lines.pop() !== '') throw new EvidenceError('BAD_HASH_FILE', 'no final line feed');
  const files = lines.map((line) => {
    const [, sha256 = '', name = ''] = LINE.exec(line) ?? [];
    return { name, sha256 };
  });
  if (!formatHashFile(files).equals(bytes)) throw new EvidenceError('BAD_HASH_FILE', 'not in canonical form');
  return files;
}
