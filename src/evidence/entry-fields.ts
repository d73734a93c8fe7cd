import { Buffer } from 'node:buffer';
import { parseOrigin } from './origin.ts';
import { isAudioEnding } from './recording-files.ts';

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
  | 'predecessor'
  | 'word'
  | 'anchor-kind'
  | 'root'
  | 'time-or-none'
  | 'day-or-none'
  | 'deletion-reason'
  | 'actor'
  | 'targets'
  | 'uuid-or-hash'
  | 'clock-event'
  | 'file-ending'
  | 'step';

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

const TIME =
  /^([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** ISO 8601 in UTC with milliseconds, and a moment that exists. By hand: a log of years has millions. */
function isTime(text: string): boolean {
  const [, year, month, day] = TIME.exec(text) ?? [];
  if (year === undefined) return false;
  const isLeap = Number(year) % 4 === 0 && (Number(year) % 100 !== 0 || Number(year) % 400 === 0);
  return Number(day) <= (DAYS[Number(month) - 1] ?? 0) || (isLeap && month === '02' && day === '29');
}

const isDay = (text: string): boolean => isTime(`${text}T00:00:00.000Z`);

/** All entries of a log name the same one. */
let lastOrigin: string | undefined;

function isOrigin(text: string): boolean {
  if (text === lastOrigin) return true;
  try {
    parseOrigin(text);
    lastOrigin = text;
    return true;
  } catch {
    return false;
  }
}

/** 32 octets in the one base64 text there is for them. */
function isRoot(text: string): boolean {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === 32 && bytes.toString('base64') === text;
}

function isPredecessor(text: string): boolean {
  const [origin = '', size = '', root = '', ...rest] = text.split(' ');
  return rest.length === 0 && isOrigin(origin) && count.read(size) !== undefined && isRoot(root);
}

/** `sha256:<hex>` in the line, hex in the program; or a value that needs no prefix. */
const hashOr = (other: RegExp): Field => ({
  write: (value) => (typeof value === 'string' && other.test(value) ? value : hash.write(value)),
  read: (text) => (other.test(text) ? text : hash.read(text)),
});

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** The longest list of destinations that fits beside the other lines of an entry. */
const TARGETS_LENGTH = 2500;

function isTargets(text: string): boolean {
  if (text === '-') return true;
  const names = text
    .split(' ')
    .map((target) => /^([a-z0-9][a-z0-9-]{0,62})=[a-z][a-z0-9-]{0,31}$/.exec(target)?.[1]);
  return text.length <= TARGETS_LENGTH && !names.includes(undefined) && new Set(names).size === names.length;
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
  uuid: pattern(UUID),
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
  /** A name of the configuration or a code: small letters, digits, dashes. */
  word: pattern(/^[a-z0-9][a-z0-9-]{0,62}$/),
  'anchor-kind': pattern(/^(?:tsa|witness|peer|ots)$/),
  root: matching(isRoot),
  'time-or-none': matching((text) => text === '-' || isTime(text)),
  'day-or-none': matching((text) => text === '-' || isDay(text)),
  'deletion-reason': pattern(/^(?:retention|erasure|order)$/),
  actor: hashOr(/^system$/),
  targets: matching(isTargets),
  'uuid-or-hash': hashOr(UUID),
  'clock-event': pattern(/^(?:step|sync-lost|sync-regained)$/),
  /** What follows `<rec>` in the name of an audio file. */
  'file-ending': matching(isAudioEnding),
  step: pattern(/^(?:\+0|[+-][1-9][0-9]{0,14})$/),
};

/**
 * The line `targets` of a deletion: each destination with what happened there (`deleted`, `absent`, `locked`, `failed` …).
 * More of them than fit are cut off, with `and-more=n<number>` as the last one.
 */
export function formatTargets(
  targets: readonly { readonly target: string; readonly result: string }[],
): string {
  if (targets.length === 0) return '-';
  const parts = targets.map(({ target, result }) => `${target}=${result}`);
  const all = parts.join(' ');
  if (all.length <= TARGETS_LENGTH) return all;
  const kept = parts.slice(0, Math.floor((TARGETS_LENGTH - 20) / 97));
  return `${kept.join(' ')} and-more=n${parts.length - kept.length}`;
}
