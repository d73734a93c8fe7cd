import { parseArgs } from 'node:util';
import { answeredBy, openApiClient, type ApiClient } from './api-client.ts';
import type { Command } from './command.ts';

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
  readonly lastRun?: {
    readonly day: string;
    readonly outcome: string;
    readonly deleted: number;
    readonly pending: number;
  };
}

type Say = (line: string) => void;

export const retention: Command = {
  usage:
    'retention [report [--day YYYY-MM-DD] | extend RECORDING --until YYYY-MM-DD --case CASE | confirm-clock] [--config FILE]',
  summary: 'what falls due for deletion (deletes nothing), or keep a recording longer',
  run: (args, say) =>
    answeredBy('retention', say, async () => {
      const { values, positionals } = parseArgs({
        args: [...args],
        options: {
          config: { type: 'string' },
          day: { type: 'string' },
          until: { type: 'string' },
          case: { type: 'string' },
        },
        allowPositionals: true,
      });
      const [what = 'report', recording] = positionals;
      const { config, day, until, case: reference } = values;
      if (what === 'report') return await report(await openApiClient(config), day, say);
      if (what === 'confirm-clock') return await confirmClock(await openApiClient(config), say);
      if (what !== 'extend') throw new Error('report, extend or confirm-clock?');
      if (recording === undefined || until === undefined || reference === undefined)
        throw new Error('extend needs RECORDING, --until and --case');
      return await extend(await openApiClient(config), { recording, until, case: reference }, say);
    }),
};

async function report(api: ApiClient, day: string | undefined, say: Say): Promise<number> {
  const query = day === undefined ? '' : `?day=${encodeURIComponent(day)}`;
  const found = (await api.send('GET', `/retention${query}`)) as Report;
  say(`${found.due} due by ${found.day}, ${found.held} more past their day under a hold`);
  for (const each of found.recordings) say(`  ${lineOf(each)}`);
  if (found.due > found.recordings.length) say(`  … and ${found.due - found.recordings.length} more`);
  for (const each of found.begun) say(`  begun, an archive still refuses: ${lineOf(each)}`);
  const { lastRun } = found;
  say(
    lastRun === undefined
      ? 'Nothing was ever deleted for its time.'
      : `Last run ${lastRun.day}: ${lastRun.outcome}, ${lastRun.deleted} deleted, ${lastRun.pending} pending`,
  );
  return 0;
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
