import { parseArgs } from 'node:util';
import { answeredBy, openApiClient, type ApiClient } from './api-client.ts';
import type { Command } from './command.ts';
import { counted } from '../wording.ts';

interface Row {
  readonly id: string;
  readonly name?: string;
  readonly profile?: string;
  readonly until?: string;
}

interface Report {
  readonly day: string;
  readonly due: number;
  readonly held: number;
  readonly recordings: readonly Row[];
  readonly begun: readonly Row[];
  readonly lastRun?: Run;
  readonly hindrance?: string;
}

interface Run {
  readonly day: string;
  readonly outcome: string;
  readonly deleted: number;
  readonly pending: number;
}

type Say = (line: string) => void;

export const retention: Command = {
  usage:
    'retention [report [--day YYYY-MM-DD] | run [--dry-run] | extend RECORDING --until YYYY-MM-DD --case CASE | confirm-clock] [--config FILE]',
  summary: 'what falls due for deletion, deleting it now, or keeping a recording longer',
  run: (args, say, complain = say) =>
    answeredBy('retention', complain, async () => {
      const { values, positionals } = parseArgs({
        args: [...args],
        options: {
          config: { type: 'string' },
          day: { type: 'string' },
          until: { type: 'string' },
          case: { type: 'string' },
          'dry-run': { type: 'boolean', default: false },
        },
        allowPositionals: true,
      });
      const [what = 'report', recording] = positionals;
      const { config, day, until, case: reference } = values;
      if (what === 'report') return await report(await openApiClient(config), day, say);
      if (what === 'run')
        return values['dry-run']
          ? await dryRun(await openApiClient(config), say)
          : await run(await openApiClient(config), say);
      if (what === 'confirm-clock') return await confirmClock(await openApiClient(config), say);
      if (what !== 'extend') throw new Error('report, run, extend or confirm-clock?');
      if (recording === undefined || until === undefined || reference === undefined)
        throw new Error('extend needs RECORDING, --until and --case');
      return await extend(await openApiClient(config), { recording, until, case: reference }, say);
    }),
};

async function report(api: ApiClient, day: string | undefined, say: Say): Promise<number> {
  const query = day === undefined ? '' : `?day=${encodeURIComponent(day)}`;
  const found = (await api.send('GET', `/retention${query}`)) as Report;
  const held = found.held === 0 ? '' : `, ${found.held} more past their day under a hold`;
  say(`${counted(found.due, 'recording')} due by ${found.day}${held}`);
  for (const each of found.recordings) say(`  ${lineOf(each)}`);
  if (found.due > found.recordings.length) say(`  … and ${found.due - found.recordings.length} more`);
  for (const each of found.begun) say(`  begun, an archive still refuses: ${lineOf(each)}`);
  const { lastRun } = found;
  say(
    lastRun === undefined
      ? 'Nothing was ever deleted for its time.'
      : `Last run ${lastRun.day}: ${lastRun.outcome}, ${lastRun.deleted} deleted, ${lastRun.pending} pending`,
  );
  if (found.hindrance !== undefined) say(`Nothing would be deleted now: ${found.hindrance}`);
  return 0;
}

async function dryRun(api: ApiClient, say: Say): Promise<number> {
  const status = await report(api, undefined, say);
  say('Nothing was deleted: this was a dry run.');
  return status;
}

/** Status 1 when something stood in the way: a doubtful clock, an archive that refuses. */
async function run(api: ApiClient, say: Say): Promise<number> {
  const { run: done } = (await api.send('POST', '/retention/runs')) as { readonly run?: Run };
  if (done === undefined) {
    say('It goes on; sealtape retention report says how it ended.');
    return 0;
  }
  say(`${counted(done.deleted, 'recording')} deleted, ${done.pending} pending in an archive that refuses.`);
  if (done.outcome !== 'done') say(`It ended early: ${done.outcome}`);
  return done.outcome === 'done' && done.pending === 0 ? 0 : 1;
}

async function confirmClock(api: ApiClient, say: Say): Promise<number> {
  const { now } = (await api.send('POST', '/retention/clock-confirmation')) as { readonly now: number };
  say(`${new Date(now).toISOString()} is taken as right until the recorder is started again.`);
  return 0;
}

async function extend(
  api: ApiClient,
  order: { readonly recording: string; readonly until: string; readonly case: string },
  say: Say,
): Promise<number> {
  const done = (await api.send('POST', '/retention/extensions', { body: order })) as {
    readonly recording: string;
    readonly until: string;
    readonly faults: readonly string[];
  };
  say(`${done.recording} is kept until ${done.until}.`);
  for (const fault of done.faults) say(`The archive could not be told: ${fault}`);
  return done.faults.length === 0 ? 0 : 1;
}

const lineOf = ({ id, name, profile, until }: Row): string =>
  [until ?? '-', profile ?? '-', id, name ?? ''].join('  ').trimEnd();
