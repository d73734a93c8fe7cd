import { EvidenceError } from './evidence-error.ts';
import type { EntryBody, TombstoneBody, TombstonePendingBody } from './entry-types.ts';
import { FIELD_KINDS, type FieldKind, type FieldValue } from './entry-fields.ts';

/** An entry of a type defined after this program: well-formed, its lines kept as they are. */
export interface UnknownBody {
  readonly type: 'unknown';
  /** The type as written. */
  readonly name: string;
  readonly lines: readonly (readonly [key: string, value: string])[];
}

type Layout<Body> = readonly (readonly [
  key: string,
  property: Exclude<keyof Body, 'type'> & string,
  kind: FieldKind,
])[];

const DELETION: Layout<TombstoneBody> & Layout<TombstonePendingBody> = [
  ['rec', 'rec', 'uuid'],
  ['of-index', 'ofIndex', 'count'],
  ['reason', 'reason', 'deletion-reason'],
  ['policy', 'policy', 'text'],
  ['due', 'due', 'day-or-none'],
  ['actor-hash', 'actor', 'actor'],
  ['targets', 'targets', 'targets'],
];

const HOLDING: Layout<Extract<EntryBody, { type: 'hold' }>> &
  Layout<Extract<EntryBody, { type: 'release' }>> = [
  ['of', 'of', 'uuid-or-hash'],
  ['case-hash', 'caseHash', 'hash'],
  ['actor-hash', 'actor', 'actor'],
];

/** evidence.md 1.4: the lines of each type in their order. */
const LAYOUTS: { readonly [Type in EntryBody['type']]: Layout<Extract<EntryBody, { type: Type }>> } = {
  genesis: [
    ['installation', 'installation', 'text'],
    ['product-version', 'productVersion', 'text'],
    ['policy-hash', 'policyHash', 'hash'],
    ['cert', 'cert', 'hash'],
    ['predecessor', 'predecessor', 'predecessor'],
    ['reason', 'reason', 'genesis-reason'],
  ],
  open: [
    ['rec', 'rec', 'uuid'],
    ['policy', 'policy', 'text'],
  ],
  recording: [
    ['rec', 'rec', 'uuid'],
    ['open', 'open', 'count'],
    ['status', 'status', 'status'],
    ['hash', 'hash', 'hash'],
    ['sig', 'sig', 'hash'],
    ['retain', 'retain', 'retain'],
  ],
  refused: [
    ['reason', 'reason', 'text'],
    ['count', 'count', 'count'],
    ['window', 'window', 'count'],
  ],
  failed: [
    ['rec', 'rec', 'uuid'],
    ['open', 'open', 'count'],
    ['reason', 'reason', 'text'],
  ],
  segment: [
    ['rec', 'rec', 'uuid'],
    ['file', 'file', 'file-ending'],
    ['n', 'n', 'count'],
    ['bytes', 'bytes', 'count'],
    ['hash', 'hash', 'hash'],
  ],
  pause: [
    ['rec', 'rec', 'uuid'],
    ['cause', 'cause', 'word'],
  ],
  resume: [
    ['rec', 'rec', 'uuid'],
    ['cause', 'cause', 'word'],
  ],
  outage: [
    ['from', 'from', 'time'],
    ['to', 'to', 'time'],
    ['cause', 'cause', 'text'],
    ['clean', 'clean', 'yes-no'],
  ],
  recovered: [
    ['rec', 'rec', 'uuid'],
    ['bytes', 'bytes', 'count'],
    ['how', 'how', 'text'],
  ],
  heartbeat: [
    ['accepted', 'accepted', 'count'],
    ['refused', 'refused', 'count'],
    ['failed', 'failed', 'count'],
    ['open-now', 'openNow', 'count'],
    ['bytes', 'bytes', 'count'],
    ['ntp-source', 'ntpSource', 'text'],
    ['offset', 'offset', 'text'],
    ['disk-free', 'diskFree', 'count'],
  ],
  anchor: [
    ['kind', 'kind', 'anchor-kind'],
    ['name', 'name', 'word'],
    ['of-origin', 'ofOrigin', 'origin'],
    ['of-size', 'ofSize', 'count'],
    ['of-root', 'ofRoot', 'root'],
    ['hash', 'hash', 'hash'],
  ],
  stored: [
    ['rec', 'rec', 'uuid'],
    ['target', 'target', 'word'],
    ['locator-hash', 'locatorHash', 'hash'],
    ['version-id', 'versionId', 'text'],
    ['checksum', 'checksum', 'hash'],
    ['retain-until', 'retainUntil', 'time-or-none'],
    ['mode', 'mode', 'word'],
  ],
  tombstone: DELETION,
  'tombstone-pending': DELETION,
  hold: HOLDING,
  release: HOLDING,
  access: [
    ['rec', 'rec', 'uuid'],
    ['kind', 'kind', 'word'],
    ['actor-hash', 'actor', 'actor'],
    ['purpose-code', 'purpose', 'word'],
  ],
  keyroll: [
    ['n', 'n', 'count'],
    ['old', 'old', 'hash'],
    ['new', 'new', 'hash'],
    ['cert-new', 'certNew', 'hash'],
    ['proof-old', 'proofOld', 'hash'],
    ['proof-new', 'proofNew', 'hash'],
  ],
  config: [
    ['part', 'part', 'word'],
    ['hash-before', 'hashBefore', 'hash'],
    ['hash-after', 'hashAfter', 'hash'],
    ['actor-hash', 'actor', 'actor'],
  ],
  clock: [
    ['event', 'event', 'clock-event'],
    ['step-ms', 'stepMs', 'step'],
    ['source', 'source', 'text'],
  ],
  close: [['next-origin', 'nextOrigin', 'origin-or-none']],
};

