import type { IceTerms } from './ice/ice-line.ts';
import type { CaptureSecurity } from './line-security.ts';
import type { TroubledLeg } from './troubled-legs.ts';

/**
 * What a recorder asks of the media threads and what it gets back. Plain data only: it crosses a thread boundary.
 * Positions and lengths are samples at `CLOCK_RATE` counted from `startedAt`; times are epoch milliseconds.
 */

import type { Levels } from './levels.ts';

/** Ticks a second of every timeline: G.711's clock (RFC 3551 §4.5.14). Other clocks are converted. */
export const CLOCK_RATE = 8000;

/** Where a line's audio goes: caller left, callee right; everything else gets a mono file of its own. */
export type LineRole = 'caller' | 'callee' | 'mixed' | 'extra';

/** One payload number that the SDP answer accepted on a line. */
export interface PayloadFormat {
  readonly payloadType: number;
  /** Upper case, for example `PCMA`, `TELEPHONE-EVENT`, `CN`. */
  readonly encoding: string;
  readonly clockRate: number;
  /** Default 1. */
  readonly channels?: number;
}

/** RTCP of a line (RFC 3550 §6). */
export interface LineReporting {
  /** On the port of the audio (RFC 5761); else on the odd one above it. */
  readonly mux: boolean;
  /** `address:port` where the SDP says that the client takes reports (RFC 3605); undefined when it names no usable one. */
  readonly target?: string | undefined;
  /** Empty datagrams keep the way of the audio open (RFC 6263), to where it comes from, before that to where the SDP wants audio. */
  readonly keepAlive?: { readonly target: string | undefined } | undefined;
}

export interface CaptureLine {
  /** Index of the m-line in the SDP. */
  readonly line: number;
  readonly role: LineRole;
  readonly formats: readonly PayloadFormat[];
  /** False while the client pauses the line (`a=inactive`): packets are counted, not recorded. */
  readonly active: boolean;
  /** Addresses and networks its packets may come from; without it from anywhere. Others are counted and never heard. */
  readonly sources?: readonly string[] | undefined;
  /** Where its reports go; without it none are sent, and those of the client are taken where they come. */
  readonly rtcp?: LineReporting | undefined;
  /** Datagrams a second at most that its formats let expect. Default 50. */
  readonly packetRate?: number | undefined;
  /** How its packets are encrypted; without it they are not. `unchanged`: as before, by keys that are known to the media side alone. */
  readonly security?: CaptureSecurity | 'unchanged';
  /** Where the client speaks ICE: how its checks are known, and how they are answered. */
  readonly ice?: IceTerms | undefined;
  /** The port it had before a restart: this one or none (NO_PORTS). Without it the one that has rested longest. */
  readonly port?: number;
}

export interface CaptureRequest {
  /** The recording's id; names the capture in every later call. */
  readonly id: string;
  /** Folder of this recording in the spool, which is made with the first audio file in it; the spool itself must be there. */
  readonly folder: string;
  /** Address to bind the ports to, `0.0.0.0` or `::` or a local address. */
  readonly bind: string;
  readonly lines: readonly CaptureLine[];
  /** One file with two channels (the default), or one mono file a leg. */
  readonly layout?: 'stereo' | 'per-leg';
  /** It may be closed with a cut that lies up to `CUT_REACH` back; that costs memory where the codec is not G.711. */
  readonly mayBeCut?: boolean;
  /** The keys by which it may be cut: from the first of them on nothing is written until it is clear that the others do not follow. */
  readonly stopKeys?: string | undefined;
  /** Keys are heard as tones in G.711 audio too, beside telephone events; that costs computing time for every leg. */
  readonly tones?: boolean;
}

export interface OpenedLine {
  readonly line: number;
  /** Even UDP port that already receives; reports come in on the odd one above (RFC 3550 §11). */
  readonly port: number;
}

