import type { CaptureResult, PauseCause, Segment, Stopped } from '../media/capture.ts';
import type { Decision } from '../rules/decision.ts';
import type { GroupChange } from '../rules/groups.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { Mark } from './call-marks.ts';

/** What is known about a call from its signalling, fixed when it is offered. */
export interface CallFacts {
  readonly callId: string;
  readonly trunk: string;
  readonly transport: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The client's User-Agent, Server or Organization header. */
  readonly pbxSoftware?: string;
}

/** `stopped`: somebody ended the recording during the call, as its rule allows. */
export type EndReason = 'bye' | 'stopped' | 'cancelled' | 'no-ack' | 'shutdown' | 'crash' | 'replaced';

/** evidence.md 1.4: how a recording ended, as the log states it. */
export type RecordingStatus = 'complete' | 'interrupted' | 'recovered' | 'partial';

/** Why a call gave no recording. */
export type FailReason = 'no-rtp' | 'stopped' | 'disk' | 'crash' | 'cancelled';

interface Stamped {
  /** Epoch milliseconds. */
  readonly at: number;
}

/** A call was accepted; its recording exists from here on. */
export interface OpenedEvent extends Stamped {
  readonly type: 'opened';
  readonly recording: string;
  /** Position 0 of the audio, epoch milliseconds. */
  readonly startedAt: number;
  readonly facts: CallFacts;
  readonly description: CallDescription;
  /** Why it is recorded, and how; absent in journals of earlier versions. */
  readonly decision?: Decision;
  /** Nothing could be signed when it began: since then, epoch milliseconds. */
  readonly keysMissingSince?: number;
}

/** The metadata said something new. */
export interface DescribedEvent extends Stamped {
  readonly type: 'described';
  readonly recording: string;
  readonly description: CallDescription;
}

/** A step worth a line in the log: answered, acknowledged, re-offered, paused, resumed, warning. */
export interface NotedEvent extends Stamped {
  readonly type: 'noted';
  readonly recording: string;
  readonly step: string;
  readonly detail?: string;
}

/** Nothing is kept from here on (`hold`: only marked); and its end. */
export interface PauseEvent extends Stamped {
  readonly type: 'paused' | 'resumed';
  readonly recording: string;
  readonly cause: PauseCause;
  /** Who asked for it, where a person or program did. */
  readonly actor?: string;
}

/** Somebody stopped the recording: nothing from `stopped.at` on is to be kept, and its files are about to be cut there. */
export interface StoppingEvent extends Stamped {
  readonly type: 'stopping';
  readonly recording: string;
  readonly stopped: Stopped;
}

/** Something happened in the call that belongs into its timeline. */
export interface MarkedEvent extends Stamped {
  readonly type: 'marked';
  readonly recording: string;
  readonly mark: Mark;
}

/** So much of a file is final while the call still runs. */
export interface SegmentEvent extends Stamped, Segment {
  readonly type: 'segment';
  readonly recording: string;
}

/** Files are closed and complete; sealing can start. */
export interface EndedEvent extends Stamped {
  readonly type: 'ended';
  readonly recording: string;
  readonly reason: EndReason;
  readonly status: RecordingStatus;
  readonly capture: CaptureResult;
}

/** The call gave no usable recording. */
export interface FailedEvent extends Stamped {
  readonly type: 'failed';
  readonly recording: string;
  readonly reason: FailReason;
  readonly detail: string;
}

/** Calls offered to us that were not accepted: one, or a flood of a kind within a window. */
export interface RefusedEvent extends Stamped {
  readonly type: 'refused';
  /** SIP status sent, or an internal word. */
  readonly reason: string;
  readonly trunk?: string;
  readonly callId?: string;
  /** Of a flood, the last one's. */
  readonly detail: string;
  readonly count: number;
  /** Over which they were counted; 0 for a single one. */
  readonly windowSeconds: number;
}

