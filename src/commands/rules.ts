import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Explanation } from '../rules/rule-book.ts';
import { answeredBy, openApiClient } from './api-client.ts';
import type { Command } from './command.ts';

const OPTIONS = {
  config: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  at: { type: 'string' },
  direction: { type: 'string' },
  trunk: { type: 'string' },
  user: { type: 'string' },
  sip: { type: 'string' },
  file: { type: 'string' },
} as const;

type Values = ReturnType<typeof parse>['values'];

const parse = (args: readonly string[]) =>
  parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });

export const rules: Command = {
  usage:
    'rules show | set --file RULES.json | test [--from N] [--to N] [--at TIME] [--direction in|out|internal] [--trunk T] [--user U] [--sip FILE] [--config FILE]',
  summary: 'show or replace the rules of the running recorder, or ask what they say of a call',
  run: (args, say, complain = say) =>
    answeredBy('rules', complain, async () => {
      const { values, positionals } = parse(args);
      switch (positionals[0]) {
        case 'show':
          return await show(values, say);
        case 'set':
          return await replace(values, say);
        case 'test':
          return await test(values, say);
        default:
          throw new Error('show, set or test?');
      }
    }),
};

type Say = (line: string) => void;

async function show(values: Values, say: Say): Promise<number> {
  const api = await openApiClient(values.config);
  say(JSON.stringify(await api.send('GET', '/rules'), null, 2));
  return 0;
}

async function replace(values: Values, say: Say): Promise<number> {
  if (values.file === undefined) throw new Error('set needs --file RULES.json');
  const body = JSON.parse(await readFile(values.file, 'utf8')) as unknown;
  const api = await openApiClient(values.config);
  const { version } = (await api.send('PUT', '/rules', { body })) as { readonly version: number };
  say(`Version ${version} of the rules holds from the next call on.`);
  return 0;
}

async function test(values: Values, say: Say): Promise<number> {
  const at = values.at === undefined ? undefined : Date.parse(values.at);
  if (Number.isNaN(at)) throw new Error(`${values.at ?? ''} is not a time such as 2026-11-23T19:45:00+01:00`);
  const { from, to, direction, trunk, user } = values;
  const api = await openApiClient(values.config);
  const answer =
    values.sip === undefined
      ? await api.send('POST', '/rules/test', { body: { from, to, direction, trunk, user, at } })
      : await api.send('POST', `/rules/test-message?${query({ trunk, at })}`, {
          body: await readFile(values.sip),
          type: 'message/sip',
        });
  for (const line of describe(answer as Explanation)) say(line);
  return 0;
}

const query = (values: Readonly<Record<string, string | number | undefined>>): string =>
  new URLSearchParams(
    Object.entries(values).flatMap(([key, value]): [string, string][] =>
      value === undefined ? [] : [[key, String(value)]],
    ),
  ).toString();

function describe({ decision, rules: passed, users, caller, callee }: Explanation): readonly string[] {
  const { record, rule, version, reason, legs, layout, retention, destinations, mayStop } = decision;
  return [
    `caller ${caller.join(' = ') || '(no number)'}, callee ${callee.join(' = ') || '(no number)'}, user ${users.join(' or ') || '(unknown)'}`,
    ...passed.map((step) => `  ${step.matched ? '=>' : '  '} ${step.rule}: ${step.why}`),
    record ? `RECORDED by ${rule}@${version}: ${reason}` : `NOT RECORDED by ${rule}@${version}: ${reason}`,
    ...(record
      ? [
          `  legs ${legs}, layout ${layout}, retention ${retention ?? 'as the installation'}, destinations ${destinations === 'all' ? 'all' : destinations.join(', ')}, users may ${mayStop ? '' : 'not '}stop`,
        ]
      : []),
  ];
}