export interface OpenedCapture {
  /** Position 0 of the timeline. */
  readonly startedAt: number;
  readonly lines: readonly OpenedLine[];
}

/** Lines missing here stay as they are; lines with a new index get a port; nothing is taken away but what `gone` names. */
export interface CaptureChange {
  readonly id: string;
  readonly lines: readonly CaptureLine[];
  /** When the change took effect; pauses are noted with this time. */
  readonly at: number;
  /**
   * Lines that nobody will send on after all: their ports close, and the side that is left has a mono file, also of what is recorded already.
   * What came in on them is not kept. Unknown ones are passed over.
   */
  readonly gone?: readonly number[];
  /** A key that signalling told of, pressed at `at`; see `CaptureRequest.stopKeys`. */
  readonly key?: string;
}

/** A key that somebody pressed. Who may know it decides; it is nowhere stored here. */
export interface PressedKey {
  readonly key: string;
  /** When it was pressed down, epoch milliseconds. */
  readonly at: number;
  /** Line of the capture it came on. */
  readonly line: number;
  /** Heard as tones in the audio, and not as a telephone event. */
  readonly tone?: true;
}

/** How much of a file is final and on the disk while the call still runs, and what it is (evidence.md 1.1 no. 13). */
export interface Segment {
  /** What follows the recording's name in that of the file: `.wav`, `_caller.opus`. */
  readonly file: string;
  /** From 1 for each file, without a hole. */
  readonly n: number;
  /** Octets of audio from its beginning, see `CapturedFile.audioOffset`. */
  readonly bytes: number;
  /** Of these octets, hex. */
  readonly sha256: string;
}

/** A span of one leg in which nothing was recorded. */
export interface Gap {
  /** Samples from the start, first missing one and first present one again. */
  readonly from: number;
  readonly to: number;
  /**
   * `lost`: sequence numbers are missing; `silent`: the sender paused; `paused`: the client said so in SDP; `disk`: packets came and the
   * disk did not take them.
   */
  readonly cause: 'lost' | 'silent' | 'paused' | 'disk';
  readonly packets: number;
}

/** What was reported on a leg, in both directions. */
export interface ReportCounts {
  /** Compound packets that came in and could be read, and that we sent. */
  readonly received: number;
  readonly sent: number;
  /** Looked like RTCP and were none. */
  readonly malformed: number;
  /** Packets of audio the client says it sent, by its last reports; undefined when it never said. */
  readonly packetsSent: number | undefined;
  /** Sources that took their leave. */
  readonly byes: number;
}

