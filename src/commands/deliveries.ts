import { parseArgs } from 'node:util';
import { answeredBy, openApiClient, type ApiClient } from './api-client.ts';
import type { Command } from './command.ts';

interface Answer {
  readonly destinations: readonly {
    readonly destination: string;
    readonly waiting: number;
    readonly failed: number;
    readonly permanent: number;
    readonly lastError?: string;
  }[];
  readonly open: readonly {
    readonly recording: string;
    readonly destination: string;
    readonly state: string;
    readonly attempts: number;
    readonly permanent: boolean;
    readonly error?: string;
  }[];
  readonly more: number;
}

type Say = (line: string) => void;

export const deliveries: Command = {
  usage: 'deliveries [list | retry] [--destination NAME] [--recording ID] [--config FILE]',
  summary: 'what has not arrived in an archive yet, and trying it again at once',
  run: (args, say, complain = say) =>
    answeredBy('deliveries', complain, async () => {
      const { values, positionals } = parseArgs({
        args: [...args],
        options: {
          config: { type: 'string' },
          destination: { type: 'string' },
          recording: { type: 'string' },
        },
        allowPositionals: true,
      });
      const [what = 'list'] = positionals;
      const { config, ...which } = values;
      if (what !== 'list' && what !== 'retry') throw new Error('list or retry?');
      if (what === 'list' && which.recording !== undefined)
        throw new Error('list takes no --recording; sealtape trace shows one recording');
      const api = await openApiClient(config);
      return what === 'list' ? await list(api, which.destination, say) : await retry(api, which, say);
    }),
};

async function list(api: ApiClient, destination: string | undefined, say: Say): Promise<number> {
  const query = destination === undefined ? '' : `?destination=${encodeURIComponent(destination)}`;
  const { destinations, open, more } = (await api.send('GET', `/deliveries${query}`)) as Answer;
  if (open.length === 0) say('Everything has arrived.');
  for (const each of destinations) {
    const people =
      each.permanent === 0
        ? ''
        : ` (${each.permanent} ${each.permanent === 1 ? 'needs' : 'need'} somebody's help)`;
    say(`${each.destination}: ${each.waiting} waiting, ${each.failed} failed${people}`);
    if (each.lastError !== undefined) say(`  last: ${each.lastError}`);
  }
  for (const { recording, state, attempts, permanent, error, ...to } of open)
    say(
      `  ${recording}  ${to.destination}  ${state}${permanent ? ', permanent' : ''}, ${attempts} ${attempts === 1 ? 'try' : 'tries'}${error === undefined ? '' : `: ${error}`}`,
    );
  if (more > 0) say(`  … and ${more} more`);
  return 0;
}

async function retry(
  api: ApiClient,
  which: { readonly destination?: string | undefined; readonly recording?: string | undefined },
  say: Say,
): Promise<number> {
  const { retried } = (await api.send('POST', '/deliveries/retry', { body: which })) as {
    readonly retried: number;
  };
  say(
    retried === 0 ? 'Nothing has failed.' : `${retried === 1 ? 'One is' : `${retried} are`} tried again now.`,
  );
  return 0;
}
