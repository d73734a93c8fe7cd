import { createHash } from 'node:crypto';
import type { AlarmBell } from '../alarm.ts';
import { parseEntry } from '../evidence/entry.ts';
import { formatHashFile } from '../evidence/hash-file.ts';
import type { SegmentEntry } from '../evidence/segment-check.ts';
import type { Signer } from '../evidence/signature.ts';
import type { Kept } from '../rules/retention.ts';
import type { CapturedFile, CaptureResult } from '../media/capture.ts';
import { withLevelsOf } from '../media/copy-levels.ts';
import { judgeLegs, type LegVerdict } from '../media/verdict.ts';
import type { ChainTurn } from './chain.ts';
import { JobError } from './job-error.ts';
import type { AnnouncedRow, MarkRow } from './log-records.ts';
import type { SealGroup } from './seal-group.ts';
import { formatRecordingInfo, nameOf, type Installation } from './recording-info.ts';
import type {
  ChainHead,
  FileRow,
  LogStore,
  RecordingRow,
  RenderRow,
  Sealable,
  SealFiles,
  SealIntent,
} from './ports.ts';

export interface SealDeps {
  readonly store: LogStore;
  /** The chain, and who seals at the same time. */
  readonly group: SealGroup;
  readonly signer: Signer;
  readonly files: SealFiles;
  readonly installation: Installation;
  /** Names of the destinations that every recording goes to. */
  readonly destinations: readonly string[];
  /** How long a recording sealed at `createdAt` (epoch milliseconds) is kept. */
  readonly keep: (row: RecordingRow, createdAt: number) => Kept;
  readonly now: () => number;
  /**
   * Takes up a recording that was sealed in an epoch of the log before; false when it was not. What that rejects with leaves it unsealed
   * for now.
   */
  readonly adopt?: (row: RecordingRow) => Promise<boolean>;
  /** Whether the seal has to wait for a playable copy, which is then asked for. */
  readonly awaitsCopy?: (row: RecordingRow, render: RenderRow | undefined) => boolean;
  /** Told when a recording is sealed that is not what was heard. */
  readonly bell: Pick<AlarmBell, 'raise'>;
  /** Told of every recording sealed how its legs were judged. Must not throw. */
  readonly onJudged?: (row: RecordingRow, verdicts: readonly LegVerdict[]) => void;
  /** Told of every recording sealed, as it was when it had ended. Must not throw. */
  readonly onSealed?: (row: RecordingRow) => void;
  /** Test hook: called between the steps of a seal with the step's name. */
  readonly atStep?: (step: SealStep) => Promise<void> | void;
}

export type SealStep = 'digested' | 'signed' | 'intent' | 'texts' | 'audio' | 'logged';

interface DigestedAudio {
  readonly file: CapturedFile;
  readonly bytes: number;
  readonly sha256: string;
  readonly doubts: readonly string[];
  /** What made it of the others, where it is a derivative. */
  readonly madeBy?: string;
}

/** What there is to seal. */
interface Heard {
  readonly audio: readonly DigestedAudio[];
  /** Why there is no playable copy, where there should be one. */
  readonly unplayable?: string | undefined;
}

/** With what else belongs to the call. */
interface Found extends Heard {
  readonly announced: readonly AnnouncedRow[];
  readonly marks: readonly MarkRow[];
}

/**
 * Seals one ended recording (evidence.md 1.7, docs/decisions/014): hashes what is on disk and compares it with what was hashed while
 * recording; decides every byte in a turn of the chain, shared with others that wait; then, outside of it, places the files and finishes.
 * Repeating it is harmless at every point, and takes up where an interrupted try ended; a sealed recording is left alone. Resolves with
 * true when this call sealed it.
 */
export function seal(recording: string, deps: SealDeps): Promise<boolean> {
  return deps.group.once(recording, () => sealOnce(recording, deps));
}

async function sealOnce(recording: string, deps: SealDeps): Promise<boolean> {
  const sealable = await deps.group.sealable.of(recording);
  if (sealable === undefined) throw new JobError('UNKNOWN_RECORDING', recording);
  const { row } = sealable;
  if (row.state === 'sealed' || row.state === 'delivered') return false;
  if (row.state !== 'ended' || row.capture === undefined) throw new JobError('NOT_ENDED', recording);
  if (sealable.intent === undefined && deps.awaitsCopy?.(row, sealable.render) === true) return false;
  const intent = sealable.intent ?? (await begin(sealable, row.capture, deps));
  if (intent !== 'adopted') await carryOut(row, intent, deps);
  deps.onSealed?.(row);
  return true;
}

async function carryOut(row: RecordingRow, intent: SealIntent, deps: SealDeps): Promise<void> {
  ringForDoubts(row, intent, deps);
  await deps.atStep?.('intent');
  await place(intent, deps);
  await finish(row, intent, deps);
  await deps.atStep?.('logged');
  deps.onJudged?.(row, intent.verdicts ?? []);
}

