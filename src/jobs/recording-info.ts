import { randomBytes } from 'node:crypto';
import { formatInfo } from '../evidence/info.ts';
import {
  infoFields,
  type AudioFileInfo,
  type DecisionInfo,
  type PartyInfo,
  type RecordingInfo,
} from '../evidence/info-fields.ts';
import type { NameTemplate } from '../evidence/name-template.ts';
import { recordingName } from '../evidence/recording-name.ts';
import type { LegInfo } from '../evidence/info-legs.ts';
import { CLOCK_RATE, type CapturedFile, type LegStatistics, type LineRole } from '../media/capture.ts';
import type { LegVerdict } from '../media/verdict.ts';
import type { Kept } from '../rules/retention.ts';
import type { RecordingStatus } from '../recorder/events.ts';
import { policyName, type Decision } from '../rules/decision.ts';
import type { Party } from '../siprec/description.ts';
import type { AnnouncedRow, MarkRow } from './log-records.ts';
import type { ChainHead, RecordingRow } from './ports.ts';

/** What an info file says about the recorder itself. */
export interface Installation {
  readonly name: string;
  readonly node: string;
  readonly version: string;
  /** IANA name; names and local times are in it. */
  readonly timeZone: string;
  /** What names say between start and id; default: direction and both parties. */
  readonly names?: NameTemplate;
}

export interface SealFacts {
  readonly installation: Installation;
  readonly status: RecordingStatus;
  /** What speaks against the recording, for the warnings. */
  readonly doubts: readonly string[];
  readonly audio: readonly {
    readonly name: string;
    readonly file: CapturedFile;
    readonly bytes: number;
    /** Set for a derivative. */
    readonly madeBy?: string;
  }[];
  /** Why there is no playable copy, where there should be one. */
  readonly unplayable?: string | undefined;
  readonly verdicts: readonly LegVerdict[];
  readonly announced: readonly AnnouncedRow[];
  readonly marks: readonly MarkRow[];
  /** The chain before this recording. */
  readonly head: ChainHead;
  /** SPKI SHA-256 of the signing key, hex. */
  readonly key: string;
  /** The clock when it is sealed, as in the entry. */
  readonly reading: { readonly clock: string; readonly time: string };
  readonly kept: Kept;
}

/** `<rec>`, the common part of a recording's file names. */
export const nameOf = (row: RecordingRow, { timeZone, name, names }: Installation): string =>
  recordingName({ ...namingFacts(row, name), id: row.id, timeZone }, names);

/** What the names of files and folders may say of a recording. */
export const namingFacts = ({ startedAt, description, facts }: RecordingRow, installation: string) => ({
  startedAt,
  direction: description.direction,
  caller: description.caller.number,
  callee: description.callee.number,
  user: description.user?.value,
  group: description.group?.value,
  trunk: facts.trunk,
  installation,
});

/** The bytes of `<rec>_info.txt`. The nonce is new with each call: only the intent's copy counts (evidence.md decision 3). */
export const formatRecordingInfo = (row: RecordingRow, facts: SealFacts): Buffer =>
  formatInfo(infoFields(infoOf(row, facts)));

