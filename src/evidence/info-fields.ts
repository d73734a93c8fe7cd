import type { InfoField } from './info.ts';
import { gapLines, legLines, type LegInfo } from './info-legs.ts';

export interface PartyInfo {
  readonly name?: string | undefined;
  readonly number?: string | undefined;
  /** Where name and number were taken from. */
  readonly source: string;
  readonly confidence?: string | undefined;
  readonly rule?: string | undefined;
}

/** Something concluded from the signalling, with where it came from, how sure it is, and by which rule (docs/interop.md). */
export interface ConcludedInfo {
  readonly value: string;
  readonly source: string;
  readonly confidence?: string | undefined;
  readonly rule?: string | undefined;
}

/** One of several of a kind. */
export interface ItemInfo extends ConcludedInfo {
  readonly kind: string;
}

/** Why a call is recorded. */
export interface DecisionInfo {
  /** `<rule>@<version>`, as in the `open` entry. */
  readonly policy: string;
  readonly reason: string;
  readonly legs: string;
  readonly layout: string;
  readonly retention?: string | undefined;
  /** Whether users could stop it. */
  readonly mayStop: boolean;
  readonly announcement?: string | undefined;
  /** `member in group`, of those who were logged in. */
  readonly loggedIn: readonly string[];
}

export interface AudioFileInfo {
  readonly name: string;
  readonly codec: string;
  readonly bytes: number;
  /** Samples a channel. */
  readonly samples: number;
  /** Set for a derivative: what made it of the files before. */
  readonly madeBy?: string | undefined;
  /** Who is on each channel, first one left. */
  readonly channels: readonly string[];
}

/** What a party heard before or in the call. Times are epoch milliseconds. */
interface AnnouncementInfo {
  readonly name: string;
  readonly locale: string;
  readonly at: number;
  readonly milliseconds: number;
  readonly whole: boolean;
  readonly linkedBy: string;
  readonly sha256: string;
}

/** Something that happened in the call, as its signalling told. */
interface MarkInfo {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly kind: string;
  readonly source: string;
  readonly detail?: string | undefined;
}

/** Nothing was kept between two moments, or (`hold`) somebody was on hold. Times are epoch milliseconds. */
interface PauseInfo {
  readonly cause: string;
  readonly from: number;
  readonly to: number;
  readonly actor?: string | undefined;
}

/** The recording was ended during the call. */
interface StoppedInfo {
  readonly at: number;
  /** `keys`, `info`, `api` or another word. */
  readonly how: string;
  readonly actor: string;
}

interface ParticipantInfo {
  readonly id: string;
  readonly name?: string | undefined;
  readonly aor?: string | undefined;
  readonly joined?: string | undefined;
  readonly left?: string | undefined;
}

