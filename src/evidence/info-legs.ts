import type { InfoField } from './info.ts';

/** A span of a leg in which nothing was recorded; positions in samples from the start of the recording. */
interface GapInfo {
  readonly from: number;
  readonly to: number;
  /** `lost`, `silent`, `paused` or `disk`. */
  readonly cause: string;
  readonly packets: number;
}

/** What was heard on one leg. */
export interface LegInfo {
  /** `caller`, `callee`, or what else tells the legs of this recording apart (`Line 3`); begins its keys. */
  readonly name: string;
  readonly codecs: readonly string[];
  readonly ssrcs: readonly string[];
  readonly sources: readonly string[];
  /** Samples a second of the positions. */
  readonly clockRate: number;
  /** Position of the first recorded sample. */
  readonly firstSample?: number | undefined;
  readonly expected: number;
  readonly received: number;
  readonly lost: number;
  readonly late: number;
  readonly duplicate: number;
  readonly reordered: number;
  readonly whilePaused: number;
  readonly rejected: number;
  /** Packets that the disk had no room for. */
  readonly unwritten?: number | undefined;
  /** Packets from outside the media networks, and who sent them. */
  readonly foreign?: number | undefined;
  readonly foreignSources?: readonly string[] | undefined;
  /** Crypto suite; undefined for a leg that was not encrypted. */
  readonly encryption?: string | undefined;
  /** Packets of an encrypted leg that no key fitted. */
  readonly unauthentic?: number | undefined;
  /** How the handshake for its keys went, in words, and how many packets came before it was finished. */
  readonly keyExchange?: string | undefined;
  readonly beforeKeys?: number | undefined;
  readonly connectivity?: string | undefined;
  readonly telephoneEvents: number;
  /** Milliseconds, last and largest. */
  readonly jitter: number;
  readonly jitterMax: number;
  /** Milliseconds: what gaps took up of the drift of the sender's clock, and what is left at the end (positive: audio stands too early). */
  readonly clock?: { readonly takenUp: number; readonly left: number } | undefined;
  /** Milliseconds: by how much the leg was moved beside the others, as its sender reported, and how late it stands at the end. */
  readonly alignment?: { readonly moved: number; readonly late: number } | undefined;
  /** RTCP: reports that came and went, and the packets the client says it sent. */
  readonly reports?:
    | { readonly received: number; readonly sent: number; readonly packetsSent?: number | undefined }
    | undefined;
  /** Those listed one by one; `gapCount` counts all. */
  readonly gaps: readonly GapInfo[];
  readonly gapCount: number;
  /** Levels of its audio where they are known: samples looked at, those above silence, those at the limit. */
  readonly levels?:
    { readonly samples: number; readonly sounding: number; readonly clipped: number } | undefined;
  /** They are those of the playable copy. */
  readonly levelsOfCopy?: boolean | undefined;
  readonly verdict?: { readonly word: string; readonly reasons: readonly string[] } | undefined;
}

/** The statistics of a leg. */
export function legLines(leg: LegInfo): readonly InfoField[] {
  const key = keyOf(leg);
  const first = leg.firstSample === undefined ? 'none' : `${offset(leg.firstSample, leg)} after the start`;
  return [
    ...verdictLine(key, leg),
    [`${key}-First-Packet`, first],
    [`${key}-Codecs`, list(leg.codecs)],
    [`${key}-Sources`, list(leg.sources)],
    [`${key}-SSRCs`, list(leg.ssrcs)],
    [`${key}-Packets-Expected`, `${leg.expected}`],
    [`${key}-Packets-Received`, `${leg.received}`],
    [`${key}-Packets-Lost`, `${leg.lost}`],
    [`${key}-Packet-Loss`, `${share(leg.lost, leg.expected)} percent`],
    [`${key}-Packets-Late`, `${leg.late}`],
    [`${key}-Packets-Duplicate`, `${leg.duplicate}`],
    [`${key}-Packets-Reordered`, `${leg.reordered}`],
    [`${key}-Packets-While-Paused`, `${leg.whilePaused}`],
    [`${key}-Packets-Rejected`, `${leg.rejected}`],
    ...(leg.unwritten === undefined ? [] : [[`${key}-Packets-Unwritten`, `${leg.unwritten}`] as const]),
    ...foreignLines(key, leg),
    [`${key}-Encryption`, leg.encryption ?? 'none'],
    ...(leg.unauthentic === undefined ? [] : [[`${key}-Packets-Unauthentic`, `${leg.unauthentic}`] as const]),
    ...handshakeLines(key, leg),
    ...iceLines(key, leg),
    [`${key}-Telephone-Events`, `${leg.telephoneEvents}`],
    [`${key}-Jitter`, `${leg.jitter.toFixed(1)} ms, at most ${leg.jitterMax.toFixed(1)} ms`],
    ...clockLines(key, leg),
    ...alignmentLine(key, leg),
    ...reportLines(key, leg),
    ...levelLines(key, leg),
    [`${key}-Gaps`, `${leg.gapCount}`],
  ];
}