export interface LegStatistics {
  readonly line: number;
  readonly role: LineRole;
  /** Encodings heard as audio, in order of first use, for example `['PCMA']`. */
  readonly codecs: readonly string[];
  /** In order of first packet, 8 hex digits each. */
  readonly ssrcs: readonly string[];
  /** `address:port` of the first packet, and of every further source in order. */
  readonly sources: readonly string[];
  /** Position of the first recorded sample, undefined when nothing was recorded. */
  readonly firstSample: number | undefined;
  readonly expected: number;
  /** Distinct packets that arrived, whether recorded or not. */
  readonly received: number;
  readonly lost: number;
  /** Arrived more than the reordering window behind; not recorded. */
  readonly late: number;
  readonly duplicate: number;
  readonly reordered: number;
  /** Arrived while paused; counted, not recorded. */
  readonly whilePaused: number;
  /** Not RTP, unknown payload number, or more than fits: counted, not recorded. */
  readonly rejected: number;
  /** Came while the disk had not taken what came before, and there was no more room: not recorded. Left out when there were none. */
  readonly unwritten?: number;
  /** Came from outside the networks of the trunk: counted in no other figure, not recorded. Left out when there were none. */
  readonly foreign?: number;
  /** `address:port` of those, at most ten. */
  readonly foreignSources?: readonly string[];
  /** Crypto suite of the leg, the last one where it changed; undefined when it was not encrypted. */
  readonly encryption?: string | undefined;
  /** Packets that no key of the call fits; they are among the rejected. */
  readonly unauthentic?: number;
  /** How the handshake went, where the keys come from one (RFC 5764); one line for people. */
  readonly keyExchange?: string;
  /** Packets that came before it was finished; they are among the rejected. */
  readonly beforeKeys?: number;
  /** How the checks of ICE went, where the client asked for it; one line for people. */
  readonly connectivity?: string;
  readonly telephoneEvents: number;
  readonly comfortNoise: number;
  /** Octets of audio written. */
  readonly octets: number;
  /** Interarrival jitter (RFC 3550 §6.4.1) in milliseconds: last and largest value. */
  readonly jitter: number;
  readonly jitterMax: number;
  /** The sender's clock, in ms: what its gaps took up of its drift, and by how much its audio stands too early (negative: late) at the end. Left out below 10 ms. */
  readonly clock?: { readonly takenUp: number; readonly left: number };
  /**
   * What the sender's reports said about its place beside the other legs, in ms: by how much it was moved for it (negative: to an earlier
   * place), and how late it still stands at the end. Left out where nothing had to be done.
   */
  readonly alignment?: { readonly moved: number; readonly late: number };
  /** In order of time; at most `GAP_LIMIT` listed, `gapCount` counts all. */
  readonly gaps: readonly Gap[];
  readonly gapCount: number;
  /** What was reported by RTCP; absent where nobody counted. */
  readonly reports?: ReportCounts;
  /** Of its G.711 and linear samples, or of all its audio in the playable copy; absent where nobody measured. */
  readonly levels?: Levels;
  /** The levels are those of the copy, since the codec of the leg tells nothing of them. */
  readonly levelsOfCopy?: boolean;
}

/** How far back from now a cut can lie, in ms: as long as people take to dial a sequence of keys, and to be understood. */
export const CUT_REACH = 15_000;

/** Longest pause between two keys that belong together, in ms. */
export const KEY_PAUSE = 3000;

/** How many gaps a leg lists one by one. */
export const GAP_LIMIT = 200;

export type FileExtension = 'wav' | 'opus' | 'pcap';

/** One finished audio file. Every file of a recording starts at position 0. */
export interface CapturedFile {
  /** Absolute path; still has its working name ending in `.part`. */
  readonly path: string;
  /** '' for the only or main file, else what follows the recording's name: `caller`, `callee`, `line3`, `caller-pcmu`. */
  readonly suffix: string;
  /** RTP encoding name: `PCMA`, `G722`, `OPUS`; of a dump, the first one in it. */
  readonly codec: string;
  /** WAV where the codec has a format tag, Ogg for Opus, a capture file for everything else (docs/media.md). Default `wav`. */
  readonly extension?: FileExtension;
  /** Samples a second that a decoder makes of it. Default CLOCK_RATE. */
  readonly rate?: number;
  /** m-line index per channel, left first. Empty in a recovered file whose name does not tell it; its recording's journal does. */
  readonly channelLines: readonly number[];
  readonly channelRoles: readonly LineRole[];
  /** Its length, in ticks of CLOCK_RATE whatever the rate of the file. */
  readonly samples: number;
  readonly bytes: number;
  /** SHA-256 of all octets from `audioOffset` on, the pad of a WAV included, kept while they were written (evidence.md 1.1 no. 13); hex. */
  readonly audioSha256: string;
  /** Where the audio octets start in the file. */
  readonly audioOffset: number;
  /** Of a playable copy: how loud the lines were that have a channel of it to themselves. */
  readonly lineLevels?: readonly { readonly line: number; readonly levels: Levels }[];
}

/**
 * Why a recording paused. `src`: the client sent `a=inactive`. `operator`, `policy`: we were told to keep nothing. `hold`: the metadata
 * says that a participant is on hold; what still arrives is recorded.
 */
