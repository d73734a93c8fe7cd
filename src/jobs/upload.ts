import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { isProofOf } from '../evidence/tlog-proof.ts';
import { endOfDay } from '../rules/retention.ts';
import {
  openingOf,
  PermanentUploadError,
  type Destination,
  type Retention,
  type StoredCopy,
} from './destination.ts';
import type { EvidenceLog } from './evidence-log.ts';
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
  /** Puts entry and proof beside every sealed recording that lacks them. */
  readonly prove: () => Promise<void>;
  readonly evidence: Pick<EvidenceLog, 'appendOnce'>;
  readonly now: () => number;
  /** What becomes of the spool folder of a recording that is delivered; removed at once by default. */
  readonly release?: ((recording: string) => Promise<void>) | undefined;
}

/** destinations.md section 3: the signature last of what was sealed, as the mark that the recording is complete there. */
const ORDER: readonly FileRow['kind'][] = ['audio', 'info', 'hash', 'signature', 'entry', 'proof'];

/**
 * Copies one sealed recording to one destination and proves each copy, then brings the evidence log there up to date. When it
 * was the last destination the recording is delivered and its spool folder is released. Repeating it is harmless. What it rejects with is for
 * `noteFailure`.
 */
export async function upload(job: UploadJob, deps: UploadDeps, signal: AbortSignal): Promise<void> {
  const { store } = deps;
  const row = await store.recording(job.recording);
  const before = await deliveryOf(job, deps);
  if (row === undefined || before === undefined) throw new JobError('UNKNOWN_RECORDING', job.recording);
  if (before.state === 'delivered') {
    await finishDelivered(job.recording, deps);
    return;
  }
  try {
    const destination = deps.destinations.get(job.destination);
    if (destination === undefined)
      throw new PermanentUploadError(
        'configuration',
        `MISCONFIGURED: no destination named ${job.destination}`,
      );
    const nonce = await nonceOf(await store.files(row.id), deps.files);
    const copies = await copyFiles(row, { destination, deps, signal });
    await exportEvidence(destination, deps, signal);
    await stateDelivered(before, { copies, nonce }, deps);
  } catch (error) {
    // Somebody else may have done it meanwhile, or we did and the database's answer was lost.
    if ((await deliveryOf(job, deps))?.state === 'delivered') return finishDelivered(job.recording, deps);
    throw error;
  }
  await finishDelivered(job.recording, deps);
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

async function copyFiles(
  row: RecordingRow,
  { destination, deps, signal }: { destination: Destination; deps: UploadDeps; signal: AbortSignal },
): Promise<readonly CopyRow[]> {
  const folder = deps.folderOf(destination.name, row);
  if (!(await deps.store.files(row.id)).some(({ kind }) => kind === 'proof')) await deps.prove();
  const files = await deps.store.files(row.id);
  const lock = lockOf(row, deps.lockModeOf?.(destination.name) ?? 'governance');
  const copies: CopyRow[] = [];
  for (const file of [...files].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))) {
    const from = deps.files.path(row.id, file.name);
    const path = folder === '' ? file.name : `${folder}/${file.name}`;
    const put = destination.put(
      {
        path,
        size: file.bytes,
        sha256: file.sha256,
        open: openingOf(from),
        file: from,
        ...lock,
      },
      signal,
    );
    const stored = await (file.kind === 'proof'
      ? put.catch((error: unknown) => unlessProved(error, { destination, path, row, deps, signal }))
      : put);
    const { location, checksum, version, retention } = stored;
    copies.push({
      recording: row.id,
      destination: destination.name,
      name: file.name,
      path,
      location,
      checksum,
      ...(version !== undefined && { version }),
      ...(retention !== undefined && { retention }),
    });
  }
  return copies;
}

/** After a restored backup there may be a proof already that leads to another checkpoint: it is as good as ours, and stays. */
async function unlessProved(
  error: unknown,
  {
    destination,
    path,
    row,
    deps,
    signal,
  }: {
    readonly destination: Destination;
    readonly path: string;
    readonly row: RecordingRow;
    readonly deps: UploadDeps;
    readonly signal: AbortSignal;
  },
): Promise<Pick<StoredCopy, 'location' | 'checksum' | 'version' | 'retention'>> {
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

/** The delivery is done and the log says so, in one transaction: after a crash there is neither one without the other, nor one twice. */
async function stateDelivered(
  before: DeliveryRow,
  { copies, nonce }: { readonly copies: readonly CopyRow[]; readonly nonce: string },
  deps: UploadDeps,
): Promise<void> {
  const { recording, destination } = before;
  const { store } = deps;
  const location = copies[0]?.location ?? '';
  const body = storedBody(await store.files(recording), copies, nonce);
  await deps.evidence.appendOnce(
    { ...body, rec: recording, target: destination },
    {
      recording,
      // Two runs of the same upload may have come this far.
      isDone: async () => (await deliveryOf({ recording, destination }, deps))?.state === 'delivered',
      change: async (log) => {
        await setDelivery(log, { ...before, state: 'delivered', permanent: false, location }, deps);
        await log.putCopies(copies);
      },
    },
  );
}

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

async function finishDelivered(recording: string, deps: UploadDeps): Promise<void> {
  const deliveries = await deps.store.deliveries(recording);
  if (deliveries.some((delivery) => delivery.state !== 'delivered')) return;
  await deps.store.write((log) => log.setState(recording, 'delivered'));
  await (deps.release ?? deps.files.discard.bind(deps.files))(recording);
}

const messageOf = (error: unknown): string =>
  (error as { readonly message?: string } | null)?.message ?? String(error);
