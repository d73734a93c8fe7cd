import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { RuleSet } from '../../../src/rules/rule-set.ts';
import { adminTokenAuthentication } from '../../../src/web/api/authentication.ts';
import { rulesRoutes, type RulesPolicy } from '../../../src/web/api/rules-routes.ts';
import { startWeb, type WebServer } from '../../../src/web/server.ts';
import { MemoryQueries, webOptions } from '../fakes.ts';

const TOKEN = 'a-token-of-no-recorder-at-all-0123456789';
const KNOWN = { destinations: ['archive'], profiles: ['none', 'wphg-5y'], announcements: ['inbound'] };

let server: WebServer;
let taken: unknown[];

beforeEach(async () => {
  taken = [];
  const policy: RulesPolicy = {
    rules: { version: 1, source: 'api', set: RuleSet.parse({}) },
    explain: () => {
      throw new Error('not asked here');
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