async function begin(
  sealable: Sealable,
  capture: CaptureResult,
  deps: SealDeps,
): Promise<SealIntent | 'adopted'> {
  return (await deps.adopt?.(sealable.row)) === true ? 'adopted' : intend(sealable, capture, deps);
}

async function intend(sealable: Sealable, capture: CaptureResult, deps: SealDeps): Promise<SealIntent> {
  const { row, render, hasSegments, hasMarks, mayHaveAnnounced } = sealable;
  const segments = hasSegments ? await segmentsOf(row.id, deps) : [];
  const heard = await digestAll(capture.files, { render, segments }, deps);
  await deps.atStep?.('digested');
  const copy = heard.unplayable === undefined ? render?.file : undefined;
  const measured = { ...row, capture: withLevelsOf(capture, copy) };
  const { store } = deps;
  const found = {
    ...heard,
    announced: mayHaveAnnounced ? await store.announced(row) : [],
    marks: hasMarks ? await store.marks(row.id) : [],
  };
  return deps.group.intend((turn) => decide(measured, found, turn, deps));
}

/** Also of a seal that another process had decided: it may have died before it rang. */
function ringForDoubts({ id, facts }: RecordingRow, { doubts }: SealIntent, { bell }: SealDeps): void {
  if (doubts === undefined) return;
  bell.raise({
    code: 'audio-differs',
    subject: id,
    severity: 'critical',
    text: `What was on the disk of recording ${id} (call ${facts.callId}) is not what was recorded; it was sealed as partial, and its info file says so`,
    fields: { recording: id, call: facts.callId },
  });
}

/** What the log stated of the recording's files while they grew, oldest first. */
async function segmentsOf(recording: string, { store }: SealDeps): Promise<readonly SegmentEntry[]> {
  const entries = await store.evidence.entriesOf(recording, 'segment');
  return entries.flatMap(({ index, bytes }) => {
    const { body } = parseEntry(bytes);
    return body.type === 'segment' ? [{ index, body }] : [];
  });
}

/**
 * The chain's head as the database has it. Undefined when the log has no entry yet. An intent that an earlier version stored without its
 * entry gets it now, with the same index and bytes; rejects with JobError CHAIN_MOVED when its place is taken.
 */
export async function resumeChain(
  origin: string,
  { store }: { readonly store: LogStore },
): Promise<ChainHead | undefined> {
  let head = await store.head(origin);
  const intents = (await store.intents()).filter(({ entry }) => entry.origin === origin);
  for (const { recording, entry, headAfter } of intents.sort((a, b) => a.entry.index - b.entry.index)) {
    if (head !== undefined && entry.index < head.size) continue;
    if (head?.size !== entry.index || head.prev !== entry.prev)
      throw new JobError('CHAIN_MOVED', `the log is not where the interrupted seal of ${recording} goes on`);
    await store.write((log) => log.appendEntry(entry, headAfter));
    head = headAfter;
  }
  return head;
}

async function digestAll(
  files: readonly CapturedFile[],
  {
    render,
    segments,
  }: { readonly render: RenderRow | undefined; readonly segments: readonly SegmentEntry[] },
  deps: SealDeps,
): Promise<Heard> {
  const audio = await Promise.all(files.map((file) => digestAudio(file, segments, deps)));
  if (render?.file === undefined) return { audio, unplayable: render?.detail };
  try {
    const copy = await digestAudio(render.file, [], deps);
    // A copy that is not what was made is no evidence of anything, and can be made again: it is left out.
    if (copy.doubts.length === 0) return { audio: [...audio, { ...copy, madeBy: render.detail }] };
    return { audio, unplayable: 'the copy that was made is damaged' };
  } catch (error) {
    if ((error as { readonly code?: string }).code !== 'ENOENT') throw error;
    return { audio, unplayable: 'the copy that was made is gone' };
  }
}

/**
 * The audio as it is on disk should be the audio as it was heard. Where it is not, the recording is sealed all the same, as
 * partial and with both hashes stated: a doubtful recording that says so is worth more than none.
 */
async function digestAudio(
  file: CapturedFile,
  segments: readonly SegmentEntry[],
  deps: SealDeps,
): Promise<DigestedAudio> {
  const stated = segments.filter(({ body }) => body.file === endingOf(file));
  const digest = await deps.files.digest(
    file.path,
    file.audioOffset,
    stated.map(({ body }) => body.bytes),
  );
  const { audioSha256 } = digest;
  const doubts = [
    ...(audioSha256 === file.audioSha256
      ? []
      : [`audio on disk (sha256 ${audioSha256}) is not the audio as heard (sha256 ${file.audioSha256})`]),
    ...stated.flatMap(({ index, body }, at) =>
      digest.beginnings[at] === body.hash
        ? []
        : [`audio on disk does not begin with the ${body.bytes} octets that entry ${index} states`],
    ),
  ];
  return { file, bytes: digest.bytes, sha256: digest.sha256, doubts };
}