/** What `<rec>_info.txt` says about a recording. Times are epoch milliseconds. */
export interface RecordingInfo {
  readonly id: string;
  /** Position 0 of the audio. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** The zone in which the local times are given beside UTC; `UTC` gives none. */
  readonly timeZone: string;
  readonly status: string;
  readonly endReason: string;
  readonly direction: string;
  readonly directionSource: string;
  readonly directionConfidence?: string | undefined;
  readonly directionRule?: string | undefined;
  readonly caller: PartyInfo;
  readonly callee: PartyInfo;
  readonly sipCallId: string;
  readonly pbxCallId?: ConcludedInfo | undefined;
  /** All ids of the call in the PBX, beside the one it is best known by. */
  readonly pbxCallIds?: readonly ItemInfo[] | undefined;
  /** Numbers the call went through before. */
  readonly redirects?: readonly ItemInfo[] | undefined;
  /** Whose calls are recorded, in what group and for whom. */
  readonly user?: ConcludedInfo | undefined;
  readonly group?: ConcludedInfo | undefined;
  readonly tenant?: ConcludedInfo | undefined;
  /** What other recordings of the same call carry too. */
  readonly related?: readonly { readonly kind: string; readonly value: string }[] | undefined;
  /** The recording of the same call that an interruption of the recorder cut off, and when nothing could be kept. */
  readonly continues?: { readonly recording: string; readonly from: string; readonly to: string } | undefined;
  /** The recording that goes on with this one's call. */
  readonly continuedBy?: string | undefined;
  readonly profile?: string | undefined;
  readonly profileSource?: string | undefined;
  /** Which rule had it recorded, and how; absent in recordings of earlier versions. */
  readonly decision?: DecisionInfo | undefined;
  readonly trunk: string;
  /** `transport address:port` of the recording client. */
  readonly client: string;
  readonly pbxSoftware?: string | undefined;
  readonly recorderVersion: string;
  readonly installation: string;
  readonly files: readonly AudioFileInfo[];
  /** Why there is no playable copy, where there should be one. */
  readonly unplayable?: string | undefined;
  /** How it was decided which line is whose channel. */
  readonly channelSource: string;
  readonly legs: readonly LegInfo[];
  readonly announcements?: readonly AnnouncementInfo[] | undefined;
  readonly marks?: readonly MarkInfo[] | undefined;
  readonly pauses?: readonly PauseInfo[] | undefined;
  readonly stopped?: StoppedInfo | undefined;
  readonly participants: readonly ParticipantInfo[];
  readonly metadataStatus: string;
  /** It was recorded while nothing could be signed: since when, and when it was sealed at last. */
  readonly unsigned?: { readonly since: number; readonly sealedAt: number } | undefined;
  readonly warnings: readonly string[];
  /** Profile and last day, in words; undefined when it is kept for ever. */
  readonly retention?: string | undefined;
  /** The recording sealed before this one in the same log; `signature` is base64 of its `.sig`. */
  readonly previous?:
    { readonly fileName: string; readonly index: number; readonly signature: string } | undefined;
  /** 16 random octets, hex: what remains after deletion must not be guessable (evidence.md, decision 3). */
  readonly nonce: string;
  /** Clock state when sealed, as in the entries. */
  readonly clock: string;
  /** SPKI SHA-256, hex. */
  readonly signingKey: string;
  readonly logOrigin: string;
  readonly logIndex: number;
}

/** The documented lines of `<rec>_info.txt` in their documented order (docs/evidence-format.md). What is not known is left out. */
export function infoFields(info: RecordingInfo): readonly InfoField[] {
  return [
    ...callLines(info),
    ...partyLines('Caller', info.caller),
    ...partyLines('Callee', info.callee),
    ...concludedLines('User', info.user),
    ...concludedLines('Group', info.group),
    ...concludedLines('Tenant', info.tenant),
    ...itemLines('Redirect', info.redirects),
    ...decisionLines(info.decision),
    ...(info.announcements ?? []).map(announcementLine),
    ...originLines(info),
    ...audioLines(info),
    ...info.legs.flatMap(legLines),
    ...info.legs.flatMap((leg) => gapLines(leg, info.startedAt)),
    ...(info.marks ?? []).map((mark, at) => markLine(info, mark, at)),
    ...(info.pauses ?? []).map((pause, at) => pauseLine(info, pause, at)),
    ...info.participants.map(participantLine),
    ['Metadata-Status', info.metadataStatus],
    ...known(
      'Recorded-Without-Keys',
      info.unsigned &&
        `keys missing since ${utc(info.unsigned.since)}; sealed ${utc(info.unsigned.sealedAt)}`,
    ),
    ...info.warnings.map((warning, at): InfoField => [`Warning-${at + 1}`, warning]),
    ...chainLines(info),
  ];
}

function callLines(info: RecordingInfo): readonly InfoField[] {
  return [
    ['Recording-Id', info.id],
    ['Started', utc(info.startedAt)],
    ...localLine('Started-Local', info.startedAt, info.timeZone),
    ['Ended', utc(info.endedAt)],
    ...localLine('Ended-Local', info.endedAt, info.timeZone),
    ['Duration', seconds(info.endedAt - info.startedAt)],
    ['Status', info.status],
    ['End-Reason', info.endReason],
    ...stoppedLine(info),
    ['Direction', info.direction],
    ['Direction-Source', info.directionSource],
    ...known('Direction-Confidence', info.directionConfidence),
    ...known('Direction-Rule', info.directionRule),
  ];
}

