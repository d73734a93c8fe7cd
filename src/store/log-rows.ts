import type { CaptureResult, Stopped } from '../media/capture.ts';
import type { LegVerdict } from '../media/verdict.ts';
import type {
  ChainHead,
  CheckpointRow,
  CopyRow,
  DeliveryRow,
  EntryRow,
  FileRow,
  RecordingRow,
  RenderRow,
  StepRow,
} from '../jobs/ports.ts';
import type { CallDescription, ParticipantEntry } from '../siprec/description.ts';
import { policyName, type Decision } from '../rules/decision.ts';
import { StoreError } from './store-error.ts';

/** One row as the drivers give it. PostgreSQL gives bigint as text, SQLite booleans as 0 and 1. */
export type SqlRow = Readonly<Record<string, unknown>>;

const NUL = String.fromCharCode(0);

/** A text column's value. PostgreSQL cannot store U+0000; a hostile header must not keep a call out of the log. */
export const text = (value: string | undefined): string | null =>
  value === undefined ? null : value.replaceAll(NUL, '\uFFFD');

const number = (value: unknown): number => Number(value);
const string = (value: unknown): string => value as string;

/** Leaves the property out when the column is NULL. */
function optional<K extends string, V>(
  key: K,
  value: unknown,
  read: (value: unknown) => V,
): Readonly<Partial<Record<K, V>>> {
  return (value === null || value === undefined ? {} : { [key]: read(value) }) as Readonly<
    Partial<Record<K, V>>
  >;
}

function json(value: unknown): unknown {
  try {
    return JSON.parse(string(value));
  } catch (error) {
    throw new StoreError('CORRUPT', 'a JSON column cannot be read', { cause: error });
  }
}

/** The columns that people search by, taken out of the description. */
export function descriptionColumns(description: CallDescription): SqlRow {
  return {
    direction: description.direction,
    caller_name: text(description.caller.name),
    caller_number: text(description.caller.number),
    callee_name: text(description.callee.name),
    callee_number: text(description.callee.number),
    pbx_call_id: text(description.pbxCallId?.value),
    description: JSON.stringify(description),
  };
}

export const participantColumns = (recording: string, entry: ParticipantEntry, position: number): SqlRow => ({
  recording,
  position,
  participant: text(entry.id),
  name: text(entry.name),
  aor: text(entry.aor),
  sends: JSON.stringify(entry.sends),
  associated_at: text(entry.associatedAt),
  disassociated_at: text(entry.disassociatedAt),
});

export const toParticipant = (row: SqlRow): ParticipantEntry => ({
  id: string(row['participant']),
  sends: json(row['sends']) as readonly string[],
  ...optional('name', row['name'], string),
  ...optional('aor', row['aor'], string),
  ...optional('associatedAt', row['associated_at'], string),
  ...optional('disassociatedAt', row['disassociated_at'], string),
});

export const recordingColumns = (row: Omit<RecordingRow, 'state'>): SqlRow => ({
  id: row.id,
  ...descriptionColumns(row.description),
  rule: row.decision === undefined ? null : policyName(row.decision),
  decision: row.decision === undefined ? null : text(JSON.stringify(row.decision)),
  trunk: text(row.facts.trunk),
  call_id: text(row.facts.callId),
  opened_at: row.openedAt,
  started_at: row.startedAt,
  keys_missing_since: row.keysMissingSince ?? null,
  ended_at: row.endedAt ?? null,
  end_reason: row.endReason ?? null,
  status: row.status ?? null,
  fail_reason: text(row.failReason),
  open_index: row.openIndex ?? null,
  entry_index: row.entryIndex ?? null,
  file_name: row.fileName ?? null,
  sealed_at: row.sealedAt ?? null,
  facts: JSON.stringify(row.facts),
  capture: row.capture === undefined ? null : JSON.stringify(row.capture),
});

export const toRecording = (row: SqlRow): RecordingRow => ({
  id: string(row['id']),
  state: row['state'] as RecordingRow['state'],
  facts: json(row['facts']) as RecordingRow['facts'],
  description: json(row['description']) as CallDescription,
  ...optional('decision', row['decision'], (value) => json(value) as Decision),
  openedAt: number(row['opened_at']),
  startedAt: number(row['started_at']),
  ...optional('keysMissingSince', row['keys_missing_since'], number),
  ...optional('endedAt', row['ended_at'], number),
  ...optional('endReason', row['end_reason'], (value) => value as NonNullable<RecordingRow['endReason']>),
  ...optional('status', row['status'], (value) => value as NonNullable<RecordingRow['status']>),
  ...optional('failReason', row['fail_reason'], string),
  ...optional('stopped', row['stopped'], (value) => json(value) as Stopped),
  ...optional('capture', row['capture'], (value) => json(value) as CaptureResult),
  ...optional('openIndex', row['open_index'], number),
  ...optional('entryIndex', row['entry_index'], number),
  ...optional('fileName', row['file_name'], string),
  ...optional('sealedAt', row['sealed_at'], number),
  ...optional('kept', row['retain_profile'], (profile) => ({
    profile: string(profile),
    ...optional('until', row['retain_until'], string),
  })),
});

