import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { bodyLines, readBody, type UnknownBody } from './entry-body.ts';
import type { EntryBody } from './entry-types.ts';
import { FIELD_KINDS, type FieldKind, type FieldValue } from './entry-fields.ts';
import { EvidenceError } from './evidence-error.ts';

export type { EntryBody, RecordingBody } from './entry-types.ts';

/** What every entry of the log begins with (evidence.md 1.4). */
export interface EntryHeader {
  readonly origin: string;
  readonly index: number;
  /** SHA-256 of the bytes of the entry before, hex; 64 zeros in the first one. */
  readonly prev: string;
  /** ISO 8601, milliseconds, Z. */
  readonly time: string;
  /** First 8 digits of the boot id, and milliseconds since boot: `7f3a9c21:84512233`. */
  readonly mono: string;
  /** `synced +0.4ms` or `unsynced`. */
  readonly clock: string;
  /** SPKI SHA-256 of the active signing key, hex. */
  readonly key: string;
}

export interface Entry {
  readonly header: EntryHeader;
  readonly body: EntryBody | UnknownBody;
}

/** `prev` of the first entry. */
export const NO_PREVIOUS = '0'.repeat(64);

const FIRST_LINE = 'siprec-log-entry/v1';
const MAX_BYTES = 4096;

const HEADER: readonly (readonly [property: keyof EntryHeader, kind: FieldKind])[] = [
  ['origin', 'origin'],
  ['index', 'count'],
  ['prev', 'hash'],
  ['time', 'time'],
  ['mono', 'mono'],
  ['clock', 'clock'],
  ['key', 'hash'],
];

/**
 * The canonical bytes of an entry: ASCII lines `key value` in a fixed order, at most 4096 octets. These bytes are stored, hashed
 * and are the leaf of the tree. Throws EvidenceError BAD_ENTRY for a value that its line cannot hold.
 */
export function formatEntry(header: EntryHeader, body: EntryBody | UnknownBody): Buffer {
  const head = HEADER.map(([property, kind]) => {
    const value = FIELD_KINDS[kind].write(header[property]);
    if (value === undefined)
      throw new EvidenceError('BAD_ENTRY', `${property} cannot be ${JSON.stringify(header[property])}`);
    return `${property} ${value}\n`;
  });
  const lines = bodyLines(body).map(([key, value]) => `${key} ${value}\n`);
  const type = body.type === 'unknown' ? body.name : body.type;
  const bytes = Buffer.from(`${FIRST_LINE}\n${head.join('')}type ${type}\n${lines.join('')}`, 'latin1');
  if (bytes.length > MAX_BYTES) throw new EvidenceError('BAD_ENTRY', `${bytes.length} octets`);
  return bytes;
}

/** Reads an entry; throws EvidenceError BAD_ENTRY for anything that `formatEntry` would write differently. */
export function parseEntry(bytes: Uint8Array): Entry {
  if (bytes.length > MAX_BYTES) throw new EvidenceError('BAD_ENTRY', `${bytes.length} octets`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const lines = text.split('\n').slice(0, -1).map(splitLine);
  const values: Record<string, FieldValue> = {};
  HEADER.forEach(([property, kind], at) => {
    const [key, written] = lines[at + 1] ?? ['', ''];
    const value = FIELD_KINDS[kind].read(written);
    if (key !== property || value === undefined)
      throw new EvidenceError('BAD_ENTRY', `line ${at + 2} should be ${property}`);
    values[property] = value;
  });
  const [key, type] = lines[HEADER.length + 1] ?? ['', ''];
  if (key !== 'type') throw new EvidenceError('BAD_ENTRY', `line ${HEADER.length + 2} should be type`);
  const header = values as unknown as EntryHeader;
  const body = readBody(type, lines.slice(HEADER.length + 2));
  if (!isCanonical(text, { header, body })) throw new EvidenceError('BAD_ENTRY', 'not in canonical form');
  return { header, body };
}

/** Every value that was read has one text alone, so that only what is around the lines is left to compare; writing it anew costs more. */
function isCanonical(text: string, { header, body }: Entry): boolean {
  if (body.type === 'unknown') return formatEntry(header, body).toString('latin1') === text;
  return text.startsWith(`${FIRST_LINE}\n`) && text.endsWith('\n');
}

/** SHA-256 of an entry's bytes, hex: `prev` of the next one. */
export const entryHash = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex');

function splitLine(line: string): readonly [key: string, value: string] {
  const space = line.indexOf(' ');
  return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
}