const partyLines = (key: string, party: PartyInfo): readonly InfoField[] => [
  ...known(`${key}-Name`, party.name),
  ...known(`${key}-Number`, party.number),
  [`${key}-Source`, party.source],
  ...known(`${key}-Confidence`, party.confidence),
  ...known(`${key}-Rule`, party.rule),
];

const concludedLines = (key: string, concluded: ConcludedInfo | undefined): readonly InfoField[] =>
  concluded === undefined
    ? []
    : [
        [key, concluded.value],
        [`${key}-Source`, concluded.source],
        ...known(`${key}-Confidence`, concluded.confidence),
        ...known(`${key}-Rule`, concluded.rule),
      ];

/** `PBX-Call-ID-1: ucid 00FA…; from header User-to-User; confidence high; rule 5.4`. */
const itemLines = (key: string, items: readonly ItemInfo[] | undefined): readonly InfoField[] =>
  (items ?? []).map(({ kind, value, source, confidence, rule }, at) => {
    const sure = confidence === undefined ? '' : `; confidence ${confidence}`;
    return [
      `${key}-${at + 1}`,
      `${kind} ${value}; from ${source}${sure}${rule === undefined ? '' : `; rule ${rule}`}`,
    ];
  });

const decisionLines = (decision: DecisionInfo | undefined): readonly InfoField[] =>
  decision === undefined
    ? []
    : [
        ['Rule', decision.policy],
        ['Rule-Reason', decision.reason],
        ['Rule-Legs', decision.legs],
        ['Rule-Layout', decision.layout],
        ...known('Rule-Retention', decision.retention),
        ['Rule-Users-May-Stop', decision.mayStop ? 'yes' : 'no'],
        ...known('Rule-Announcement', decision.announcement),
        ...decision.loggedIn.map((who, at): InfoField => [`Logged-In-${at + 1}`, who]),
      ];

const originLines = (info: RecordingInfo): readonly InfoField[] => [
  ['SIP-Call-ID', info.sipCallId],
  ...concludedLines('PBX-Call-ID', info.pbxCallId),
  ...itemLines('PBX-Call-ID', info.pbxCallIds),
  ...(info.related ?? []).map(({ kind, value }, at): InfoField => [`Related-${at + 1}`, `${kind} ${value}`]),
  ...known('Continues', info.continues?.recording),
  ...known('Interrupted', info.continues && `${info.continues.from} to ${info.continues.to}`),
  ...known('Continued-By', info.continuedBy),
  ['Trunk', info.trunk],
  ['Client', info.client],
  ...known('PBX-Software', info.pbxSoftware),
  ...known('Profile', info.profile),
  ...known('Profile-Source', info.profileSource),
  ['Recorder-Version', info.recorderVersion],
  ['Installation', info.installation],
];

function audioLines(info: RecordingInfo): readonly InfoField[] {
  const originals = info.files.filter(({ madeBy }) => madeBy === undefined);
  const codecs = [...new Set(originals.map(({ codec }) => codec))];
  return [
    ['Codec', codecs.join(', ')],
    ...info.files.flatMap((file, at): readonly InfoField[] => [
      [`File-${at + 1}`, file.name],
      [`File-${at + 1}-Codec`, file.codec],
      [`File-${at + 1}-Bytes`, `${file.bytes}`],
      [`File-${at + 1}-Samples`, `${file.samples}`],
      [`File-${at + 1}-Channels`, channels(file.channels)],
      ...known(`File-${at + 1}-Derivative`, derivation(file)),
    ]),
    ...known('Playable-Copy', info.unplayable === undefined ? undefined : `none; ${info.unplayable}`),
    ['Channel-Source', info.channelSource],
  ];
}

