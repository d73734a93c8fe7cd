import type { RecordingState } from '../jobs/ports.ts';
import type { Party } from '../siprec/description.ts';
import { HEALTH_PARTS, isHealthy, type HealthReport } from './health.ts';
import { html, type Html } from './html.ts';
import { renderPage } from './layout.ts';
import type { ListedRecording, RecordingQueries } from './recording-queries.ts';
import { DIRECTION_WORDS, formatDuration, formatTime, STATE_WORDS } from './wording.ts';

export interface RecordingsView {
  readonly rows: readonly ListedRecording[];
  /** Cursor to continue with, when there are older ones. */
  readonly older: string | undefined;
  /** False on every page but the first. */
  readonly newest: boolean;
  readonly counts: Awaited<ReturnType<RecordingQueries['countByState']>>;
  readonly health: HealthReport;
  readonly now: number;
  readonly timeZone: string;
  readonly software: string;
}

const REFRESH_SECONDS = 10;
const STATES: readonly RecordingState[] = ['recording', 'ended', 'sealed', 'delivered', 'expired', 'failed'];

/** The list of recordings, newest first. The first page loads itself again, as it is the one left open on a desk. */
export function renderRecordings(view: RecordingsView): string {
  const frame = {
    title: 'Recordings',
    software: view.software,
    ...(view.newest ? { refresh: REFRESH_SECONDS } : {}),
  };
  const counted = STATES.filter((state) => (view.counts[state] ?? 0) > 0).map(
    (state) => html`<span class="badge ${state}">${view.counts[state]} ${state}</span> `,
  );
  return renderPage(
    frame,
    html`<h1>Recordings</h1>
      ${healthNotice(view.health)} ${alarmNotice(view.health)}
      <p>${counted}</p>
      ${view.rows.length === 0 ? emptyState(view.newest) : list(view)}
      <p class="pages">
        ${view.newest ? undefined : html`<a href="/">Newest</a>`}
        ${view.older === undefined ? undefined : html`<a rel="next" href="/?before=${view.older}">Older</a>`}
      </p>
      <p class="quiet">Times in ${view.timeZone}.</p>`,
  );
}

function healthNotice(health: HealthReport): Html | undefined {
  if (isHealthy(health)) return undefined;
  const faults = HEALTH_PARTS.filter((part) => !health.parts[part].ok).map(
    (part) => html`<li>${part}: ${health.parts[part].detail ?? 'not working'}</li>`,
  );
  const consequence = health.recording
    ? 'Calls are recorded nevertheless; what is late is caught up.'
    : 'New calls are refused until this is put right.';
  return html`<div class="notice" role="alert">
    <strong>${consequence}</strong>
    <ul>
      ${faults}
    </ul>
  </div>`;
}

/** Warnings are for the metrics and the status; what is critical must be seen by whoever looks. */
function alarmNotice({ alarms }: HealthReport): Html | undefined {
  const critical = alarms.filter(({ severity }) => severity === 'critical');
  if (critical.length === 0) return undefined;
  return html`<div class="notice" role="alert">
    <ul>
      ${critical.map(({ text }) => html`<li>${text}</li>`)}
    </ul>
  </div>`;
}

function emptyState(newest: boolean): Html {
  if (!newest) return html`<p>There are no older recordings.</p>`;
  return html`<p>Nothing has been recorded yet. Place a test call from this machine:</p>
    <pre><code>npx sealtape call</code></pre>
    <p>It lasts five seconds and appears here.</p>`;
}

function list(view: RecordingsView): Html {
  return html`<table class="list">
    <thead>
      <tr>
        <th>Start</th>
        <th>Length</th>
        <th>Caller</th>
        <th>Called</th>
        <th>State</th>
      </tr>
    </thead>
    <tbody>
      ${view.rows.map((row) => line(row, view))}
    </tbody>
  </table>`;
}

function line(row: ListedRecording, view: RecordingsView): Html {
  const length = formatDuration((row.endedAt ?? view.now) - row.startedAt);
  const { caller, callee, direction } = row.description;
  const flag = row.status === undefined || row.status === 'complete' ? row.failReason : row.status;
  return html`<tr>
    <td class="time"><a href="/recordings/${row.id}">${formatTime(row.startedAt, view.timeZone)}</a></td>
    <td class="length" data-label="Length">${length}</td>
    <td data-label="From">${party(caller)}</td>
    <td data-label="To">
      ${party(callee)}
      <span class="quiet">${DIRECTION_WORDS[direction]}, ${row.facts.trunk}</span>
    </td>
    <td>
      <span class="badge ${row.state}">${STATE_WORDS[row.state]}</span>
      ${flag === undefined ? undefined : html`<span class="quiet">${flag}</span>`}
    </td>
  </tr>`;
}

function party({ name, number, aor }: Party): Html {
  const address = number ?? aor;
  if (name === undefined && address === undefined) return html`<span class="quiet">unknown</span>`;
  if (name === undefined) return html`${address}`;
  return html`${name} <span class="quiet">${address}</span>`;
}
