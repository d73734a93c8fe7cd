import type { DeliveryRow, FileRow, RecordingRow, StepRow } from '../jobs/ports.ts';
import { CLOCK_RATE, type Gap, type LegStatistics } from '../media/capture.ts';
import type { LegVerdict } from '../media/verdict.ts';
import type { Party } from '../siprec/description.ts';
import { html, type Html, type HtmlValue } from './html.ts';
import { renderPage } from './layout.ts';
import type { RecordingDetails } from './recording-queries.ts';
import { DIRECTION_WORDS, formatBytes, formatDuration, formatTime, STATE_WORDS } from './wording.ts';

export interface RecordingView {
  readonly details: RecordingDetails;
  readonly now: number;
  readonly timeZone: string;
  readonly software: string;
}

const REFRESH_SECONDS = 5;

/** Everything known about one recording. Loads itself again while something still happens. */
export function renderRecording(view: RecordingView): string {
  const { recording, files, deliveries, steps } = view.details;
  const changing = !['delivered', 'expired', 'failed'].includes(recording.state);
  const title = recording.fileName ?? recording.id;
  return renderPage(
    { title, software: view.software, ...(changing ? { refresh: REFRESH_SECONDS } : {}) },
    html`<h1>${title}</h1>
      ${facts(recording, view)} ${relatedList(view)} ${timeline(view)}
      ${legs(recording.capture?.legs ?? [], view.details.verdicts ?? [])} ${fileList(files)}
      ${deliveryList(deliveries, view.timeZone)} ${stepList(steps, view.timeZone)}`,
  );
}

function relatedList({ details, timeZone }: RecordingView): Html | undefined {
  const { related } = details;
  if (related === undefined || related.length === 0) return undefined;
  return html`<h2>Same call</h2>
    <ul>
      ${related.map(
        (other) =>
          html`<li>
            <a href="/recordings/${other.id}">${other.fileName ?? formatTime(other.startedAt, timeZone)}</a>
            <span class="quiet">${other.sharedId}</span>
          </li>`,
      )}
    </ul>`;
}

function timeline({ details, timeZone }: RecordingView): Html | undefined {
  const { marks = [], recording } = details;
  if (marks.length === 0) return undefined;
  const rows = marks.map(
    ({ at, kind, detail, source }) =>
      html`<tr>
        <td class="time">${formatTime(at, timeZone)}</td>
        <td data-label="Position">${formatDuration(Math.max(0, at - recording.startedAt))}</td>
        <td>${kind}</td>
        <td>${detail}</td>
        <td class="quiet">${source}</td>
      </tr>`,
  );
  return table('Timeline', rows, ['Time', 'Position', 'What happened', 'Who', 'Known by']);
}