type Line = readonly [key: string, value: string];

const KEY = /^[a-z][a-z0-9-]{0,31}$/;

/** The lines below `type`. Throws EvidenceError BAD_ENTRY for a value that its line cannot hold. */
export function bodyLines(body: EntryBody | UnknownBody): readonly Line[] {
  if (body.type === 'unknown') return unknownLines(body);
  const values = body as unknown as Readonly<Record<string, FieldValue>>;
  return LAYOUTS[body.type].map(([key, property, kind]): Line => {
    const value = FIELD_KINDS[kind].write(values[property]);
    if (value === undefined)
      throw new EvidenceError(
        'BAD_ENTRY',
        `${body.type}: ${key} cannot be ${JSON.stringify(values[property])}`,
      );
    return [key, value];
  });
}

/** Reads the lines below `type <name>`. Throws EvidenceError BAD_ENTRY. */
export function readBody(name: string, lines: readonly Line[]): EntryBody | UnknownBody {
  if (!Object.hasOwn(LAYOUTS, name)) return { type: 'unknown', name, lines };
  const layout: readonly (readonly [string, string, FieldKind])[] = LAYOUTS[name as EntryBody['type']];
  if (lines.length !== layout.length)
    throw new EvidenceError('BAD_ENTRY', `${name}: ${lines.length} lines instead of ${layout.length}`);
  const values: Record<string, FieldValue> = { type: name };
  layout.forEach(([key, property, kind], at) => {
    const [found, text] = lines[at] ?? ['', ''];
    const value = FIELD_KINDS[kind].read(text);
    if (found !== key || value === undefined) throw new EvidenceError('BAD_ENTRY', `${name}: line ${found}`);
    values[property] = value;
  });
  return values as unknown as EntryBody;
}

function unknownLines({ name, lines }: UnknownBody): readonly Line[] {
  if (!KEY.test(name) || Object.hasOwn(LAYOUTS, name)) throw new EvidenceError('BAD_ENTRY', `type ${name}`);
  if (new Set(lines.map(([key]) => key)).size !== lines.length)
    throw new EvidenceError('BAD_ENTRY', `${name}: a line twice`);
  for (const [key, value] of lines)
    if (!KEY.test(key) || FIELD_KINDS.text.write(value) === undefined)
      throw new EvidenceError('BAD_ENTRY', `${name}: line ${key}`);
  return lines;
}
