import { parseArgs } from 'node:util';
import { answeredBy, openApiClient, type ApiClient } from './api-client.ts';
import type { Command } from './command.ts';
import { counted } from '../wording.ts';

interface ListedHold {
  readonly id: string;
  readonly case: string;
  readonly reason: string;
  readonly actor: string;
  readonly placedAt: number;
  readonly releasedAt?: number;
  readonly releasedBy?: string;
  readonly recordings: number;
}

interface Outcome {
  readonly id: string;
  readonly faults: readonly string[];
}

type Say = (line: string) => void;

interface Given {
  readonly id: string | undefined;
  readonly case?: string | undefined;
  readonly reason?: string | undefined;
  readonly recording?: string[] | undefined;
}

/** Through the running recorder: it alone can write the entries, and tell archives that hold by themselves. */
export const hold: Command = {
  usage:
    'hold [list | place --case CASE --reason TEXT --recording ID… | release HOLD --reason TEXT] [--config FILE]',
  summary: 'legal holds: keep recordings whatever their retention says',
  run: (args, say, complain = say) =>
    answeredBy('hold', complain, async () => {
      const { values, positionals } = parseArgs({
        args: [...args],
        options: {
          config: { type: 'string' },
          case: { type: 'string' },
          reason: { type: 'string' },
          recording: { type: 'string', multiple: true },
        },
        allowPositionals: true,
      });
      const { config, ...rest } = values;
      const [what = 'list', id] = positionals;
      if (!Object.hasOwn(ORDERS, what)) throw new Error('list, place or release?');
      const order = ORDERS[what as keyof typeof ORDERS]({ id, ...rest });
      return await order(await openApiClient(config), say);
    }),
};

type Order = (api: ApiClient, say: Say) => Promise<number>;

/** Each complains about what is missing before the recorder is asked. */
const ORDERS = {
  list: (): Order => list,
  place: (given: Given): Order => {
    const { case: reference, reason, recording: recordings } = given;
    if (reference === undefined || reason === undefined || recordings === undefined)
      throw new Error('place needs --case, --reason and --recording');
    return async (api, say) => {
      const body = { case: reference, reason, recordings };
      const done = (await api.send('POST', '/holds', { body })) as Outcome & {
        readonly recordings: number;
      };
      say(`Hold ${done.id} is over ${counted(done.recordings, 'recording')}.`);
      return tellFaults(done, say);
    };
  },
  release: ({ id, reason }: Given): Order => {
    if (id === undefined || reason === undefined) throw new Error('release needs HOLD and --reason');
    return async (api, say) => {
      const path = `/holds/${encodeURIComponent(id)}/release`;
      const done = (await api.send('POST', path, { body: { reason } })) as Outcome;
      say(`Hold ${done.id} is released.`);
      return tellFaults(done, say);
    };
  },
};

async function list(api: ApiClient, say: Say): Promise<number> {
  const { holds } = (await api.send('GET', '/holds')) as { readonly holds: readonly ListedHold[] };
  if (holds.length === 0) say('There are no holds.');
  for (const each of holds) {
    const state =
      each.releasedAt === undefined
        ? 'in force'
        : `released ${new Date(each.releasedAt).toISOString()} by ${each.releasedBy ?? ''}`;
    say(`${each.id}  ${each.case}  ${counted(each.recordings, 'recording')}  ${state}`);
    say(`  placed ${new Date(each.placedAt).toISOString()} by ${each.actor}: ${each.reason}`);
  }
  return 0;
}

/** Our own log holds all the same; but whoever relies on the archive's lock must know. */
function tellFaults({ faults }: Outcome, say: Say): number {
  for (const fault of faults) say(`The archive could not be told: ${fault}`);
  return faults.length === 0 ? 0 : 1;
}
