import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { isProofOf } from '../evidence/tlog-proof.ts';
import { endOfDay } from '../rules/retention.ts';
import type { DeliveryGroup } from './delivery-group.ts';
import {
  openingOf,
  PermanentUploadError,
  type Destination,
  type Retention,
  type StoredCopy,
  type Upload,
} from './destination.ts';
import { exportEvidence, type ExportDeps } from './export-evidence.ts';
import { JobError } from './job-error.ts';
import type { CopyRow, DeliveryRow, FileRow, LogWriter, RecordingRow, SealFiles } from './ports.ts';
import { nonceOf, storedBody } from './stored.ts';

export interface UploadJob {
  readonly recording: string;
  readonly destination: string;
}

/** The same upload always has the same id, so BullMQ drops duplicates. */
export const uploadJobId = (job: UploadJob): string => `upload-${job.recording}-${job.destination}`;

export interface UploadDeps extends ExportDeps {
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly files: SealFiles;
  /** Folder of a recording below the destination's root, with `/`; '' for none. */
  readonly folderOf: (destination: string, row: RecordingRow) => string;
  /** How strictly a destination that can lock is to lock. */
  readonly lockModeOf?: (destination: string) => Retention['mode'];
  /** Puts entry and proof beside every sealed recording that lacks them. Rejects with what kept this one from getting them. */
  readonly prove: (recording?: string) => Promise<void>;
  /** Those that are stated together. */
  readonly group: Pick<DeliveryGroup, 'state'>;
  readonly now: () => number;
  /** What becomes of the spool folder of a recording that is delivered; removed at once by default. */
  readonly release?: ((recording: string) => Promise<void>) | undefined;
}

/** destinations.md section 3: the signature last of what was sealed, as the mark that the recording is complete there. */
const ORDER: readonly FileRow['kind'][] = ['audio', 'info', 'hash', 'signature', 'entry', 'proof'];

/**
 * Copies one sealed recording to one destination and proves each copy, then brings the evidence log there up to date. When it
 * was the last destination the recording is delivered and its spool folder is released. Repeating it is harmless. What it rejects with is for
 * `noteFailure`. `onCopied` is called when the copies are proved.
 */
export async function upload(
  job: UploadJob,
  deps: UploadDeps,
  signal: AbortSignal,
  onCopied: () => void = () => undefined,
): Promise<void> {
  const { recording } = job;
  const row = await deps.store.recording(recording);
  const before = await deliveryOf(job, deps);
  if (row === undefined || before === undefined) throw new JobError('UNKNOWN_RECORDING', recording);
  if (before.state === 'delivered') {
    await finishDelivered(recording, deps);
    return;
  }
  let complete: boolean;
  try {
    complete = await deliver(row, job, deps, { signal, onCopied });
  } catch (error) {
    // Somebody else may have done it meanwhile, or we did and the database's answer was lost.
    if ((await deliveryOf(job, deps))?.state === 'delivered') return finishDelivered(recording, deps);
    throw error;
  }
  if (complete) await release(recording, deps);
}

/** Resolves when the log says that it is there, with whether that was the last one. */
async function deliver(
  row: RecordingRow,
  { recording, destination: target }: UploadJob,
  deps: UploadDeps,
  { signal, onCopied }: { readonly signal: AbortSignal; readonly onCopied: () => void },
): Promise<boolean> {
  const destination = deps.destinations.get(target);
  if (destination === undefined)
    throw new PermanentUploadError('configuration', `MISCONFIGURED: no destination named ${target}`);
  const files = await provedFiles(recording, deps);
  const nonce = await nonceOf(files, deps.files);
  const copies = await copyFiles(row, files, { destination, deps, signal });
  onCopied();
  await exportEvidence(destination, deps, signal);
  const body = { ...storedBody(files, copies, nonce), rec: recording, target };
  const location = copies[0]?.location ?? '';
  return deps.group.state({ recording, destination: target, location, copies, body });
}