async function decide(row: RecordingRow, heard: Found, turn: ChainTurn, deps: SealDeps): Promise<SealIntent> {
  const fileName = nameOf(row, deps.installation);
  const { audio, unplayable, ...belonging } = heard;
  const named = audio.map((part) => ({ ...part, name: audioName(fileName, part.file) }));
  const doubts = audio.flatMap((part) => part.doubts);
  const status = doubts.length > 0 ? 'partial' : (row.status ?? 'complete');
  const verdicts = row.capture === undefined ? [] : judgeLegs(row.capture);
  const kept = deps.keep(row, Date.parse(turn.reading.time));
  const info = formatRecordingInfo(row, {
    status,
    doubts,
    installation: deps.installation,
    audio: named,
    unplayable,
    verdicts,
    ...belonging,
    head: turn.head,
    key: deps.signer.key,
    reading: turn.reading,
    kept,
  });
  const hashes = formatHashFile([...named, { name: `${fileName}_info.txt`, sha256: sha256(info) }]);
  const signature = await deps.signer.sign(hashes);
  await deps.atStep?.('signed');
  const { entry } = turn.prepare(
    {
      type: 'recording',
      rec: row.id,
      open: row.openIndex ?? 0,
      status,
      hash: sha256(hashes),
      sig: sha256(signature),
      retain: kept.until === undefined ? 'none' : `${kept.profile} ${kept.until}`,
    },
    row.id,
  );
  const headAfter = turn.setLastRecording({
    fileName,
    index: entry.index,
    signature: signature.toString('base64'),
  });
  return {
    recording: row.id,
    entry,
    headAfter,
    fileName,
    status,
    ...(doubts.length > 0 && { doubts }),
    texts: textsOf(fileName, { info, hashes, signature }),
    audio: named.map(placed),
    verdicts,
    announced: belonging.announced.map(({ id, linkedBy }) => ({ id, linkedBy })),
    at: deps.now(),
    kept,
  };
}

const placed = ({
  name,
  file,
  bytes,
  madeBy,
  sha256: digest,
}: DigestedAudio & { readonly name: string }): SealIntent['audio'][number] => ({
  from: file.path,
  name,
  ...(madeBy === undefined ? {} : { kind: 'playable' as const }),
  bytes,
  sha256: digest,
});

const textsOf = (
  fileName: string,
  { info, hashes, signature }: { readonly info: Buffer; readonly hashes: Buffer; readonly signature: Buffer },
): SealIntent['texts'] => [
  { name: `${fileName}_info.txt`, kind: 'info', bytes: info },
  { name: `${fileName}_hash.txt`, kind: 'hash', bytes: hashes },
  { name: `${fileName}_hash.SHA256withRSA.sig`, kind: 'signature', bytes: signature },
];

/** Places the decided bytes; each step may already have happened. */
async function place(intent: SealIntent, { files, atStep }: SealDeps): Promise<void> {
  const { recording, texts, audio } = intent;
  await files.createOnce(recording, texts);
  await atStep?.('texts');
  await files.finish(recording, audio);
  await atStep?.('audio');
}

/** The files are on disk: what is in the log may be delivered, and the intent has done its work. */
function finish(row: RecordingRow, intent: SealIntent, deps: SealDeps): Promise<void> {
  const { recording, doubts } = intent;
  return deps.group.finishing.write(async (log) => {
    await log.sealRecording(recording, {
      at: intent.at,
      fileName: intent.fileName,
      entryIndex: intent.entry.index,
      files: filesOf(intent),
      destinations: chosenFrom(deps.destinations, row),
      status: intent.status,
      kept: intent.kept,
      verdicts: intent.verdicts,
      announced: intent.announced,
    });
    const sealed = { recording, at: deps.now(), step: 'sealed' } as const;
    await log.addStep(
      doubts === undefined
        ? { ...sealed, outcome: 'ok' }
        : { ...sealed, outcome: 'warning', detail: `partial: ${doubts.join('; ')}` },
    );
    await log.dropIntent(recording);
  });
}

/** Where a rule has chosen some of the destinations, those; names that are no longer configured do not count. */
export function chosenFrom(all: readonly string[], row: RecordingRow): readonly string[] {
  const chosen = row.decision?.destinations ?? 'all';
  return chosen === 'all' ? all : all.filter((name) => chosen.includes(name));
}

function filesOf(intent: SealIntent): readonly FileRow[] {
  const audio = intent.audio.map(({ name, bytes, kind = 'audio', sha256: digest }) => ({
    recording: intent.recording,
    name,
    kind,
    bytes,
    sha256: digest,
  }));
  const texts = intent.texts.map(({ name, kind, bytes }) => ({
    recording: intent.recording,
    name,
    kind,
    bytes: bytes.length,
    sha256: sha256(bytes),
  }));
  return [...audio, ...texts];
}

const audioName = (fileName: string, file: CapturedFile): string => `${fileName}${endingOf(file)}`;

/** What follows the recording's name in that of a file. */
const endingOf = ({ suffix, extension = 'wav' }: CapturedFile): string =>
  `${suffix === '' ? '' : `_${suffix}`}.${extension}`;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
