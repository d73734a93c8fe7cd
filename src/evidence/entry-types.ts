/*
 * What the entries of the log say below their common lines, one interface a type (evidence.md 1.4). None of it is personal data:
 * no name, number, Call-ID or user; people appear as keyed hashes (`ActorHash`), cases and places as plain hashes.
 */

/** Who did it: `system`, or the keyed hash of a user, hex (see `actorHash`). */
type Actor = string;

/** First entry of each epoch. */
export interface GenesisBody {
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

/** First word of an outage's cause; behind it how many statements of which kind, `noted 12, described 3`. */
export const STATEMENTS_LOST = 'statements-lost';

/** Between two moments the recorder did not run, or a part of it did not work. */
export interface OutageBody {
  readonly type: 'outage';
  /** ISO 8601, milliseconds, Z. */
  readonly from: string;
  readonly to: string;
  /** `stop`, `crash`, `restore`: it did not run; everything else is a part of it. */
  readonly cause: string;
  /** Of a restart: the process before had ended in good order. Of a part: the recorder saw that it worked again. */
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

/** Part of a call that is still running, so that what was recorded long ago cannot be changed unseen before the seal. */
export interface SegmentBody {
  readonly type: 'segment';
  readonly rec: string;
  /** What follows the recording's name in that of the file: `.wav`, `_caller.opus`. */
  readonly file: string;
  /** From 1, contiguous for one file. */
  readonly n: number;
  /** Octets of audio from the file's beginning to the end of this segment. */
  readonly bytes: number;
  /** SHA-256 of those octets, hex. */
  readonly hash: string;
}

/** Recording was interrupted on purpose. */
interface PauseBody {
  readonly type: 'pause';
  readonly rec: string;
  /** `src`, `operator`, `policy` or another word. */
  readonly cause: string;
}

/** Recording goes on after a pause. */
interface ResumeBody {
  readonly type: 'resume';
  readonly rec: string;
  readonly cause: string;
}

/** Somebody outside has seen the log as it stood: a time stamp, a cosignature, or a checkpoint of another log seen here. */
export interface AnchorBody {
  readonly type: 'anchor';
  /** `peer`: another log's checkpoint was seen here; the others speak of this log's. */
  readonly kind: 'tsa' | 'witness' | 'peer' | 'ots';
  /** Name in the configuration; part of the file's name. */
  readonly name: string;
  /** The log whose checkpoint it is. */
  readonly ofOrigin: string;
  readonly ofSize: number;
  /** base64 */
  readonly ofRoot: string;
  /** SHA-256 of the token or note, hex. */
  readonly hash: string;
}

/** A recording's files are at a destination, proved. */
export interface StoredBody {
  readonly type: 'stored';
  readonly rec: string;
  /** The destination's name. */
  readonly target: string;
  /** SHA-256 of the location as the log of the recorder shows it, hex. */
  readonly locatorHash: string;
  /** What the destination calls this version of the first audio file, or `-`. */
  readonly versionId: string;
  /** SHA-256 of `<rec>_hash.txt` as it was proved there, hex. */
  readonly checksum: string;
  /** Until when the destination itself refuses deletion: ISO 8601 as `time`, or `-`. */
  readonly retainUntil: string;
  /** How it refuses: `none`, `governance`, `compliance`, `label` or another word. */
  readonly mode: string;
}

interface Deletion {
  readonly rec: string;
  /** Index of its `recording` entry. */
  readonly ofIndex: number;
  readonly reason: 'retention' | 'erasure' | 'order';
  /** Name of the retention profile, or of what else demanded it. */
  readonly policy: string;
  /** Day on which it became due, `yyyy-mm-dd`, or `-`. */
  readonly due: string;
  readonly actor: Actor;
  /** `<destination>=<result>` separated by blanks; see `formatTargets`. */
  readonly targets: string;
}

/** A recording was deleted everywhere. */
export interface TombstoneBody extends Deletion {
  readonly type: 'tombstone';
}

/** A deletion has begun; at least one destination still refuses. A `tombstone` follows. */
export interface TombstonePendingBody extends Deletion {
  readonly type: 'tombstone-pending';
}

interface Holding {
  /** A recording's UUID, or the SHA-256 of the selector that picks several, hex. */
  readonly of: string;
  /** SHA-256 of the case's reference, hex. */
  readonly caseHash: string;
  readonly actor: Actor;
}

/** Deletion is suspended. */
interface HoldBody extends Holding {
  readonly type: 'hold';
}

/** A hold ended. */
interface ReleaseBody extends Holding {
  readonly type: 'release';
}

/** Somebody listened to, took or verified a recording. */
interface AccessBody {
  readonly type: 'access';
  readonly rec: string;
  /** `play`, `download`, `export`, `verify` or another word. */
  readonly kind: string;
  readonly actor: Actor;
  /** Why, as a word of the installation, or `unstated`. */
  readonly purpose: string;
}

/** The signing key changes: the last entry that names the old key. */
export interface KeyrollBody {
  readonly type: 'keyroll';
  /** From 1 in each log; part of the files' names. */
  readonly n: number;
  /** SPKI SHA-256, hex. */
  readonly old: string;
  readonly new: string;
  /** SHA-256 of the new certificate's DER, hex. */
  readonly certNew: string;
  /** SHA-256 of `keyroll-<n>.old.sig`, hex. */
  readonly proofOld: string;
  /** SHA-256 of `keyroll-<n>.new.sig`, hex. */
  readonly proofNew: string;
}

/** Rules or settings changed. */
interface ConfigBody {
  readonly type: 'config';
  /** Which: `policy` (the rules), `configuration` (trunks and retention of the file), `announcements`, `signing-certificate` or another word. */
  readonly part: string;
  /** SHA-256, hex. */
  readonly hashBefore: string;
  readonly hashAfter: string;
  readonly actor: Actor;
}

/** The clock jumped by more than 250 ms, or lost or regained its discipline. */
interface ClockBody {
  readonly type: 'clock';
  readonly event: 'step' | 'sync-lost' | 'sync-regained';
  /** Milliseconds, with sign; `+0` when it did not jump. */
  readonly stepMs: string;
  /** What disciplines it, or `-`. */
  readonly source: string;
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
  | SegmentBody
  | RefusedBody
  | FailedBody
  | PauseBody
  | ResumeBody
  | OutageBody
  | RecoveredBody
  | HeartbeatBody
  | AnchorBody
  | StoredBody
  | TombstoneBody
  | TombstonePendingBody
  | HoldBody
  | ReleaseBody
  | AccessBody
  | KeyrollBody
  | ConfigBody
  | ClockBody
  | CloseBody;