export type PauseCause = 'src' | 'operator' | 'policy' | 'hold';

/** Times are epoch milliseconds. */
export interface Pause {
  readonly cause: PauseCause;
  readonly from: number;
  readonly to: number;
  /** Who asked for it. */
  readonly actor?: string;
}

/** An end that somebody wanted. Nothing that came later was kept. */
export interface Stopped {
  /** When they began to ask for it, epoch milliseconds. */
  readonly at: number;
  /** `keys`: by dialling the sequence, as telephone events; `tones`: heard in the audio; `info`: told by SIP INFO; `api`. */
  readonly how: 'keys' | 'tones' | 'info' | 'api';
  /** Who, as the log names them. */
  readonly actor: string;
}

export interface CaptureResult {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Stated by the recorder when it ends; absent where it could not. */
  readonly pauses?: readonly Pause[];
  /** Somebody ended the recording before the call; absent where nobody did. */
  readonly stopped?: Stopped;
  /** Empty when no audio arrived at all. */
  readonly files: readonly CapturedFile[];
  readonly legs: readonly LegStatistics[];
  /** No file was ever begun: there is no folder to look for. Absent otherwise, and where nobody knows. */
  readonly untouched?: true;
}

/** Totals over all captures of this process, for metrics. */
export interface MediaTotals {
  readonly captures: number;
  readonly packets: number;
  readonly octets: number;
  readonly lost: number;
  readonly late: number;
  readonly rejected: number;
  /** Not recorded because the disk did not take what came before. */
  readonly unwritten: number;
  /** From senders outside the media networks of their trunk. */
  readonly foreign: number;
  /** Of encrypted lines, among the rejected: no key fits. */
  readonly unauthentic: number;
  /** DTLS handshakes that came to nothing. */
  readonly handshakesFailed: number;
  /** The legs that lost audio last through the fault of this machine, a few of each cause. */
  readonly troubled?: readonly TroubledLeg[];
  /** CPU seconds the media threads used. */
  readonly cpuSeconds: number;
}

/** The media side as the recorder sees it; implemented in-process and by worker threads. */
export interface MediaHost {
  /** Ports are bound and receiving when this resolves. Rejects with MediaError NO_PORTS, DISK, BAD_REQUEST. */
  open(request: CaptureRequest): Promise<OpenedCapture>;
  /** Applies a re-offer without losing a packet. Returns the ports of all lines. */
  change(change: CaptureChange): Promise<OpenedCapture>;
  /**
   * Ends capture `id` now and begins `next` on the same ports, without losing a packet: what had arrived belongs to the one, what
   * comes to the other. `next` names the lines of `id`. The result of `id` is fetched with `close`. Rejects with MediaError
   * BAD_REQUEST, DISK; then `id` goes on.
   */
  succeed(id: string, next: CaptureRequest): Promise<OpenedCapture>;
  /**
   * Takes in what arrived until `at` (and a short linger), closes ports and files, fsyncs. With `cut` nothing stays of what arrived after
   * `at`: it is overwritten where it was written already, and cut off.
   */
  close(id: string, at: number, cut?: boolean): Promise<CaptureResult>;
  totals(): Promise<MediaTotals>;
  /** Milliseconds, to about a second, since a datagram came in on any line, a sound check of ICE among them; since the start when none ever did. */
  silence(id: string): Promise<number>;
  /** Called when a running capture can no longer write (disk full, I/O error). The capture goes on receiving. */
  onFailure(listener: (id: string, error: Error) => void): void;
  /** Called when somebody presses a key in a running capture. */
  onKey(listener: (id: string, key: PressedKey) => void): void;
  /** Called from time to time while a long call runs: what was recorded until then will not change any more. */
  onSegment(listener: (id: string, segment: Segment) => void): void;
  /** Ends the threads; captures still open are closed first. May be called twice. */
  stop(): Promise<void>;
}
