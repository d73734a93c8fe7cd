import type { Decision } from '../rules/decision.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { SessionOffer } from '../siprec/sdp.ts';
import type { CallFacts, EndReason } from './events.ts';

/** A SIPREC INVITE after parsing: all the recorder needs to decide and to start. */
export interface OfferedCall {
  readonly facts: CallFacts;
  readonly offer: SessionOffer;
  readonly description: CallDescription;
  /** What the rules say of it; it says to record. Left out, everything is kept, as `RECORD_ALL` has it. */
  readonly decision?: Decision;
  /** Local address the request came in on; family decides how ports are bound. */
  readonly localAddress: string;
  readonly sources: MediaSources;
}

/** Where the packets of a call may come from. */
export interface MediaSources {
  /** Addresses and networks in CIDR notation. */
  readonly networks: readonly string[];
  /** Also from the addresses that its SDP names. */
  readonly offered: boolean;
  /** Whether something is sent now and then to keep their way open (RTP-3). */
  readonly keepAlive?: boolean;
}

/** Port per m-line index; lines without one are answered with port 0 (RFC 3264 §6). */
export type LinePorts = ReadonlyMap<number, number>;

/** Who wants a recording paused, and why. */
export interface PauseOrder {
  readonly cause: 'operator' | 'policy';
  /** User or program, as the log names it. */
  readonly actor?: string;
}

/** What a restart must know of a call to go on with it. */
export interface CallStanding {
  /** False when nothing of the call is kept any more, or ever was: somebody stopped it, or the rules keep it out. */
  readonly kept: boolean;
  readonly ports: LinePorts;
  /** Those in force: what nobody was to keep before a crash nobody keeps after it. */
  readonly pauses: readonly PauseOrder[];
}

/** What the process before left of a call. */
export interface LeftCall extends CallStanding {
  /** The recording that was cut off. */
  readonly recording: string;
}

/** One accepted call, as the dialog layer holds it. Methods never throw; what fails is noted in the log. */
export interface RecordingCall {
  readonly id: string;
  readonly ports: LinePorts;
  readonly standing: CallStanding;
  /** Called whenever somebody pauses, resumes or stops it, and when `id` changes; not for what comes by its own dialog. */
  onStanding(listener: () => void): void;
  /** A later offer of the same dialog: pause, resume, new ports of the peer, new lines. Returns the ports to answer with. */
  reoffer(offer: SessionOffer, description: CallDescription): Promise<LinePorts>;
  /** Metadata without SDP. */
  describe(description: CallDescription): void;
  /**
   * Milliseconds since a packet last came in on any line, or since the start; 0 while the client pauses everything, and when the media
   * side cannot tell.
   */
  silentFor(): Promise<number>;
  /** Keys that were pressed somewhere in the call, as its signalling tells (SIP INFO). */
  pressed(keys: string): void;
  /** A step for the log, for example `acknowledged`. */
  note(step: string, detail?: string): void;
  /** Ends the recording; later calls do nothing. Resolves when the files are closed and the end is journalled. */
  end(reason: EndReason): Promise<void>;
}

/** What decides whether a call becomes a recording, and how. */
export interface CallPolicy {
  /** Never throws, never waits. `at`: epoch milliseconds. */
  decide(call: {
    readonly description: CallDescription;
    readonly trunk: string;
    readonly at: number;
  }): Decision;
}

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };

/** What the SIP application needs from the recorder. `recorder/recorder.ts` fits. */
export interface CallRecorder {
  /** Whether a call offered now would be recorded; OPTIONS answers with the same (UAS-18). */
  readiness(): Readiness;
  /**
   * States that the rules keep a call out. `answer` is `inactive` when its dialog is to be kept up by the call that comes back, else the SIP
   * status it gets.
   */
  decline(call: OfferedCall & { readonly decision: Decision }, answer: string): RecordingCall;
  /** Opens ports and files. Throws RecorderError with code NOT_READY, NO_PORTS, DISK. */
  accept(call: OfferedCall): Promise<RecordingCall>;
  /**
   * The dialog goes on with another communication session (siprec-interop.md 2.5): `before` ends there and a new recording begins on
   * the same ports, no packet lost. Throws RecorderError when it cannot; then `before` goes on.
   */
  succeed(before: RecordingCall, call: OfferedCall): Promise<RecordingCall>;
  /** States that a call was turned away, for the evidence log (every call offered ends in exactly one entry). */
  refuse(refusal: {
    readonly reason: string;
    readonly detail: string;
    readonly trunk?: string;
    readonly callId?: string;
  }): void;
}
