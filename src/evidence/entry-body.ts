import { EvidenceError } from './evidence-error.ts';
import { FIELD_KINDS, type FieldKind, type FieldValue } from './entry-fields.ts';

/** First entry of each epoch. */
interface GenesisBody {
  readonly type: 'genesis';
  readonly installation: string;
  readonly productVersion: string;
  /** SHA-256 of what decides which calls are recorded, hex. */
  readonly policyHash: string;
  /** SHA-256 of the certificate's DER, hex. */
  readonly cert: string;
  /** `<origin> <size> <root>` of the log before, or `-`. */
  readonly predecessor: string;
  readonly reason: 'new' | 'recovery' | 'migration';
}

/** A call was accepted for recording. */
interface OpenBody {
  readonly type: 'open';
  /** The recording's UUID. */
  readonly rec: string;
  /** Name of the policy that decided. */
  readonly policy: string;
}

/** A recording was sealed. */
export interface RecordingBody {
  readonly type: 'recording';
  readonly rec: string;
  /** Index of its `open` entry. */
  readonly open: number;
  readonly status: 'complete' | 'interrupted' | 'recovered' | 'partial';
  /** SHA-256 of `<rec>_hash.txt`, hex. */
  readonly hash: string;
  /** SHA-256 of the signature file, hex. */
  readonly sig: string;
  /** `<profile> <yyyy-mm-dd>`, or `none` while no retention profile applies. */
  readonly retain: string;
}

/** Calls were turned away. */
interface RefusedBody {
  readonly type: 'refused';
  /** SIP status or internal word. */
  readonly reason: string;
  readonly count: number;
  /** Seconds over which they were counted; 0 for a single one. */
  readonly window: number;
}

/** An opened call gave no usable recording. */
interface FailedBody {
  readonly type: 'failed';
  readonly rec: string;
  readonly open: number;
  readonly reason: string;
}

/** Nothing could be recorded between two moments. */
interface OutageBody {
  readonly type: 'outage';
  /** ISO 8601, milliseconds, Z. */
  readonly from: string;
  readonly to: string;
  readonly cause: string;
  /** The process before had ended in good order. */
  readonly clean: boolean;
}

/** The start-up scan found audio that no process had finished. */
interface RecoveredBody {
  readonly type: 'recovered';
  readonly rec: string;
  readonly bytes: number;
  readonly how: string;
}

/** The recorder is alive; sums since the heartbeat before. */
interface HeartbeatBody {
  readonly type: 'heartbeat';
  readonly accepted: number;
  readonly refused: number;
  readonly failed: number;
  readonly openNow: number;
  readonly bytes: number;
  readonly ntpSource: string;
  /** For example `+0.4ms`, or `-` when unknown. */
  readonly offset: string;
  /** Bytes. */
  readonly diskFree: number;
}

/** The log ends, for good or until the next start. */
interface CloseBody {
  readonly type: 'close';
  /** The origin that continues, or `-`. */
  readonly nextOrigin: string;
}

export type EntryBody =
  | GenesisBody
  | OpenBody
  | RecordingBody
  | RefusedBody
  | FailedBody
  | OutageBody
  | RecoveredBody
  | HeartbeatBody
  | CloseBody;

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