function facts(row: RecordingRow, view: RecordingView): Html {
  const { description, facts: call } = row;
  const end = row.endedAt === undefined ? undefined : formatTime(row.endedAt, view.timeZone);
  const flag = row.failReason ?? row.status;
  const pairs: readonly (readonly [string, HtmlValue])[] = [
    ['State', html`<span class="badge ${row.state}">${STATE_WORDS[row.state]}</span> ${flag}`],
    ['Start', `${formatTime(row.startedAt, view.timeZone)} ${view.timeZone}`],
    ['End', end],
    ['Length', formatDuration((row.endedAt ?? view.now) - row.startedAt)],
    ['End because of', row.endReason],
    ['Caller', party(description.caller)],
    ['Called', party(description.callee)],
    ['Direction', `${DIRECTION_WORDS[description.direction]} (${description.directionSource})`],
    ['Recorded user', description.user?.value],
    ['Group', description.group?.value],
    ['Rule', row.decision === undefined ? undefined : `${row.decision.rule} (${row.decision.reason})`],
    ['Kept', kept(row)],
    ['Channels', description.channelSource],
    ['Metadata', description.metadataStatus],
    ['Trunk', `${call.trunk}, ${call.transport} from ${call.remoteAddress}:${call.remotePort}`],
    ['PBX software', call.pbxSoftware],
    ['Vendor profile', description.profile],
    ['SIP Call-ID', call.callId],
    ['Call id of the PBX', description.pbxCallId?.value],
    ['Recording', row.id],
    ['Log entry', row.entryIndex],
    ['Warnings', description.warnings.length === 0 ? undefined : description.warnings.join('; ')],
  ];
  const shown = pairs.filter(([, value]) => value !== undefined);
  return html`<dl>
    ${shown.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

/** Of a sealed recording how long it is kept; a hold keeps it longer, whatever the day says. */
function kept({ kept: under }: RecordingRow): string | undefined {
  if (under === undefined) return undefined;
  return under.until === undefined
    ? `for ever (profile ${under.profile})`
    : `until ${under.until} (${under.profile})`;
}

function party(side: Party): Html {
  const who = [side.name, side.number ?? side.aor].filter((part) => part !== undefined).join(' ');
  return html`${who === '' ? 'unknown' : who} <span class="quiet">${side.source}</span>`;
}

function legs(all: readonly LegStatistics[], verdicts: readonly LegVerdict[]): Html | undefined {
  if (all.length === 0) return undefined;
  const rows = all.map(
    (leg) =>
      html`<tr>
        <td>${leg.role} <span class="quiet">line ${leg.line + 1}</span></td>
        <td data-label="Verdict">${verdictOn(leg, verdicts)}</td>
        <td data-label="Codec">${leg.codecs.join(', ')}</td>
        <td data-label="Packets">${leg.received} of ${leg.expected}</td>
        <td data-label="Lost">${leg.lost}</td>
        <td data-label="Late">${leg.late}</td>
        <td data-label="Duplicate">${leg.duplicate}</td>
        <td data-label="Jitter">${leg.jitter.toFixed(1)} ms, at most ${leg.jitterMax.toFixed(1)}</td>
        <td data-label="Gaps">${gaps(leg)}</td>
      </tr>`,
  );
  return table('Audio as it arrived', rows, [
    'Side',
    'Verdict',
    'Codec',
    'Packets',
    'Lost',
    'Late',
    'Duplicate',
    'Jitter',
    'Gaps',
  ]);
}

function verdictOn({ line }: LegStatistics, verdicts: readonly LegVerdict[]): string | undefined {
  const verdict = verdicts.find((each) => each.line === line);
  return verdict === undefined ? undefined : [verdict.word, ...verdict.reasons].join('; ');
}

const GAPS_SHOWN = 10;

function gaps(leg: LegStatistics): string {
  if (leg.gapCount === 0) return 'none';
  const shown = leg.gaps.slice(0, GAPS_SHOWN).map(gap).join(', ');
  const rest = leg.gapCount - Math.min(leg.gaps.length, GAPS_SHOWN);
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

const gap = ({ from, to, cause }: Gap): string =>
  `${(from / CLOCK_RATE).toFixed(2)}–${(to / CLOCK_RATE).toFixed(2)} s ${cause}`;

function fileList(files: readonly FileRow[]): Html | undefined {
  if (files.length === 0) return undefined;
  const rows = files.map(
    (file) =>
      html`<tr>
        <td>${file.name}</td>
        <td data-label="Size">${formatBytes(file.bytes)}</td>
        <td data-label="SHA-256" class="mono">${file.sha256}</td>
      </tr>`,
  );
  return table('Files', rows, ['Name', 'Size', 'SHA-256']);
}

function deliveryList(deliveries: readonly DeliveryRow[], timeZone: string): Html | undefined {
  if (deliveries.length === 0) return undefined;
  const rows = deliveries.map(
    (delivery) =>
      html`<tr>
        <td class="name">${delivery.destination}</td>
        <td><span class="badge ${delivery.state}">${delivery.state}</span></td>
        <td data-label="Attempts">${delivery.attempts}</td>
        <td class="time">${formatTime(delivery.updatedAt, timeZone)}</td>
        <td>${delivery.location} ${delivery.error}</td>
      </tr>`,
  );
  return table('Archives', rows, ['Archive', 'State', 'Attempts', 'Last change', 'Place or error']);
}

function stepList(steps: readonly StepRow[], timeZone: string): Html | undefined {
  if (steps.length === 0) return undefined;
  const rows = steps.map(
    (step) =>
      html`<tr>
        <td class="time">${formatTime(step.at, timeZone)}</td>
        <td>${step.step}</td>
        <td><span class="badge ${step.outcome}">${step.outcome}</span></td>
        <td>${step.detail}</td>
      </tr>`,
  );
  return table('Steps', rows, ['Time', 'Step', 'Outcome', 'Detail']);
}

function table(title: string, rows: readonly Html[], columns: readonly string[]): Html {
  return html`<h2>${title}</h2>
    <table class="list">
      <thead>
        <tr>
          ${columns.map((column) => html`<th>${column}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`;
}
