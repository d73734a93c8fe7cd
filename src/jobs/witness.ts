import { createHash } from 'node:crypto';
import type { AlarmBell } from '../alarm.ts';
import { forkPath, peerPath } from '../evidence/layout.ts';
import { isConsistent } from '../evidence/merkle-proof.ts';
import { readCertificate, type Signer } from '../evidence/signature.ts';
import {
  cosignatureOf,
  cosignedBytes,
  formatNote,
  isSignedByLog,
  noteKeyId,
  type SignedNote,
} from '../evidence/signed-note.ts';
import type { EvidenceLog } from './evidence-log.ts';
import type { WitnessedRow } from './evidence-ports.ts';
import { JobError } from './job-error.ts';
import { isEpochOf, readCheckpointNote, type Peer, type ReadNote } from './peer.ts';
import type { LogStore } from './ports.ts';

export interface WitnessDeps {
  readonly store: LogStore;
  readonly evidence: EvidenceLog;
  /** Of our own log. */
  readonly origin: string;
  readonly signer: Signer;
  readonly peers: readonly Peer[];
  readonly bell: AlarmBell;
  readonly now: () => number;
}

/** What is known of a peer, for the metrics. */
export interface PeerStanding {
  readonly name: string;
  /** Entries of its log at the newest checkpoint that was found consistent. */
  readonly size: number;
  /** When that was cosigned, epoch milliseconds. */
  readonly at: number;
  /** When it last answered with a consistent checkpoint, new or not, epoch milliseconds; 0 before. */
  readonly answeredAt: number;
  readonly forked: boolean;
}

const FORK = 'evidence-fork';
const SILENT = 'peer-silent';
const ANEW = 'peer-new-epoch';
/** Of one peer in one run; a log with two faces would bring another every few minutes. */
const FORKS_KEPT = 10;

interface Known {
  size: number;
  at: number;
  answeredAt: number;
  forks: number;
  origin: string | undefined;
  /** Cosigned here, not yet taken there. */
  owed: Buffer | undefined;
}

/**
 * The witness of the other recorders (evidence.md 1.7, C2SP tlog-witness): fetches the newest checkpoint of each, and anchors and cosigns it
 * when it is signed by the peer's key and continues what was seen before. What does not continue it is kept as proof and never cosigned.
 */
export class Witness {
  readonly #deps: WitnessDeps;
  readonly #known = new Map<string, Known>();
  #running: Promise<void> | undefined;

  constructor(deps: WitnessDeps) {
    this.#deps = deps;
  }