export const renderColumns = (row: RenderRow): SqlRow => ({
  recording: row.recording,
  outcome: row.outcome,
  detail: text(row.detail),
  file: row.file === undefined ? null : JSON.stringify(row.file),
  at: row.at,
});

export const toRender = (row: SqlRow): RenderRow => ({
  recording: string(row['recording']),
  outcome: row['outcome'] as RenderRow['outcome'],
  detail: string(row['detail']),
  at: number(row['at']),
  ...optional('file', row['file'], (value) => json(value) as NonNullable<RenderRow['file']>),
});

export const verdictColumns = (recording: string, verdict: LegVerdict): SqlRow => ({
  recording,
  line: verdict.line,
  role: verdict.role,
  verdict: verdict.word,
  reasons: JSON.stringify(verdict.reasons),
});

export const toVerdict = (row: SqlRow): LegVerdict => ({
  line: number(row['line']),
  role: row['role'] as LegVerdict['role'],
  word: row['verdict'] as LegVerdict['word'],
  reasons: json(row['reasons']) as readonly string[],
});

export const toFile = (row: SqlRow): FileRow => ({
  recording: string(row['recording']),
  name: string(row['name']),
  kind: row['kind'] as FileRow['kind'],
  bytes: number(row['bytes']),
  sha256: string(row['sha256']),
});

export const toDelivery = (row: SqlRow): DeliveryRow => ({
  recording: string(row['recording']),
  destination: string(row['destination']),
  state: row['state'] as DeliveryRow['state'],
  attempts: number(row['attempts']),
  updatedAt: number(row['updated_at']),
  permanent: Boolean(row['permanent']),
  ...(number(row['due_at']) > 0 && { dueAt: number(row['due_at']) }),
  ...optional('error', row['error'], string),
  ...optional('location', row['location'], string),
});

export const copyColumns = (copy: CopyRow): SqlRow => ({
  recording: copy.recording,
  destination: copy.destination,
  name: copy.name,
  path: copy.path,
  location: text(copy.location),
  checksum: copy.checksum,
  version: copy.version ?? null,
  locked_until: copy.retention?.until ?? null,
  lock_mode: copy.retention?.mode ?? null,
  removed_at: copy.removedAt ?? null,
});

export const toCopy = (row: SqlRow): CopyRow => ({
  recording: string(row['recording']),
  destination: string(row['destination']),
  name: string(row['name']),
  path: string(row['path']),
  location: string(row['location']),
  checksum: string(row['checksum']),
  ...optional('version', row['version'], string),
  ...optional('retention', row['locked_until'], (until) => ({
    until: number(until),
    mode: row['lock_mode'] as NonNullable<CopyRow['retention']>['mode'],
  })),
  ...optional('removedAt', row['removed_at'], number),
});

export const toStep = (row: SqlRow): StepRow => ({
  at: number(row['at']),
  step: string(row['step']),
  outcome: row['outcome'] as StepRow['outcome'],
  ...optional('recording', row['recording'], string),
  ...optional('detail', row['detail'], string),
  ...optional('actor', row['actor'], string),
});

export const toEntry = (row: SqlRow): EntryRow => ({
  origin: string(row['origin']),
  index: number(row['index']),
  prev: string(row['prev']),
  hash: string(row['hash']),
  type: string(row['type']),
  bytes: row['bytes'] as Buffer,
  ...optional('recording', row['recording'], string),
});

export const headColumns = (
  head: ChainHead,
): Readonly<Record<'size' | 'prev' | 'frontier' | 'last_recording', string | number | null>> => ({
  size: head.size,
  prev: head.prev,
  frontier: JSON.stringify(head.frontier),
  last_recording: head.lastRecording === undefined ? null : JSON.stringify(head.lastRecording),
});

export const toHead = (row: SqlRow): ChainHead => ({
  origin: string(row['origin']),
  size: number(row['size']),
  prev: string(row['prev']),
  frontier: json(row['frontier']) as readonly string[],
  ...optional(
    'lastRecording',
    row['last_recording'],
    (value) => json(value) as NonNullable<ChainHead['lastRecording']>,
  ),
});

export const toCheckpoint = (row: SqlRow): CheckpointRow => ({
  origin: string(row['origin']),
  size: number(row['size']),
  root: string(row['root']),
  text: row['text'] as Buffer,
  signature: row['signature'] as Buffer,
  exported: Boolean(row['exported']),
  at: number(row['at']),
  ...optional('nextSignature', row['next_signature'], (value) => value as Buffer),
});