function infoOf(row: RecordingRow, facts: SealFacts): RecordingInfo {
  const { description, facts: call, capture } = row;
  const { installation, head } = facts;
  const legs = capture?.legs ?? [];
  return {
    id: row.id,
    startedAt: row.startedAt,
    endedAt: row.startedAt + (longest(facts) * 1000) / CLOCK_RATE,
    timeZone: installation.timeZone,
    status: facts.status,
    endReason: row.endReason ?? 'unknown',
    direction: description.direction,
    directionSource: description.directionSource,
    directionConfidence: description.directionConfidence,
    directionRule: description.directionRule,
    caller: partyOf(description.caller),
    callee: partyOf(description.callee),
    sipCallId: call.callId,
    pbxCallId: description.pbxCallId,
    pbxCallIds: description.pbxCallIds,
    redirects: description.redirects,
    user: description.user,
    group: description.group,
    tenant: description.tenant,
    related: description.related,
    ...neighboursOf(description),
    profile: description.profile,
    profileSource: description.profileSource,
    decision: row.decision && decisionInfo(row.decision),
    ...clientOf(call),
    recorderVersion: `Sealtape ${installation.version}`,
    installation: `${installation.name}/${installation.node}`,
    files: facts.audio.map(audioInfo),
    channelSource: description.channelSource,
    unplayable: facts.unplayable,
    legs: legs.map((leg) => legInfo(leg, facts.verdicts)),
    announcements: facts.announced,
    marks: facts.marks,
    pauses: capture?.pauses,
    stopped: capture?.stopped,
    participants: description.participants.map((participant) => ({
      id: participant.id,
      name: participant.name,
      aor: participant.aor,
      joined: participant.associatedAt,
      left: participant.disassociatedAt,
    })),
    metadataStatus: description.metadataStatus,
    unsigned: unsignedOf(row, facts),
    warnings: [...description.warnings, ...facts.doubts, ...lostWith(row)],
    retention:
      facts.kept.until === undefined ? undefined : `${facts.kept.profile}, until ${facts.kept.until}`,
    previous: head.lastRecording,
    nonce: randomBytes(16).toString('hex'),
    clock: facts.reading.clock,
    signingKey: facts.key,
    logOrigin: head.origin,
    logIndex: head.size,
  };
}

const unsignedOf = (
  { keysMissingSince: since }: RecordingRow,
  { reading }: SealFacts,
): RecordingInfo['unsigned'] =>
  since === undefined ? undefined : { since, sealedAt: Date.parse(reading.time) };

const lostWith = ({ endReason, capture }: RecordingRow): readonly string[] =>
  endReason === 'crash' || (endReason === 'stopped' && capture?.legs.length === 0)
    ? ['statistics of the legs were lost with the process that crashed']
    : [];

const clientOf = ({
  trunk,
  transport,
  remoteAddress,
  remotePort,
  pbxSoftware,
}: RecordingRow['facts']): Pick<RecordingInfo, 'trunk' | 'client' | 'pbxSoftware'> => ({
  trunk,
  client: `${transport} ${remoteAddress}:${remotePort}`,
  pbxSoftware,
});

/** The recordings of the same call before and after an interruption of the recorder. */
const neighboursOf = ({
  continues,
  continuedBy,
}: RecordingRow['description']): Pick<RecordingInfo, 'continues' | 'continuedBy'> => ({
  continues,
  continuedBy,
});

/** Samples of the recording: all its files have the same length, unless a crash cut them off. */
const longest = ({ audio }: SealFacts): number => Math.max(0, ...audio.map(({ file }) => file.samples));

const partyOf = ({ name, number, aor, source, confidence, rule }: Party): PartyInfo => ({
  name,
  number: number ?? aor,
  source,
  confidence,
  rule,
});

const decisionInfo = (decision: Decision): DecisionInfo => ({
  policy: policyName(decision),
  reason: decision.reason,
  legs: decision.legs,
  layout: decision.layout,
  retention: decision.retention,
  mayStop: decision.mayStop,
  announcement: decision.announcement,
  loggedIn: (decision.loggedIn ?? []).map(({ group, member }) => `${member} in ${group}`),
});

const audioInfo = ({ name, file, bytes, madeBy }: SealFacts['audio'][number]): AudioFileInfo => ({
  name,
  madeBy,
  codec: file.codec,
  bytes,
  samples: Math.floor((file.samples * (file.rate ?? CLOCK_RATE)) / CLOCK_RATE),
  channels: file.channelRoles.map((role, channel) => personOn(role, file.channelLines[channel])),
});

function legInfo(leg: LegStatistics, verdicts: readonly LegVerdict[]): LegInfo {
  const { role, line, ...figures } = leg;
  const verdict = verdicts.find((each) => each.line === line);
  return { ...figures, name: personOn(role, line), clockRate: CLOCK_RATE, verdict };
}

/** Lines are counted from one for people. */
function personOn(role: LineRole, line: number | undefined): string {
  if (role === 'extra') return `line ${(line ?? 0) + 1}`;
  return role === 'mixed' ? 'both parties' : role;
}