/** The files of a recording in the order they are stored in, entry and proof among them. */
async function provedFiles(recording: string, { store, prove }: UploadDeps): Promise<readonly FileRow[]> {
  let files = await store.files(recording);
  if (!files.some(({ kind }) => kind === 'proof')) {
    await prove(recording);
    files = await store.files(recording);
  }
  return [...files].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

/**
 * Puts a failed upload into the log: whether only a person can help, and from when on (epoch milliseconds) it may be tried again. Rejects with
 * StoreError.
 */
export async function noteFailure(
  job: UploadJob,
  { error, dueAt }: { readonly error: unknown; readonly dueAt: number },
  deps: Pick<UploadDeps, 'store' | 'now'>,
): Promise<void> {
  const before = await deliveryOf(job, deps);
  if (before === undefined || before.state === 'delivered') return;
  const permanent = error instanceof PermanentUploadError;
  const failed = { ...before, state: 'failed', permanent, error: messageOf(error), dueAt } as const;
  await deps.store.write((log) => setDelivery(log, failed, deps));
}

interface Transfer {
  readonly destination: Destination;
  readonly deps: UploadDeps;
  readonly signal: AbortSignal;
}

async function copyFiles(
  row: RecordingRow,
  files: readonly FileRow[],
  transfer: Transfer,
): Promise<readonly CopyRow[]> {
  const { destination, deps } = transfer;
  const folder = deps.folderOf(destination.name, row);
  const lock = lockOf(row, deps.lockModeOf?.(destination.name) ?? 'governance');
  const sendings = files.map((file): Sending => {
    const from = deps.files.path(row.id, file.name);
    const path = folder === '' ? file.name : `${folder}/${file.name}`;
    const { bytes: size, sha256 } = file;
    return { file, upload: { path, size, sha256, open: openingOf(from), file: from, ...lock } };
  });
  const stored = (await storeTogether(sendings, transfer)) ?? (await storeEach(row, sendings, transfer));
  return sendings.flatMap(({ file, upload: { path } }, at) => {
    const copy = stored[at];
    if (copy === undefined) return [];
    const { location, checksum, version, retention } = copy;
    return {
      ...{ recording: row.id, destination: destination.name, name: file.name, path, location, checksum },
      ...(version !== undefined && { version }),
      ...(retention !== undefined && { retention }),
    };
  });
}

interface Sending {
  readonly file: FileRow;
  readonly upload: Upload;
}

type Stored = Pick<StoredCopy, 'location' | 'checksum' | 'version' | 'retention'>;

/** Undefined where the destination takes no more than one file at a time, or has to be looked at more closely. */
async function storeTogether(
  sendings: readonly Sending[],
  { destination, signal }: Transfer,
): Promise<readonly Stored[] | undefined> {
  if (destination.putStages === undefined) return undefined;
  const mark = ORDER.indexOf('signature');
  const isMark = ({ file }: Sending): boolean => ORDER.indexOf(file.kind) >= mark;
  const stages = [sendings.filter((each) => !isMark(each)), sendings.filter(isMark)];
  try {
    return await destination.putStages(
      stages.map((stage) => stage.map(({ upload: each }) => each)),
      signal,
    );
  } catch (error) {
    if (error instanceof PermanentUploadError && error.fault === 'name-taken') return undefined;
    throw error;
  }
}

async function storeEach(
  row: RecordingRow,
  sendings: readonly Sending[],
  transfer: Transfer,
): Promise<readonly Stored[]> {
  const stored: Stored[] = [];
  for (const { file, upload: each } of sendings) {
    const put = transfer.destination.put(each, transfer.signal);
    stored.push(
      await (file.kind === 'proof'
        ? put.catch((error: unknown) => unlessProved(error, row, each.path, transfer))
        : put),
    );
  }
  return stored;
}

/** After a restored backup there may be a proof already that leads to another checkpoint: it is as good as ours, and stays. */
async function unlessProved(
  error: unknown,
  row: RecordingRow,
  path: string,
  { destination, deps, signal }: Transfer,
): Promise<Stored> {
  if (!(error instanceof PermanentUploadError) || error.fault !== 'name-taken') throw error;
  const entries = await deps.store.evidence.entriesOf(row.id, 'recording');
  const stream = await destination.open({ path }, signal);
  const there = stream === undefined ? undefined : await buffer(stream);
  const entry = entries.find(({ index }) => index === row.entryIndex);
  if (there === undefined || entry === undefined || !isProofOf(there, entry)) throw error;
  const { version, retention } = (await destination.stat({ path }, signal)) ?? {};
  return {
    location: path,
    checksum: `sha256:${createHash('sha256').update(there).digest('hex')}`,
    ...(version !== undefined && { version }),
    ...(retention !== undefined && { retention }),
  };
}

/** What the law demands of the copy: the day was counted from the record's creation, not from today. */
const lockOf = ({ kept }: RecordingRow, mode: Retention['mode']): { readonly retention?: Retention } =>
  kept?.until === undefined ? {} : { retention: { until: endOfDay(kept.until).getTime(), mode } };

const deliveryOf = async (
  { recording, destination }: UploadJob,
  { store }: Pick<UploadDeps, 'store'>,
): Promise<DeliveryRow | undefined> =>
  (await store.deliveries(recording)).find((known) => known.destination === destination);

async function setDelivery(
  log: LogWriter,
  row: DeliveryRow,
  { now }: Pick<UploadDeps, 'now'>,
): Promise<void> {
  const at = now();
  await log.setDelivery({ ...row, attempts: row.attempts + 1, updatedAt: at });
  await log.addStep({
    recording: row.recording,
    at,
    step: 'upload',
    outcome: row.state === 'delivered' ? 'ok' : 'error',
    detail: row.error === undefined ? row.destination : `${row.destination}: ${row.error}`,
  });
}

/** What a run before may not have come to. */
async function finishDelivered(recording: string, deps: UploadDeps): Promise<void> {
  const complete = await deps.store.write((log) => log.completeDeliveries([recording]));
  if (complete.length > 0) await release(recording, deps);
}

const release = (recording: string, deps: UploadDeps): Promise<void> =>
  (deps.release ?? deps.files.discard.bind(deps.files))(recording);

const messageOf = (error: unknown): string =>
  (error as { readonly message?: string } | null)?.message ?? String(error);