/** Only where there were any: as a rule nobody else knows the port. */
const foreignLines = (key: string, { foreign = 0, foreignSources = [] }: LegInfo): readonly InfoField[] =>
  foreign === 0
    ? []
    : [
        [`${key}-Packets-Foreign`, `${foreign}`],
        [`${key}-Foreign-Sources`, list(foreignSources)],
      ];

/** Only where the keys come from a handshake beside the media. */
const handshakeLines = (key: string, { keyExchange, beforeKeys = 0 }: LegInfo): readonly InfoField[] =>
  keyExchange === undefined
    ? []
    : [
        [`${key}-Key-Exchange`, keyExchange],
        [`${key}-Packets-Before-Keys`, `${beforeKeys}`],
      ];

/** Only where the client spoke ICE. */
const iceLines = (key: string, { connectivity }: LegInfo): readonly InfoField[] =>
  connectivity === undefined ? [] : [[`${key}-Connectivity`, connectivity]];

/** Only where the clock of the sender did not keep time with ours. */
function clockLines(key: string, { clock }: LegInfo): readonly InfoField[] {
  if (clock === undefined) return [];
  const { takenUp, left } = clock;
  const side = left < 0 ? 'late' : 'early';
  return [
    [
      `${key}-Clock-Drift`,
      `${takenUp.toFixed(0)} ms taken up in silence; at the end the audio stands ${Math.abs(left).toFixed(0)} ms too ${side}`,
    ],
  ];
}

/** Only where the legs of one client did not come equally fast. */
const alignmentLine = (key: string, { alignment }: LegInfo): readonly InfoField[] =>
  alignment === undefined
    ? []
    : [
        [
          `${key}-Alignment`,
          `${alignment.moved.toFixed(0)} ms by the reports of the client; at the end ${alignment.late.toFixed(0)} ms too late`,
        ],
      ];

/** Only where any were exchanged. What the client counts itself is worth knowing where packets are missing. */
function reportLines(key: string, { reports }: LegInfo): readonly InfoField[] {
  if (reports === undefined || reports.received + reports.sent === 0) return [];
  const { received, sent, packetsSent } = reports;
  const counted =
    packetsSent === undefined ? '' : `; by the last one the client had sent ${packetsSent} packets`;
  return [[`${key}-Reports`, `${received} received, ${sent} sent${counted}`]];
}

/** `Caller-Verdict: degraded; 2.0 percent of the packets lost`. */
const verdictLine = (key: string, { verdict }: LegInfo): readonly InfoField[] =>
  verdict === undefined ? [] : [[`${key}-Verdict`, [verdict.word, ...verdict.reasons].join('; ')]];

function levelLines(key: string, { levels, levelsOfCopy }: LegInfo): readonly InfoField[] {
  if (levels === undefined || levels.samples === 0) return [];
  const { samples, sounding, clipped } = levels;
  return [
    ...(levelsOfCopy === true ? [[`${key}-Levels`, 'measured on the playable copy'] as const] : []),
    [`${key}-Sounding`, `${share(sounding, samples)} percent`],
    [`${key}-Clipped`, `${share(clipped, samples)} percent`],
  ];
}

/** The gaps of a leg, pauses among them, each with the moments and the offsets at which it begins and ends. */
export function gapLines(leg: LegInfo, startedAt: number): readonly InfoField[] {
  const moment = (samples: number): string =>
    new Date(Math.round(startedAt + (samples * 1000) / leg.clockRate)).toISOString();
  return leg.gaps.map((gap, at) => [
    `${keyOf(leg)}-Gap-${at + 1}`,
    `${gap.cause}; ${moment(gap.from)} to ${moment(gap.to)}; ${offset(gap.from, leg)} to ${offset(gap.to, leg)}; ` +
      `packets ${gap.packets}`,
  ]);
}

/** `caller` becomes `Caller`, `line 3` becomes `Line-3`. */
function keyOf({ name }: LegInfo): string {
  const key = name.replace(/[^A-Za-z0-9]+/g, '-');
  return key.slice(0, 1).toUpperCase() + key.slice(1);
}

const list = (items: readonly string[]): string => (items.length === 0 ? 'none' : items.join(', '));

const offset = (samples: number, { clockRate }: LegInfo): string => `${(samples / clockRate).toFixed(3)} s`;

const share = (part: number, whole: number): string =>
  whole === 0 ? '0.00' : ((100 * part) / whole).toFixed(2);
