import { parseArgs } from 'node:util';
import { answeredBy, openApiClient, type ApiClient } from './api-client.ts';
import type { Command } from './command.ts';

interface GroupsAnswer {
  readonly groups: readonly {
    readonly group: string;
    readonly members: readonly {
      readonly member: string;
      readonly loggedIn: boolean;
      readonly since?: number;
    }[];
  }[];
}

interface HistoryAnswer {
  readonly spans: readonly {
    readonly group: string;
    readonly member: string;
    readonly kind: string;
    readonly since: number;
    readonly until?: number;
    readonly begunBy: string;
    readonly endedBy?: string;
  }[];
}

const CHANGES = {
  add: ['PUT', ''],
  remove: ['DELETE', ''],
  login: ['POST', '/login'],
  logout: ['POST', '/logout'],
} as const;

type Say = (line: string) => void;

export const groups: Command = {
  usage:
    'groups [list | history [--at TIME | --call ID] | add|remove|login|logout GROUP MEMBER] [--config FILE]',
  summary: 'recorded groups: who belongs to them, who is or was logged in',
  run: (args, say, complain = say) =>
    answeredBy('groups', complain, async () => {
      const { values, positionals } = parseArgs({
        args: [...args],
        options: { config: { type: 'string' }, at: { type: 'string' }, call: { type: 'string' } },
        allowPositionals: true,
      });
      const [what = 'list', group, member] = positionals;
      const api = await openApiClient(values.config);
      if (what === 'list') return await list(api, say);
      if (what === 'history') return await history(api, await momentOf(api, values), say);
      if (!Object.hasOwn(CHANGES, what)) throw new Error('list, history, add, remove, login or logout?');
      if (group === undefined || member === undefined) throw new Error(`${what} needs GROUP and MEMBER`);
      return await change(api, { what: what as keyof typeof CHANGES, group, member }, say);
    }),
};

async function list(api: ApiClient, say: Say): Promise<number> {
  const answer = (await api.send('GET', '/groups')) as GroupsAnswer;
  if (answer.groups.length === 0) say('There are no groups.');
  for (const { group, members } of answer.groups) {
    say(group);
    for (const { member, loggedIn, since } of members)
      say(`  ${member}  ${loggedIn ? `logged in since ${timeOf(since)}` : 'logged out'}`);
  }
  return 0;
}

/** The moment somebody asks for, or the beginning of the call that has this id anywhere. */
async function momentOf(
  api: ApiClient,
  { at, call }: { readonly at?: string | undefined; readonly call?: string | undefined },
): Promise<number | undefined> {
  if (call === undefined) {
    const moment = at === undefined ? undefined : Date.parse(at);
    if (Number.isNaN(moment)) throw new Error(`${at ?? ''} is not a time such as 2026-11-23T19:45:00+01:00`);
    return moment;
  }
  const id = encodeURIComponent(call);
  const { recordings } = (await api.send('GET', `/recordings?id=${id}`)) as {
    readonly recordings: readonly { readonly startedAt: number }[];
  };
  const { calls } = (await api.send('GET', `/declined-calls?callId=${id}`)) as {
    readonly calls: readonly { readonly at: number }[];
  };
  const [begun] = [...recordings.map(({ startedAt }) => startedAt), ...calls.map((each) => each.at)].sort(
    (one, other) => one - other,
  );
  if (begun === undefined) throw new Error(`no call is known by ${call}`);
  return begun;
}

async function history(api: ApiClient, moment: number | undefined, say: Say): Promise<number> {
  const path = `/groups/history${moment === undefined ? '' : `?at=${moment}`}`;
  const { spans } = (await api.send('GET', path)) as HistoryAnswer;
  if (spans.length === 0)
    say(`Nobody was a member of any group${moment === undefined ? '' : ` at ${timeOf(moment)}`}.`);
  for (const { group, member, kind, since, until, begunBy, endedBy } of spans) {
    const by = endedBy === undefined ? begunBy : `${begunBy}, ended by ${endedBy}`;
    say(
      `${timeOf(since)} - ${until === undefined ? 'now' : timeOf(until)}  ${group}  ${member}  ${kind}  (by ${by})`,
    );
  }
  return 0;
}

async function change(
  api: ApiClient,
  on: { readonly what: keyof typeof CHANGES; readonly group: string; readonly member: string },
  say: Say,
): Promise<number> {
  const [method, path] = CHANGES[on.what];
  const address = `/groups/${encodeURIComponent(on.group)}/members/${encodeURIComponent(on.member)}${path}`;
  const { changed } = (await api.send(method, address)) as { readonly changed: boolean };
  say(changed ? 'Done; it holds from the next call on.' : 'It was so already.');
  return 0;
}

const timeOf = (at: number | undefined): string => new Date(at ?? 0).toISOString();
