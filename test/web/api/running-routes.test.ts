import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Recorder } from '../../../src/recorder/recorder.ts';
import { RECORD_ALL } from '../../../src/rules/decision.ts';
import { adminTokenAuthentication } from '../../../src/web/api/authentication.ts';
import type { ApiStep } from '../../../src/web/api/register.ts';
import { runningRoutes } from '../../../src/web/api/running-routes.ts';
import { startWeb, type WebServer } from '../../../src/web/server.ts';
import { aCall, FakeFolders, FakeJournal, FakeMedia } from '../../support/recorder-fakes.ts';
import { MemoryQueries, webOptions } from '../fakes.ts';

const TOKEN = 'a-token-of-no-recorder-at-all-0123456789';

let server: WebServer;
let recorder: Recorder;
let journal: FakeJournal;
const steps: ApiStep[] = [];

beforeEach(async () => {
  steps.length = 0;
  journal = new FakeJournal();
  recorder = new Recorder({
    media: new FakeMedia(),
    journal,
    folders: new FakeFolders(),
    now: () => 5000,
    log: () => undefined,
    minFreeBytes: 0,
  });
  server = await startWeb(
    webOptions(new MemoryQueries(), {
      api: {
        routes: runningRoutes(recorder),
        authenticate: adminTokenAuthentication(TOKEN),
        logStep: (step) => {
          steps.push(step);
          return Promise.resolve();
        },
      },
    }),
  );
});

afterEach(async () => {
  await server.close();
});

const ask = (path: string, method = 'GET', token = TOKEN): Promise<Response> =>
  fetch(`${server.url}/api/v1${path}`, { method, headers: { authorization: `Bearer ${token}` } });

const accept = async (mayStop: boolean): Promise<string> =>
  (await recorder.accept(aCall({ decision: { ...RECORD_ALL, rule: 'sales', version: 3, mayStop } }))).id;

test('lists what is being recorded, with both sides, the rule and whether it may be stopped', async () => {
  const id = await accept(true);
  expect(await (await ask('/calls')).json()).toEqual({
    calls: [
      {
        id,
        startedAt: 1000,
        trunk: 'test',
        callId: 'call@test',
        direction: 'unknown',
        caller: { number: '+4930555010' },
        callee: { number: '+4989555020' },
        rule: 'sales',
        version: 3,
        mayStop: true,
        paused: [],
      },
    ],
  });
  expect((await ask('/calls', 'GET', 'wrong')).status).toBe(401);
});

test('pauses and resumes a call once each, in the name of who asked', async () => {
  const id = await accept(false);
  const done: unknown[] = [];
  for (const verb of ['pause', 'pause', 'resume', 'resume'])
    done.push(await (await ask(`/calls/${id}/${verb}`, 'POST')).json());
  expect(done).toEqual([true, false, true, false].map((changed) => ({ changed })));
  expect(journal.events.slice(1)).toMatchObject([
    { type: 'paused', cause: 'operator', actor: 'admin-token' },
    { type: 'resumed', cause: 'operator', actor: 'admin-token' },
  ]);
  expect(steps.map(({ step, actor }) => `${step} by ${actor}`)).toEqual([
    'recording paused by admin-token',
    'recording paused by admin-token',
    'recording resumed by admin-token',
    'recording resumed by admin-token',
  ]);
});

test('stops a call whose rule allows it, and no other; both are steps of the log', async () => {
  const [allowed, not] = [await accept(true), await accept(false)];
  expect((await ask(`/calls/${allowed}/stop`, 'POST')).status).toBe(204);
  const refused = await ask(`/calls/${not}/stop`, 'POST');
  expect([refused.status, await refused.json()]).toMatchObject([403, { error: 'NOT_ALLOWED' }]);
  expect((await ask(`/calls/${allowed}/stop`, 'POST')).status).toBe(404);
  expect(steps.map(({ step, outcome }) => [step, outcome])).toEqual([
    ['recording stopped', 'ok'],
    ['not done: recording stopped', 'warning'],
    ['not done: recording stopped', 'warning'],
  ]);
  expect(steps[0]?.detail).toContain(allowed);
  expect(recorder.running().map(({ id }) => id)).toEqual([not]);
});
