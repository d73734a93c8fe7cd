import { buffer } from 'node:stream/consumers';
import { parseCheckpoint, type Checkpoint } from '../evidence/checkpoint.ts';
import { checkpointPath } from '../evidence/layout.ts';
import { formatOrigin, nextEpoch, parseOrigin } from '../evidence/origin.ts';
import { readCertificate, verifySignature, type Signer } from '../evidence/signature.ts';
import type { Destination } from './destination.ts';
import { rootOf } from './checkpoint.ts';
import { LogTree } from './log-tree.ts';
import type { LogStore } from './ports.ts';
import { isAhead } from './recall-log.ts';

export interface EpochDeps {
  readonly store: LogStore;
  readonly signer: Pick<Signer, 'certificates'>;
  readonly destinations: readonly Destination[];
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

/** Where the log goes on. */
export interface Epoch {
  readonly origin: string;
  /** A checkpoint outside knows more than the database, or something else: the log must not be continued (evidence.md 1.1, 5). */
  readonly predecessor?: Checkpoint;
  /** Where what the database lacks was seen. */
  readonly source?: Destination;
  /** The log before, where it is sound and the rest of it may leave. */
  readonly toFinish?: string;
  /** Destinations that could not be asked. */
  readonly unchecked: readonly string[];
}

/** What a destination has of our logs. */
interface Outside {
  readonly destination: Destination;
  readonly checkpoint: Checkpoint | undefined;
  /** It has entries that the database does not have: they leave with every recording, checkpoints every few minutes only. */
  readonly ahead: boolean;
}

/** Milliseconds for one destination to answer. */
const PATIENCE = 10_000;

/**
 * Compares the log in the database with the checkpoints and entries that were exported. `first` is the log's first origin. A database
 * that was restored from a backup is behind them, or has other entries under them: then the next epoch is named, with the checkpoint
 * that it must refer to.
 */
export async function findEpoch(first: string, deps: EpochDeps): Promise<Epoch> {
  const heads = await deps.store.evidence.heads(first.replace(/\/e[0-9]+$/, ''));
  const origin = heads.at(-1)?.origin ?? first;
  const answers = await Promise.all(
    deps.destinations.map(async (destination) => {
      try {
        return await lookOutside(origin, destination, deps);
      } catch (error) {
        deps.log(
          'warn',
          'a destination could not be asked for the log it has; nothing is exported to it until then',
          {
            destination: destination.name,
            error: String(error),
          },
        );
        return destination.name;
      }
    }),
  );
  const unchecked = answers.filter((answer) => typeof answer === 'string');
  const outside = answers.filter((answer) => typeof answer !== 'string').sort(byAge);
  for (const { checkpoint, destination } of outside.toReversed()) {
    if (checkpoint === undefined || (await isOurs(checkpoint, origin, deps.store))) continue;
    const next = nextEpoch(laterOf(origin, checkpoint.origin));
    return { origin: next, predecessor: checkpoint, source: destination, unchecked };
  }
  const ahead = outside.findLast((each) => each.ahead);
  const predecessor = ahead?.checkpoint ?? (await ownState(origin, deps.store));
  if (ahead === undefined || predecessor === undefined) return { origin, unchecked };
  return { origin: nextEpoch(origin), predecessor, source: ahead.destination, unchecked };
}

/** Whether the destination knows nothing of the log that the database does not know. Rejects when it cannot be asked. */
export async function isKnown(destination: Destination, origin: string, deps: EpochDeps): Promise<boolean> {
  const { checkpoint, ahead } = await lookOutside(origin, destination, deps);
  return !ahead && (checkpoint === undefined || isOurs(checkpoint, origin, deps.store));
}

const epochOf = (origin: string): number => parseOrigin(origin).epoch;
const byAge = ({ checkpoint: a }: Outside, { checkpoint: b }: Outside): number =>
  (a === undefined ? 0 : epochOf(a.origin)) - (b === undefined ? 0 : epochOf(b.origin)) ||
  (a?.size ?? 0) - (b?.size ?? 0);
const laterOf = (a: string, b: string): string => (epochOf(a) < epochOf(b) ? b : a);

/** A checkpoint is ours when the database has every entry under it, unchanged. */
async function isOurs(
  { origin: of, size, root }: Checkpoint,
  origin: string,
  store: LogStore,
): Promise<boolean> {
  const head = await store.head(of);
  if (of !== origin || head === undefined || size > head.size) return false;
  const found = await new LogTree(store, origin).root(size);
  return Buffer.from(found, 'hex').toString('base64') === root;
}

async function ownState(origin: string, store: LogStore): Promise<Checkpoint | undefined> {
  const head = await store.head(origin);
  return head === undefined ? undefined : { origin, size: head.size, root: rootOf(head) };
}

async function lookOutside(origin: string, destination: Destination, deps: EpochDeps): Promise<Outside> {
  const checkpoint = await newestOutside(origin, destination, deps);
  const ahead = await isAhead(destination, origin, deps.store, AbortSignal.timeout(PATIENCE));
  return { destination, checkpoint, ahead };
}

/** The newest checkpoint there that our key has signed, of this epoch or a later one. */
async function newestOutside(
  origin: string,
  destination: Destination,
  deps: EpochDeps,
): Promise<Checkpoint | undefined> {
  const signal = AbortSignal.timeout(PATIENCE);
  let newest: Checkpoint | undefined;
  const parts = parseOrigin(origin);
  for (let { epoch } = parts; ; epoch++) {
    const found = await newestOf(formatOrigin({ ...parts, epoch }), { destination, signal }, deps);
    if (found === undefined) return newest;
    newest = found;
  }
}

interface Asked {
  readonly destination: Destination;
  readonly signal: AbortSignal;
}

async function newestOf(
  origin: string,
  asked: Asked,
  { signer, log }: EpochDeps,
): Promise<Checkpoint | undefined> {
  const folder = checkpointPath(origin, 1, 'txt').replace(/\/[^/]*$/, '');
  const files = await asked.destination.list(folder, asked.signal);
  const sizes = files
    .flatMap(({ path }) => /\/([1-9][0-9]{0,15})\.txt$/.exec(path)?.slice(1) ?? [])
    .map(Number);
  const keys = signer.certificates.map((pem) => readCertificate(pem).publicKey);
  for (const size of sizes.sort((a, b) => b - a)) {
    const text = await read(checkpointPath(origin, size, 'txt'), asked);
    const signature = await read(checkpointPath(origin, size, 'sig'), asked);
    // An export that was cut off: the one before counts.
    if (text === undefined || signature === undefined) continue;
    if (keys.some((key) => verifySignature(key, text, signature))) return parseCheckpoint(text);
    // Whoever can write there must not be able to end our log.
    log('error', 'a checkpoint outside is not signed by our key and is passed over', {
      destination: asked.destination.name,
      size,
    });
  }
  return undefined;
}

async function read(path: string, { destination, signal }: Asked): Promise<Buffer | undefined> {
  const stream = await destination.open({ path }, signal);
  return stream === undefined ? undefined : buffer(stream);
}
