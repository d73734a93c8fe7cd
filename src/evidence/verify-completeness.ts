import type { CheckedLog } from './verify-log.ts';
import type { CheckedRecording } from './verify-recording.ts';
import { fault, note, type Finding } from './finding.ts';

export interface Scope {
  /** `archive`: everything that the log names must be there. `part`: what lies between the recordings at hand. */
  readonly extent: 'archive' | 'part';
  /** Names of recordings elsewhere in the archive, by their last eight digits. */
  readonly elsewhere: ReadonlyMap<string, string>;
}

/** Compares the recordings found with those of the log: what is missing, what is there twice. */
export function verifyCompleteness(
  log: CheckedLog,
  recordings: readonly CheckedRecording[],
  { extent, elsewhere }: Scope,
): readonly Finding[] {
  if (!log.hasEntries) return [];
  const own = recordings.filter(({ origin }) => origin === log.origin);
  const findings: Finding[] = [];
  const here = indexed(own, findings);
  const names = namesOf(own);
  const [from, to] = extent === 'archive' ? [0, log.size - 1] : rangeOf(log, here, elsewhere);
  let [outside, deleted] = [0, 0];
  for (const [index, { body }] of log.recordings) {
    if (here.has(index)) continue;
    const other = elsewhere.get(body.rec.slice(-8));
    if (log.deletions.has(body.rec) && other === undefined) deleted += 1;
    else if (index < from || index > to) outside += 1;
    else if (other === undefined)
      findings.push(missing(log, { index, rec: body.rec, name: names.get(index) }));
    else if (extent === 'part')
      findings.push(note('ELSEWHERE', other, `entry ${index}: lies elsewhere, not examined`));
  }
  return [...findings, ...stillHere(log, here), ...counts(log, { deleted, outside })];
}

function counts(
  { origin }: CheckedLog,
  { deleted, outside }: { readonly deleted: number; readonly outside: number },
): readonly Finding[] {
  const gone =
    deleted === 1
      ? '1 recording is not here because the log says that it was deleted'
      : `${deleted} recordings are not here because the log says that they were deleted`;
  const beyond =
    outside === 1
      ? '1 recording of the log lies outside what was examined'
      : `${outside} recordings of the log lie outside what was examined`;
  return [
    ...(deleted > 0 ? [note('DELETED', origin, gone)] : []),
    ...(outside > 0 ? [note('ELSEWHERE', origin, beyond)] : []),
  ];
}

function missing(
  { origin, copies }: CheckedLog,
  { index, rec, name }: { readonly index: number; readonly rec: string; readonly name: string | undefined },
): Finding {
  const known = name === undefined ? '' : `, named ${name}`;
  const places = [...new Set(copies.get(rec)?.map(({ body }) => body.target))].join(', ');
  const stored = places === '' ? '' : `; the log says that it was stored at ${places}`;
  return fault(
    'RECORDING_MISSING',
    name ?? origin,
    `entry ${index}: recording ${rec}${known} is not in the archive${stored}`,
  );
}

function stillHere(log: CheckedLog, here: ReadonlyMap<number, CheckedRecording>): readonly Finding[] {
  return [...here.values()].flatMap((recording) => {
    const deletion = log.deletions.get(recording.rec ?? '');
    if (deletion === undefined || deletion.pending) return [];
    const detail = `is here, though entry ${deletion.index} says that it was deleted everywhere`;
    return [note('STILL_HERE', pathOf(recording), detail)];
  });
}

/** The recordings by the index of their entry. */
function indexed(
  recordings: readonly CheckedRecording[],
  findings: Finding[],
): ReadonlyMap<number, CheckedRecording> {
  const here = new Map<number, CheckedRecording>();
  for (const recording of recordings) {
    if (recording.index === undefined) continue;
    const first = here.get(recording.index);
    if (first === undefined) here.set(recording.index, recording);
    else
      findings.push(
        fault(
          'RECORDING_TWICE',
          pathOf(recording),
          `is the recording of entry ${recording.index}, as is ${pathOf(first)}`,
        ),
      );
  }
  return here;
}

/** The names that successors give to recordings, by index. */
function namesOf(recordings: readonly CheckedRecording[]): ReadonlyMap<number, string> {
  return new Map(
    recordings.flatMap(({ previous }) =>
      previous === undefined ? [] : [[previous.index, previous.name] as const],
    ),
  );
}

/** From the nearest recording elsewhere before those at hand to the nearest one after: what lies between must be somewhere. */
function rangeOf(
  log: CheckedLog,
  here: ReadonlyMap<number, CheckedRecording>,
  elsewhere: ReadonlyMap<string, string>,
): readonly [from: number, to: number] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const index of here.keys()) [first, last] = [Math.min(first, index), Math.max(last, index)];
  let [from, to] = [first, last];
  let after = false;
  for (const [index, { body }] of log.recordings) {
    if (!elsewhere.has(body.rec.slice(-8))) continue;
    if (index < first) from = index;
    if (index > last && !after) [to, after] = [index, true];
  }
  return [from, to];
}

const pathOf = ({ folder, name }: CheckedRecording): string => `${folder}${name}`;
