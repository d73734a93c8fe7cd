import { Buffer } from 'node:buffer';
import { FIELD_KINDS, type FieldKind, type FieldValue } from './entry-fields.ts';
import { EvidenceError } from './evidence-error.ts';

/**
 * The statement `keyroll-<n>.txt` that a new key takes over, signed by the old key (`.old.sig`) and the new one (`.new.sig`); the
 * `keyroll` entry names both signatures (evidence.md 1.6).
 */
export interface KeyrollStatement {
  readonly origin: string;
  /** From 1 in each log. */
  readonly n: number;
  /** The log's size before the `keyroll` entry, which is its index. */
  readonly size: number;
  /** Root of the tree of that size, base64. */
  readonly root: string;
  /** SPKI SHA-256, hex. */
  readonly old: string;
  readonly new: string;
  /** SHA-256 of the new certificate's DER, hex. */
  readonly certNew: string;
  /** ISO 8601, milliseconds, Z. */
  readonly time: string;
}

const FIRST_LINE = 'siprec-log-keyroll/v1';
const LINES: readonly (readonly [key: string, property: keyof KeyrollStatement, kind: FieldKind])[] = [
  ['origin', 'origin', 'origin'],
  ['n', 'n', 'count'],
  ['size', 'size', 'count'],
  ['root', 'root', 'root'],
  ['old', 'old', 'hash'],
  ['new', 'new', 'hash'],
  ['cert-new', 'certNew', 'hash'],
  ['time', 'time', 'time'],
];

/** Throws EvidenceError BAD_KEYROLL for a value that its line cannot hold. */
export function formatKeyroll(statement: KeyrollStatement): Buffer {
  const lines = LINES.map(([key, property, kind]) => {
    const value = FIELD_KINDS[kind].write(statement[property]);
    if (value === undefined)
      throw new EvidenceError('BAD_KEYROLL', `${key} cannot be ${JSON.stringify(statement[property])}`);
    return `${key} ${value}\n`;
  });
  return Buffer.from(`${FIRST_LINE}\n${lines.join('')}`, 'latin1');
}

/** Throws EvidenceError BAD_KEYROLL for anything `formatKeyroll` would write differently. */
export function parseKeyroll(bytes: Uint8Array): KeyrollStatement {
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  const values: Record<string, FieldValue> = {};
  LINES.forEach(([key, property, kind], at) => {
    const line = lines[at + 1] ?? '';
    const value = FIELD_KINDS[kind].read(line.slice(key.length + 1));
    if (!line.startsWith(`${key} `) || value === undefined)
      throw new EvidenceError('BAD_KEYROLL', `line ${key}`);
    values[property] = value;
  });
  const statement = values as unknown as KeyrollStatement;
  if (!formatKeyroll(statement).equals(bytes))
    throw new EvidenceError('BAD_KEYROLL', 'not in canonical form');
  return statement;
}
