import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { CallToDecide } from '../../../src/rules/call-to-decide.ts';
import { RuleBook } from '../../../src/rules/rule-book.ts';
import { RuleSet } from '../../../src/rules/rule-set.ts';
import { adminTokenAuthentication } from '../../../src/web/api/authentication.ts';
import { rulesRoutes, type RulesPolicy } from '../../../src/web/api/rules-routes.ts';
import { startWeb, type WebServer } from '../../../src/web/server.ts';
import { MemoryQueries, webOptions } from '../fakes.ts';

const TOKEN = 'a-token-of-no-recorder-at-all-0123456789';
const KNOWN = {
  destinations: ['archive'],
  profiles: ['none', 'wphg-5y'],
  announcements: ['inbound'],
  trunks: ['pbx', 'sbc'],
};

let server: WebServer;
let taken: unknown[];
let asked: CallToDecide[];

beforeEach(async () => {
  taken = [];
  asked = [];
  const policy: RulesPolicy = {
    rules: { version: 1, source: 'api', set: RuleSet.parse({}) },
    explain: (call) => {
      asked.push(call);
      return new RuleBook(RuleSet.parse({}), 1, 'UTC').explain(call, new Map());
    },
    replaceRules: (set) => {
      taken.push(set);
      return Promise.resolve(2);
    },
  };
  const history = { ruleVersions: () => Promise.resolve([]) };
  const describe = (): never => {
    throw new Error('not asked here');
  };
  const routes = rulesRoutes(policy, history, describe, KNOWN);
  const api = {
    routes,
    authenticate: adminTokenAuthentication(TOKEN),
    logStep: () => Promise.resolve(),
  };
  server = await startWeb(webOptions(new MemoryQueries(), { api }));
});

afterEach(() => server.close());

const put = (rules: object): Promise<Response> =>
  fetch(`${server.url}/api/v1/rules`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ rules: [rules] }),
  });

test('rules that name what does not exist are turned down with each place, and nothing changes', async () => {
  const response = await put({
    id: 'a',
    record: true,
    retention: 'for-ever',
    announcement: 'hello',
    destinations: ['nas', 'archive'],
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    error: 'INVALID',
    faults: [
      { path: 'body.rules.0.retention', message: 'not one of none, wphg-5y' },
      { path: 'body.rules.0.announcement', message: 'not one of inbound' },
      { path: 'body.rules.0.destinations', message: 'nas is not one of archive' },
    ],
  });
  expect(taken).toEqual([]);
});

test('rules that name what exists are taken', async () => {
  const response = await put({
    id: 'a',
    record: true,
    retention: 'wphg-5y',
    announcement: 'inbound',
    destinations: ['archive'],
  });
  expect([response.status, await response.json()]).toEqual([200, { version: 2 }]);
  expect(taken).toHaveLength(1);
});

test.each([
  ['the first of the configuration', {}, 200, 'pbx'],
  ['the one that is named', { trunk: 'sbc' }, 200, 'sbc'],
  ['none that there is not', { trunk: 'scb' }, 400, undefined],
])('a question is about a call over a trunk: %s', async (_which, trunk, status, over) => {
  const answer = await fetch(`${server.url}/api/v1/rules/test`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ from: '100', to: '200', ...trunk }),
  });
  expect(answer.status).toBe(status);
  expect(asked.map((call) => call.trunk)).toEqual(over === undefined ? [] : [over]);
  if (over === undefined)
    expect(await answer.json()).toMatchObject({
      faults: [{ path: 'body.trunk', message: 'not one of pbx, sbc' }],
    });
});