/** The rules kept a call out. Nothing of its content is stated, nor its parties. */
export interface DeclinedEvent extends Stamped {
  readonly type: 'declined';
  readonly callId: string;
  readonly trunk: string;
  readonly pbxCallId?: string;
  readonly direction: CallDescription['direction'];
  readonly decision: Decision;
  /** SIP status, or `inactive` for a dialog without audio. */
  readonly answer: string;
}

/** Another version of the rules holds. */
export interface RulesEvent extends Stamped {
  readonly type: 'rules';
  readonly version: number;
  readonly source: 'file' | 'api';
  readonly actor: string;
  /** SHA-256 of the rules, hex. */
  readonly hashBefore: string;
  readonly hashAfter: string;
  /** JSON. */
  readonly rules: string;
}

/** Somebody joined or left a group, or logged in or out of it. */
export interface MembershipEvent extends Stamped {
  readonly type: 'membership';
  readonly group: string;
  readonly member: string;
  readonly change: GroupChange;
  readonly actor: string;
}

/** An announcement can be played from now on, or no more. */
export interface AnnouncementChangeEvent extends Stamped {
  readonly type: 'announcement';
  readonly change: 'added' | 'removed';
  readonly name: string;
  /** Two letters, or `*` for every language. */
  readonly locale: string;
  /** Of the file, hex. */
  readonly sha256: string;
  readonly actor: string;
  /** SHA-256 of all there are, hex. */
  readonly hashBefore: string;
  readonly hashAfter: string;
}

/** A call heard an announcement, whole or in part. */
export interface AnnouncedEvent extends Stamped {
  readonly type: 'announced';
  readonly id: string;
  readonly name: string;
  readonly locale: string;
  /** Of the announcement, hex. */
  readonly sha256: string;
  /** For how long. */
  readonly milliseconds: number;
  readonly whole: boolean;
  readonly trunk: string;
  /** Of SIP. */
  readonly callId: string;
  /** Parties of the call as far as they were signalled. */
  readonly numbers: readonly string[];
  /** Every id that a recording of the same call may carry too. */
  readonly callIds: readonly string[];
  /** When nobody needs to know it any more, unless a recording belongs to it (epoch milliseconds). */
  readonly keepUntil: number;
}

/**
 * A part of the recorder does not work, or does again. `unfinished`: what was stated to have begun before this ended with the process, which
 * was last known to be alive at `at`.
 */
export type OutageEvent = Stamped & { readonly type: 'outage' } & (
    | {
        readonly phase: 'begun' | 'over';
        /** A word, for example `disk`. */
        readonly cause: string;
        /** Epoch milliseconds; with the cause it names the outage. */
        readonly since: number;
      }
    | { readonly phase: 'unfinished' }
    | {
        /** What happened between `since` and `at` is not all in the log. */
        readonly phase: 'lost';
        readonly since: number;
        /** By kind of event. */
        readonly counts: Readonly<Record<string, number>>;
      }
  );

/** Somebody changed something, or tried to. */
export interface ActedEvent extends Stamped {
  readonly type: 'acted';
  readonly actor: string;
  readonly step: string;
  readonly outcome: 'ok' | 'warning' | 'error';
  readonly detail: string;
}

/** What others state, in order with what the recorder does. */
export type StatedEvent =
  | RefusedEvent
  | NotedEvent
  | ActedEvent
  | RulesEvent
  | MembershipEvent
  | AnnouncementChangeEvent
  | AnnouncedEvent
  | OutageEvent;

/** Everything the recorder states, in order. It is durable in the journal before anything else happens with it. */
export type RecorderEvent =
  | OpenedEvent
  | DescribedEvent
  | NotedEvent
  | PauseEvent
  | MarkedEvent
  | StoppingEvent
  | SegmentEvent
  | EndedEvent
  | FailedEvent
  | RefusedEvent
  | DeclinedEvent
  | RulesEvent
  | MembershipEvent
  | AnnouncementChangeEvent
  | AnnouncedEvent
  | OutageEvent
  | ActedEvent;
