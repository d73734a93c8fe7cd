import { Buffer } from 'node:buffer';
import { parseOrigin } from './origin.ts';

export type FieldValue = string | number | boolean | undefined;

export type FieldKind =
  | 'text'
  | 'hash'
  | 'count'
  | 'uuid'
  | 'time'
  | 'mono'
  | 'clock'
  | 'yes-no'
  | 'status'
  | 'genesis-reason'
  | 'retain'
  | 'origin'
  | 'origin-or-none'
  | 'predecessor';

/** How one kind of value stands in a line. Both directions answer undefined for what the line cannot hold. */
interface Field {
  write(value: FieldValue): string | undefined;
  read(text: string): FieldValue;
}

const matching = (isValid: (text: string) => boolean): Field => ({
  write: (value) => (typeof value === 'string' && isValid(value) ? value : undefined),
  read: (text) => (isValid(text) ? text : undefined),
});

const pattern = (regular: RegExp): Field => matching((text) => regular.test(text));

const hash: Field = {
  write: (value) =>
    typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? `sha256:${value}` : undefined,
  read: (text) => /^sha256:([0-9a-f]{64})$/.exec(text)?.[1],
};

const count: Field = {
  write: (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? `${value}` : undefined,
  read: (text) =>
    /^(?:0|[1-9][0-9]{0,15})$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined,
};

const yesNo: Field = {
  write: (value) => (typeof value === 'boolean' ? (value ? 'yes' : 'no') : undefined),
  read: (text) => (text === 'yes' ? true : text === 'no' ? false : undefined),
};

/** ISO 8601 in UTC with milliseconds, and a moment that exists. */
function isTime(text: string): boolean {
  const time = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z$/.test(text)
    ? new Date(text)
    : new Date(Number.NaN);
  return !Number.isNaN(time.getTime()) && time.toISOString() === text;
}

const isDay = (text: string): boolean => isTime(`${text}T00:00:00.000Z`);

function isOrigin(text: string): boolean {
  try {
    parseOrigin(text);
    return true;
  } catch {
    return false;
  }
}

function isPredecessor(text: string): boolean {
  const [origin = '', size = '', root = '', ...rest] = text.split(' ');
  const bytes = Buffer.from(root, 'base64');
  const isRoot = bytes.length === 32 && bytes.toString('base64') === root;
  return rest.length === 0 && isOrigin(origin) && count.read(size) !== undefined && isRoot;
}

function isRetain(text: string): boolean {
  const [profile = '', due = '', ...rest] = text.split(' ');
  return text === 'none' || (rest.length === 0 && /^[a-z0-9][a-z0-9-]{0,31}$/.test(profile) && isDay(due));
}

export const FIELD_KINDS: Readonly<Record<FieldKind, Field>> = {
  /** Printable ASCII without blanks at the ends. */
  text: pattern(/^[!-~](?:[ -~]{0,198}[!-~])?$/),
  hash,
  count,
  uuid: pattern(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  time: matching(isTime),
  mono: pattern(/^[0-9a-f]{8}:(?:0|[1-9][0-9]{0,15})$/),
  clock: pattern(/^(?:unsynced|synced [+-](?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?ms)$/),
  'yes-no': yesNo,
  status: pattern(/^(?:complete|interrupted|recovered|partial)$/),
  'genesis-reason': pattern(/^(?:new|recovery|migration)$/),
  retain: matching(isRetain),
  origin: matching(isOrigin),
  'origin-or-none': matching((text) => text === '-' || isOrigin(text)),
  predecessor: matching((text) => text === '-' || isPredecessor(text)),
};