  get standing(): readonly PeerStanding[] {
    return [...this.#known].map(([name, { size, at, answeredAt, forks }]) => ({
      ...{ name, size, at, answeredAt, forked: forks > 0 },
    }));
  }

  /** Looks at every peer once; one round at a time. Resolves also when a peer fails, which is an alarm. */
  round(signal: AbortSignal): Promise<void> {
    this.#running ??= Promise.all(this.#deps.peers.map((peer) => this.#look(peer, signal)))
      .then(() => undefined)
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /** Resolves when no round is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #look(peer: Peer, signal: AbortSignal): Promise<void> {
    const { bell, now } = this.#deps;
    const known = this.#of(peer.name);
    try {
      if (await this.#follow(peer, known, signal)) known.answeredAt = now();
      if (known.owed !== undefined) await peer.cosigned(known.owed, signal);
      known.owed = undefined;
      bell.clear(SILENT, peer.name);
    } catch (error) {
      if (signal.aborted) return;
      bell.raise({
        code: SILENT,
        subject: peer.name,
        severity: 'warning',
        text: `the log of the recorder ${peer.name} cannot be witnessed; it is asked again every minute`,
        fields: { error: String(error) },
      });
    }
  }

  /** False when what came is a fork. */
  async #follow(peer: Peer, known: Known, signal: AbortSignal): Promise<boolean> {
    const bytes = await peer.checkpoint(signal);
    if (bytes === undefined) return true;
    const read = readCheckpointNote(bytes);
    if (read === undefined || !isEpochOf(read.checkpoint.origin, peer.log))
      throw new JobError('BAD_NOTE', `${peer.name} answers what is no checkpoint of ${peer.log}`);
    const { origin, size, root } = read.checkpoint;
    const keys = await peer.keys(signal);
    if (!keys.some((key) => isSignedByLog(read.note, origin, key)))
      throw new JobError(
        'BAD_NOTE',
        `${peer.name}: its checkpoint is signed by none of the configured certificates`,
      );
    const { store, origin: ours } = this.#deps;
    const seen = await store.evidence.witnessed(origin);
    if (seen?.size === size && seen.root === root) {
      // The process before may have ended between writing the cosignature down and handing it over.
      if (known.origin === undefined)
        known.owed = await store.evidence.file(peerPath(ours, size, noteName(peer.name, origin)));
      this.#take(peer, known, seen);
      return true;
    }
    if (seen !== undefined && !(await continues(peer, seen, { read, signal }))) {
      await this.#keepFork(peer, known, { seen, read });
      return false;
    }
    await this.#cosign(peer, known, { seen, read });
    return true;
  }

  /** Anchor, note and what was seen, in one transaction: what was not written down is not cosigned. */
  async #cosign(
    peer: Peer,
    known: Known,
    { seen, read }: { readonly seen: WitnessedRow | undefined; readonly read: ReadNote },
  ): Promise<void> {
    const { evidence, origin: ours, now } = this.#deps;
    const { origin, size, root } = read.checkpoint;
    const row = { origin, size, root, at: now() };
    const note = await this.#cosignedNote(read.note, Math.floor(row.at / 1000));
    await evidence.append(
      {
        type: 'anchor',
        kind: 'peer',
        name: noteName(peer.name, origin),
        ofOrigin: origin,
        ofSize: size,
        ofRoot: root,
        hash: createHash('sha256').update(note).digest('hex'),
      },
      {
        change: async (log) => {
          await log.evidence.putFile(ours, peerPath(ours, size, noteName(peer.name, origin)), note);
          await log.evidence.setWitnessed(row, seen?.size ?? 0);
        },
      },
    );
    known.owed = note;
    this.#take(peer, known, row);
  }

  /** The checkpoint with the signatures that its log made, and ours. */
  async #cosignedNote({ text, signatures }: SignedNote, seconds: number): Promise<Buffer> {
    const { signer, origin } = this.#deps;
    const { sign, certificatePem } = signer;
    const owner = text.toString('latin1').split('\n')[0];
    const cosignature = {
      name: origin,
      keyId: noteKeyId(origin, 'witness', readCertificate(certificatePem).publicKey),
      signature: cosignatureOf(seconds, await sign(cosignedBytes(text, seconds))),
    };
    return formatNote({
      text,
      signatures: [...signatures.filter(({ name }) => name === owner), cosignature],
    });
  }

  #take(peer: Peer, known: Known, { origin, size, at }: WitnessedRow): void {
    if (known.origin !== undefined && known.origin !== origin)
      this.#deps.bell.raise({
        code: ANEW,
        subject: peer.name,
        severity: 'warning',
        text: `the recorder ${peer.name} began its log anew as ${origin}: its backup was restored, its keys were given up, or somebody wants to hide what was before`,
        fields: { before: known.origin },
      });
    Object.assign(known, { origin, size, at });
  }

  async #keepFork(
    peer: Peer,
    known: Known,
    { seen, read }: { readonly seen: WitnessedRow; readonly read: ReadNote },
  ): Promise<void> {
    const { store, bell, origin: ours } = this.#deps;
    const { origin, size } = read.checkpoint;
    const note = formatNote(read.note);
    const path = forkPath(ours, size, {
      peer: peer.name,
      hash: createHash('sha256').update(note).digest('hex'),
    });
    known.forks += 1;
    bell.raise({
      code: FORK,
      subject: peer.name,
      severity: 'critical',
      text: `the recorder ${peer.name} signed two states of ${origin} that do not continue one another: its log was cut off or written anew. Both notes are kept in our evidence log, nothing was cosigned`,
      fields: {
        origin,
        seenSize: seen.size,
        seenRoot: seen.root,
        size,
        root: read.checkpoint.root,
        note: path,
      },
    });
    if (known.forks <= FORKS_KEPT) await store.write((log) => log.evidence.putFile(ours, path, note));
  }

  #of(name: string): Known {
    const known = this.#known.get(name) ?? {
      ...{ size: 0, at: 0, answeredAt: 0, forks: 0, origin: undefined, owed: undefined },
    };
    this.#known.set(name, known);
    return known;
  }
}

/** A log only grows: a smaller state than one that was seen, or another of the same size, is not its continuation. */
async function continues(
  peer: Peer,
  seen: WitnessedRow,
  { read, signal }: { readonly read: ReadNote; readonly signal: AbortSignal },
): Promise<boolean> {
  const { origin, size, root } = read.checkpoint;
  if (size <= seen.size) return false;
  const proof = await peer.consistency({ origin, old: seen.size, size }, signal);
  return isConsistent({ size: seen.size, root: hexOf(seen.root) }, { size, root: hexOf(root) }, proof);
}

/** Later epochs begin with small sizes again, which must not meet those of the epochs before. */
function noteName(peer: string, origin: string): string {
  const epoch = origin.slice(origin.lastIndexOf('/e') + 2);
  return epoch === '1' ? peer : `${peer}-e${epoch}`;
}

const hexOf = (base64: string): string => Buffer.from(base64, 'base64').toString('hex');