/** The originals are the evidence; a copy only makes them easy to hear. */
const derivation = ({ madeBy }: AudioFileInfo): string | undefined =>
  madeBy === undefined ? undefined : `made of the other files by ${madeBy}`;

/** `2 (left caller, right callee)`. */
function channels(parties: readonly string[]): string {
  const sides = parties.length === 2 ? ['left ', 'right '] : [];
  return `${parties.length} (${parties.map((party, at) => `${sides[at] ?? ''}${party}`).join(', ')})`;
}

/** `Stopped: …Z; 3.000 s; by user 4711; keys`: nothing that came later was kept. */
function stoppedLine({ startedAt, stopped }: RecordingInfo): readonly InfoField[] {
  if (stopped === undefined) return [];
  const { at, how, actor } = stopped;
  return [['Stopped', `${utc(at)}; ${((at - startedAt) / 1000).toFixed(3)} s; by ${actor}; ${how}`]];
}

/** `Announcement-1: inbound de; …Z; 4.140 s; whole; linked by call-id; sha256 …`. */
const announcementLine = (
  { name, locale, at, milliseconds, whole, linkedBy, sha256 }: AnnouncementInfo,
  index: number,
): InfoField => [
  `Announcement-${index + 1}`,
  `${name} ${locale}; ${utc(at)}; ${seconds(milliseconds)}; ${whole ? 'whole' : 'in part'}; linked by ${linkedBy}; sha256 ${sha256}`,
];

/** `Mark-1: answered; …Z; 4.000 s; 4711; by metadata participants`. */
function markLine({ startedAt }: RecordingInfo, mark: MarkInfo, index: number): InfoField {
  const { at, kind, source, detail } = mark;
  const about = detail === undefined ? '' : `; ${detail}`;
  return [
    `Mark-${index + 1}`,
    `${kind}; ${utc(at)}; ${seconds(Math.max(0, at - startedAt))}${about}; by ${source}`,
  ];
}

/** `Pause-1: operator; …Z to …Z; 3.000 s to 5.000 s; by api:anna`. */
function pauseLine({ startedAt }: RecordingInfo, pause: PauseInfo, at: number): InfoField {
  const { cause, from, to, actor } = pause;
  const offsets = `${seconds(Math.max(0, from - startedAt))} to ${seconds(Math.max(0, to - startedAt))}`;
  const by = actor === undefined ? '' : `; by ${actor}`;
  return [`Pause-${at + 1}`, `${cause}; ${utc(from)} to ${utc(to)}; ${offsets}${by}`];
}

function participantLine(participant: ParticipantInfo, at: number): InfoField {
  const { id, name, aor, joined, left } = participant;
  const parts = [
    `id ${id}`,
    ...(name === undefined ? [] : [`name ${name}`]),
    ...(aor === undefined ? [] : [`aor ${aor}`]),
    ...(joined === undefined ? [] : [`joined ${joined}`]),
    ...(left === undefined ? [] : [`left ${left}`]),
  ];
  return [`Participant-${at + 1}`, parts.join('; ')];
}

const chainLines = (info: RecordingInfo): readonly InfoField[] => [
  ...known('Retention', info.retention),
  ['Previous-Recording', info.previous?.fileName ?? '-'],
  ['Previous-Index', info.previous === undefined ? '-' : `${info.previous.index}`],
  ['Previous-Signature', info.previous?.signature ?? '-'],
  ['Nonce', info.nonce],
  ['Clock', info.clock],
  ['Signing-Key', `sha256:${info.signingKey}`],
  ['Log-Origin', info.logOrigin],
  ['Log-Index', `${info.logIndex}`],
];

const known = (key: string, value: string | undefined): readonly InfoField[] =>
  value === undefined || value === '' ? [] : [[key, value]];

const utc = (time: number): string => new Date(time).toISOString();

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(3)} s`;

function localLine(key: string, time: number, timeZone: string): readonly InfoField[] {
  if (timeZone === 'UTC') return [];
  const local = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(time);
  return [[key, `${local} ${timeZone}`]];
}
