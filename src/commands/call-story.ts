import type { StepRow } from '../jobs/ports.ts';
import type { Derived } from '../siprec/derived.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { RecordingDetails } from '../store/recording-queries.ts';
import type { TracedMessage } from '../store/trace-record.ts';

/** All that is known of a call. */
export interface CallStory {
  readonly recordings: readonly RecordingDetails[];
  /** Steps that belong to no recording: refusals. */
  readonly steps: readonly StepRow[];
  readonly messages: readonly TracedMessage[];
  /** For the times. */
  readonly timeZone: string;
}

type Announced = RecordingDetails['announcements'][number];
type Mark = RecordingDetails['marks'][number];

interface Moment {
  readonly at: number;
  readonly lines: readonly string[];
}

/** The story for people: what was decided first, then everything in order of time. `whole` shows messages with all their lines. */
export function tellCall(story: CallStory, whole: boolean): readonly string[] {
  const { recordings, steps, messages, timeZone } = story;
  const one = recordings.length < 2;
  const moments: readonly Moment[] = [
    ...messages.map((message) => messageMoment(message, whole)),
    ...steps.map((step) => stepMoment(step)),
    ...recordings.flatMap((details) =>
      details.steps.map((step) => stepMoment(step, one ? undefined : details.recording.id)),
    ),
    ...recordings.flatMap(({ marks, recording }) =>
      marks.map((mark) => markMoment(mark, one ? undefined : recording.id)),
    ),
  ].toSorted((a, b) => a.at - b.at);
  const clock = clockOf(timeZone);
  return [
    ...recordings.flatMap((details) => [...decisions(details).map(printable), '']),
    ...(messages.length === 0 ? ['No SIP message of this call is kept (any more).', ''] : []),
    ...moments.flatMap(({ at, lines: [first = '', ...more] }) => [`${clock(at)}  ${first}`, ...more]),
  ];
}

function decisions({ recording, related, announcements }: RecordingDetails): readonly string[] {
  const { id, state, facts, description, fileName, failReason, status } = recording;
  const { pbxCallIds = [], warnings } = description;
  const outcome = failReason ?? status;
  return [
    `Recording    ${id}  ${state}${outcome === undefined ? '' : ` (${outcome})`}`,
    ...(fileName === undefined ? [] : [`File         ${fileName}`]),
    `SIP          Call-ID ${facts.callId}, trunk ${facts.trunk}, ${facts.transport} ${facts.remoteAddress}:${facts.remotePort}`,
    ...(facts.pbxSoftware === undefined ? [] : [`Software     ${facts.pbxSoftware}`]),
    `Profile      ${description.profile ?? 'none'}${because(description.profileSource)}`,
    `Caller       ${partyOf(description.caller)}`,
    `Callee       ${partyOf(description.callee)}`,
    `Direction    ${description.direction}${because(description.directionSource, description.directionRule, description.directionConfidence)}`,
    `Channels     ${description.channelSource}`,
    `Metadata     ${description.metadataStatus}`,
    ...concluded('User', description.user),
    ...concluded('Group', description.group),
    ...concluded('Tenant', description.tenant),
    ...pbxCallIds.flatMap((id) => concluded('PBX call id', id)),
    ...warnings.map((warning) => `Warning      ${warning}`),
    ...announcements.map(announcementOf),
    ...related.map(({ id: other, sharedId }) => `Related      ${other} (${sharedId})`),
  ];
}

const announcementOf = ({ name, locale, at, milliseconds, whole, linkedBy }: Announced): string =>
  `Announced    ${name} ${locale}, ${new Date(at).toISOString()}, ${(milliseconds / 1000).toFixed(1)} s${whole ? '' : ' in part'}  [${linkedBy}]`;

const concluded = (what: string, derived: Derived | undefined): readonly string[] =>
  derived === undefined
    ? []
    : [
        `${what.padEnd(12)} ${derived.value}${because(derived.source, `rule ${derived.rule}`, derived.confidence)}`,
      ];

function partyOf(party: CallDescription['caller']): string {
  const who = [party.name, party.number ?? party.aor].filter((part) => part !== undefined).join(' ');
  return `${who === '' ? 'unknown' : who}${because(party.source, party.rule, party.confidence)}`;
}

const because = (...reasons: readonly (string | undefined)[]): string => {
  const given = reasons.filter((reason) => reason !== undefined && reason !== '');
  return given.length === 0 ? '' : `  [${given.join(', ')}]`;
};

const SIGNS = { ok: ' ', warning: '!', error: 'X' } as const;

const stepMoment = ({ at, step, outcome, detail, actor }: StepRow, recording?: string): Moment => {
  const what = detail === undefined ? step : `${step}: ${detail}`;
  const by = actor === undefined ? '' : `  by ${actor}`;
  const where = recording === undefined ? '' : `  (${recording})`;
  return { at, lines: [printable(`${SIGNS[outcome]}  ${what}${by}${where}`)] };
};

const markMoment = ({ at, kind, source, detail }: Mark, recording?: string): Moment => ({
  at,
  lines: [
    printable(
      `>  ${kind}${detail === undefined ? '' : `: ${detail}`}  [${source}]${recording === undefined ? '' : `  (${recording})`}`,
    ),
  ],
});

function messageMoment({ at, direction, protocol, remote, text }: TracedMessage, whole: boolean): Moment {
  const [first = '', ...rest] = Buffer.from(text, 'latin1').toString('utf8').split(/\r?\n/);
  const way = [protocol, remote].filter((part) => part !== '').join(' ');
  const arrow = direction === 'in' ? '<-' : '->';
  return {
    at,
    lines: [
      `${arrow} ${way === '' ? '' : `${way}  `}${printable(first)}`,
      ...(whole ? rest.map((line) => `      | ${printable(line)}`) : []),
    ],
  };
}

/** What a peer sent must not steer the terminal. */
const printable = (line: string): string => line.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '\uFFFD');

/** `2026-11-23 18:45:30.123`. */
function clockOf(timeZone: string): (at: number) => string {
  // The Swedish form of a date is the one of ISO 8601.
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  return (at) => `${format.format(at)}.${String(Math.floor(at) % 1000).padStart(3, '0')}`;
}
