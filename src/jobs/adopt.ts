import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { parseEntry, type RecordingBody } from '../evidence/entry.ts';
import { parseHashFile, type FileHash } from '../evidence/hash-file.ts';
import { parseOrigin } from '../evidence/origin.ts';
import {
  ENTRY_ENDING,
  HASH_ENDING,
  INFO_ENDING,
  PROOF_ENDING,
  SIGNATURE_ENDING,
} from '../evidence/recording-files.ts';
import { readCertificate, verifySignature, type Signer } from '../evidence/signature.ts';
import { isProofOf, parseTlogProof } from '../evidence/tlog-proof.ts';
import type { Kept } from '../rules/retention.ts';
import type { Chain } from './chain.ts';
import type { Destination } from './destination.ts';
import { JobError } from './job-error.ts';
import { LogTree } from './log-tree.ts';
import type { CheckpointRow, EntryRow, FileRow, LogStore, RecordingRow, SealFiles } from './ports.ts';
import { chosenFrom } from './seal.ts';

export interface AdoptDeps {
  readonly store: LogStore;
  readonly chain: Chain;
  readonly signer: Pick<Signer, 'certificates'>;
  readonly files: SealFiles;
  readonly destinations: readonly Destination[];
  /** Folder of a recording below the destination's root. */
  readonly folderOf: (destination: string, row: RecordingRow) => string;
  readonly now: () => number;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

/** A sealed recording in an archive. */
interface SealedCopy {
  readonly destination: Destination;
  readonly folder: string;
  /** `<rec>` */
  readonly name: string;
  readonly hashes: Buffer;
  readonly signature: Buffer;
  readonly info: Buffer;
  readonly listed: readonly FileHash[];
}

/** The reason in the `failed` entry that ends the second `open` of a recording sealed before (docs/evidence-format.md 3.2). */
const SEALED_BEFORE = 'sealed-before';
/** Milliseconds for everything that is asked of the archives for one recording. */
const PATIENCE = 600_000;

/**
 * After a backup was restored there may be a recording to seal that was sealed already, in the part of the log that the database had
 * lost. There must not be a second sealed version of it: the one in the archive is taken into the spool, to the octet, and from there to
 * every destination that lacks it. Its second `open` ends with an entry that says so. False when no epoch before has an entry of it, or
 * the archives that do all lack its files: then it is sealed anew from the audio at hand. Rejects with JobError ARCHIVE_AWAY while that
 * cannot be known.
 */
export async function adoptSealed(row: RecordingRow, deps: AdoptDeps): Promise<boolean> {
  const { store, chain, files } = deps;
  if (parseOrigin(chain.origin).epoch === 1) return false;
  const entries = await store.evidence.entriesOf(row.id, 'recording');
  const former = entries.findLast(({ origin }) => origin !== chain.origin);
  const body = former === undefined ? undefined : parseEntry(former.bytes).body;
  if (former === undefined || body?.type !== 'recording') return false;
  const signal = AbortSignal.timeout(PATIENCE);
  const copy = await findCopy(row, body, deps, signal);
  if (copy === undefined) return false;
  await takeAudio(row, copy, deps, signal);
  const proof = await proofIn(copy, former, signal);
  const texts = await placeTexts(row.id, copy, { proof, entry: former.bytes, files });
  await files.sync(row.id);
  const rows = [...(await audioRows(row.id, copy, deps)), ...texts];
  const checkpoint = proof && (await checkpointOf(proof, deps));
  const adopted = await enter(row, { former, body, copy, rows, checkpoint }, deps);
  if (adopted)
    deps.log(
      'warn',
      'a recording that was sealed before the backup was restored was taken up from an archive',
      {
        ...{
          recording: row.id,
          destination: copy.destination.name,
          origin: former.origin,
          index: former.index,
        },
      },
    );
  return adopted;
}

/** The archive that has just that version which the entry speaks of. */
async function findCopy(
  row: RecordingRow,
  body: RecordingBody,
  deps: AdoptDeps,
  signal: AbortSignal,
): Promise<SealedCopy | undefined> {
  const away: string[] = [];
  for (const destination of deps.destinations) {
    try {
      const copy = await copyIn(destination, { row, body }, deps, signal);
      if (copy !== undefined) return copy;
    } catch (error) {
      away.push(`${destination.name}: ${String(error)}`);
    }
  }
  if (away.length === 0) return undefined;
  throw new JobError('ARCHIVE_AWAY', `recording ${row.id} was sealed before; ${away.join('; ')}`);
}

async function copyIn(
  destination: Destination,
  { row, body }: { readonly row: RecordingRow; readonly body: RecordingBody },
  deps: AdoptDeps,
  signal: AbortSignal,
): Promise<SealedCopy | undefined> {
  const folder = deps.folderOf(destination.name, row);
  const ending = `_${row.id.slice(-8)}${HASH_ENDING}`;
  const found = (await destination.list(folder, signal)).find(({ path }) => path.endsWith(ending));
  if (found === undefined) return undefined;
  const read = async (name: string): Promise<Buffer | undefined> => {
    const stream = await destination.open({ path: below(folder, name) }, signal);
    return stream === undefined ? undefined : buffer(stream);
  };
  const name = found.path.slice(found.path.lastIndexOf('/') + 1, -HASH_ENDING.length);
  const hashes = await read(`${name}${HASH_ENDING}`);
  const signature = await read(`${name}${SIGNATURE_ENDING}`);
  const info = await read(`${name}${INFO_ENDING}`);
  if (hashes === undefined || signature === undefined || info === undefined) return undefined;
  if (sha256(hashes) !== body.hash || sha256(signature) !== body.sig) return undefined;
  const isOurs = deps.signer.certificates.some((pem) =>
    verifySignature(readCertificate(pem).publicKey, hashes, signature),
  );
  const listed = isOurs ? parseHashFile(hashes) : [];
  const last = listed.at(-1);
  if (last?.name !== `${name}${INFO_ENDING}` || last.sha256 !== sha256(info)) return undefined;
  return { destination, folder, name, hashes, signature, info, listed };
}

/** The audio in the spool where it is the sealed one, otherwise (the call was not over when the backup was made) from the archive. */
async function takeAudio(
  row: RecordingRow,
  { destination, folder, listed, name }: SealedCopy,
  deps: AdoptDeps,
  signal: AbortSignal,
): Promise<void> {
  const { files, store } = deps;
  const render = await store.render(row.id);
  const working = [...(row.capture?.files ?? []), ...(render?.file === undefined ? [] : [render.file])];
  const known = new Map<string, string>();
  for (const { path, audioOffset } of working) {
    const digest = await files.digest(path, audioOffset).catch(() => undefined);
    if (digest !== undefined) known.set(digest.sha256, path);
  }
  for (const file of listed) {
    if (file.name === `${name}${INFO_ENDING}`) continue;
    const here = known.get(file.sha256);
    if (here !== undefined) {
      await files.finish(row.id, [{ from: here, name: file.name }]);
      continue;
    }
    const octets = await destination.open({ path: below(folder, file.name) }, signal);
    if (octets === undefined)
      throw new JobError('ARCHIVE_AWAY', `${destination.name} has ${name}, but not ${file.name}`);
    await files.receive(row.id, file, octets);
  }
}

/** Another proof than the one there would be as good, but there is one place for it. */
async function proofIn(
  { destination, folder, name }: SealedCopy,
  former: EntryRow,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const stream = await destination.open({ path: below(folder, `${name}${PROOF_ENDING}`) }, signal);
  const proof = stream === undefined ? undefined : await buffer(stream);
  return proof !== undefined && isProofOf(proof, former) ? proof : undefined;
}

async function placeTexts(
  recording: string,
  { name, hashes, signature, info }: SealedCopy,
  {
    proof,
    entry,
    files,
  }: { readonly proof: Buffer | undefined; readonly entry: Buffer; readonly files: SealFiles },
): Promise<readonly FileRow[]> {
  const proved = [
    ['entry', ENTRY_ENDING, entry],
    ['proof', PROOF_ENDING, proof],
  ] as const;
  const texts = [
    ['info', INFO_ENDING, info],
    ['hash', HASH_ENDING, hashes],
    ['signature', SIGNATURE_ENDING, signature],
    ...(proof === undefined ? [] : proved),
  ] as const;
  const rows: FileRow[] = [];
  for (const [kind, ending, bytes = Buffer.alloc(0)] of texts) {
    const file = `${name}${ending}`;
    await files.createOnce(recording, [{ name: file, bytes }]);
    rows.push({ recording, kind, name: file, bytes: bytes.length, sha256: sha256(bytes) });
  }
  return rows;
}

/** The signed state of the log that a proof leads to: the database may have lost all that cover the entry. */
async function checkpointOf(
  proof: Buffer,
  { store, signer, now }: AdoptDeps,
): Promise<CheckpointRow | undefined> {
  const { checkpoint, note } = parseTlogProof(proof);
  const { origin, size, root } = checkpoint;
  const signed = note.signatures.find(({ signature }) =>
    signer.certificates.some((pem) => verifySignature(readCertificate(pem).publicKey, note.text, signature)),
  );
  if (signed === undefined || ((await store.head(origin))?.size ?? 0) < size) return undefined;
  const own = Buffer.from(await new LogTree(store, origin).root(size), 'hex').toString('base64');
  if (own !== root) return undefined;
  return { ...checkpoint, text: note.text, signature: signed.signature, at: now(), exported: true };
}

const audioRows = (
  recording: string,
  { listed, name }: SealedCopy,
  { files }: AdoptDeps,
): Promise<readonly FileRow[]> =>
  Promise.all(
    listed
      .filter((file) => file.name !== `${name}${INFO_ENDING}`)
      .map(async (file): Promise<FileRow> => ({
        ...file,
        recording,
        kind: file.name.endsWith('_playable.wav') ? 'playable' : 'audio',
        bytes: (await stat(files.path(recording, file.name))).size,
      })),
  );

/** In one transaction: the entry that ends the second `open`, and the recording as it was sealed. */
function enter(
  row: RecordingRow,
  found: {
    readonly former: EntryRow;
    readonly body: RecordingBody;
    readonly copy: SealedCopy;
    readonly rows: readonly FileRow[];
    readonly checkpoint: CheckpointRow | undefined;
  },
  { store, chain, destinations, now }: AdoptDeps,
): Promise<boolean> {
  const { former, body, copy, rows, checkpoint } = found;
  return chain.exclusively(async (turn) => {
    if ((await store.recording(row.id))?.state !== 'ended') return false;
    const opens = await store.evidence.entriesOf(row.id, 'open');
    const open = opens.find(({ origin }) => origin === chain.origin);
    const ending =
      open === undefined
        ? undefined
        : turn.prepare({ type: 'failed', rec: row.id, open: open.index, reason: SEALED_BEFORE }, row.id);
    const at = now();
    await store.write(async (log) => {
      if (ending !== undefined) await log.appendEntry(ending.entry, ending.headAfter);
      if (checkpoint !== undefined) await log.putCheckpoint(checkpoint);
      await log.sealRecording(row.id, {
        ...{ at, fileName: copy.name, entryIndex: former.index, files: rows },
        ...{ status: body.status, kept: keptOf(body) },
        destinations: chosenFrom(
          destinations.map(({ name }) => name),
          row,
        ),
      });
      await log.addStep({
        ...{ recording: row.id, at, step: 'adopted', outcome: 'warning' as const },
        detail: `sealed before as entry ${former.index} of ${former.origin}, taken from ${copy.destination.name}`,
      });
    });
    turn.commit();
    return true;
  });
}

/** As the entry states it: the day was fixed when it was sealed. */
function keptOf({ retain }: RecordingBody): Kept {
  const [profile = 'none', until] = retain.split(' ');
  return { profile, ...(until !== undefined && { until }) };
}

const below = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
