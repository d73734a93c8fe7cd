import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { answeredBy, openApiClient, type ApiClient } from './api-client.ts';
import type { Command } from './command.ts';

interface Announcement {
  readonly name: string;
  readonly locale: string;
  readonly milliseconds: number;
  readonly encodings: readonly string[];
  readonly source: string;
  readonly addedAt?: number;
  readonly actor?: string;
}

type Say = (line: string) => void;

const NEEDS = { list: [], add: ['NAME', 'FILE'], remove: ['NAME'] } as const;

const BINARY = 'application/octet-stream';

export const announcements: Command = {
  usage: 'announcements [list | add NAME FILE | remove NAME] [--locale de|en|…] [--config FILE]',
  summary: 'what callers hear before the connection: list, add (WAV, MP3, Ogg) or remove',
  run: (args, say, complain = say) =>
    answeredBy('announcements', complain, async () => {
      const { values, positionals } = parseArgs({
        args: [...args],
        options: { config: { type: 'string' }, locale: { type: 'string' } },
        allowPositionals: true,
      });
      const [what = 'list', name = '', file = '', ...more] = positionals;
      const given = [name, file, ...more].filter((each) => each !== '').length;
      if (what !== 'list' && what !== 'add' && what !== 'remove') throw new Error('list, add or remove?');
      if (given !== NEEDS[what].length)
        throw new Error(`${what} needs ${NEEDS[what].join(' and ') || 'no name'}`);
      const api = await openApiClient(values.config);
      if (what === 'list') return await list(api, say);
      const address = addressOf(name, values.locale);
      return what === 'add' ? await add(api, { address, file }, say) : await remove(api, address, say);
    }),
};

const addressOf = (name: string, locale: string | undefined): string =>
  `/announcements/${encodeURIComponent(name)}${locale === undefined ? '' : `?locale=${encodeURIComponent(locale)}`}`;

async function list(api: ApiClient, say: Say): Promise<number> {
  const answer = (await api.send('GET', '/announcements')) as {
    readonly announcements: readonly Announcement[];
  };
  for (const each of answer.announcements) say(lineOf(each));
  return 0;
}

function lineOf({ name, locale, milliseconds, encodings, source, addedAt, actor }: Announcement): string {
  const by =
    addedAt === undefined ? source : `${source} ${new Date(addedAt).toISOString()} by ${actor ?? 'unknown'}`;
  const seconds = `${(milliseconds / 1000).toFixed(1)} s`;
  return `${name.padEnd(20)} ${languageOf(locale).padEnd(4)} ${seconds.padStart(7)}  ${encodings.join(' ')}  ${by}`;
}

const languageOf = (locale: string): string => (locale === '*' ? 'all' : locale);

async function add(
  api: ApiClient,
  { address, file }: { readonly address: string; readonly file: string },
  say: Say,
): Promise<number> {
  const body = await readFile(file);
  const added = (await api.send('PUT', address, { body, type: BINARY })) as Announcement;
  say(lineOf(added));
  say('Done; it holds from the next call on.');
  return 0;
}

async function remove(api: ApiClient, address: string, say: Say): Promise<number> {
  await api.send('DELETE', address);
  say('Done; it holds from the next call on.');
  return 0;
}
