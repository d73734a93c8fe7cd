import { expect, test, afterEach } from '@jest/globals';
import { z } from 'zod';
import { adminTokenAuthentication } from '../../../src/web/api/authentication.ts';
import type { ApiStep } from '../../../src/web/api/register.ts';
import { apiRoute, RawAnswer, type ApiRoute } from '../../../src/web/api/route.ts';
import { startWeb, type WebServer } from '../../../src/web/server.ts';
import { WebError } from '../../../src/web/web-error.ts';
import { MemoryQueries, webOptions } from '../fakes.ts';

const TOKEN = 'a-token-of-no-recorder-at-all-0123456789';
const ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/things/{id}',
    tag: 'things',
    summary: 'One thing',
    params: z.strictObject({
      id: z
        .string()
        .regex(/^[a-z]+$/)
        .describe('its name'),
    }),
    query: z.strictObject({ much: z.coerce.number().int().max(10).default(1) }),
    answer: z.object({ id: z.string(), much: z.number() }),
    handle: ({ params, query }) => {
      if (params.id === 'gone') throw new WebError('NOT_FOUND', 'There is no such thing.');
      return { id: params.id, much: query.much, secret: 'never shown' };
    },
  }),
  apiRoute({
    method: 'PUT',
    path: '/things/{id}',
    tag: 'things',
    summary: 'Change it',
    changes: 'thing changed',
    params: z.strictObject({ id: z.string() }),
    body: z.strictObject({ colour: z.enum(['red', 'blue']) }),
    handle: ({ body, params, note }) => {
      if (params.id === 'fixed') throw new WebError('CONFLICT', 'It cannot be changed.');
      note(`now ${body.colour}`);
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/files',
    tag: 'things',
    summary: 'Upload',
    changes: 'file taken',
    raw: { limit: 200_000, types: ['audio/wav'] },
    answer: z.object({ bytes: z.number() }),
    handle: ({ body }) => ({ bytes: body.length }),
  }),
  apiRoute({
    method: 'GET',
    path: '/files/part',
    tag: 'things',
    summary: 'Part of a file',
    answerType: 'audio/wav',
    handle: ({ header }) =>
      new RawAnswer(206, { 'content-range': header('range') ?? '-' }, Buffer.from('part')),
  }),
];

let server: WebServer | undefined;
const steps: ApiStep[] = [];

afterEach(async () => {
  await server?.close();
  server = undefined;
  steps.length = 0;
});

async function ask(path: string, init: RequestInit = {}, token = TOKEN): Promise<Response> {
  server ??= await startWeb(
    webOptions(new MemoryQueries(), {
      api: {
        routes: ROUTES,
        authenticate: adminTokenAuthentication(TOKEN),
        logStep: (step) => {
          steps.push(step);
          return Promise.resolve();
        },
      },
    }),
  );
  const headers = new Headers(init.headers);
  if (token !== '') headers.set('authorization', `Bearer ${token}`);
  return fetch(`${server.url}/api/v1${path}`, { ...init, headers });
}

const json = (body: unknown): RequestInit => ({
  method: 'PUT',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', 'x-sealtape-actor': 'anna at a terminal' },
});

test('a question is answered with what the schema promises and nothing beside it', async () => {
  const answer = await ask('/things/box?much=3');
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({ id: 'box', much: 3 });
});

test.each([
  ['no token', ''],
  ['a wrong one', 'b-token-of-no-recorder-at-all-0123456789'],
  ['a beginning of it', TOKEN.slice(0, 20)],
])('%s gets 401 and nothing else, whatever is asked', async (_what, token) => {
  for (const path of ['/things/box', '/things/fixed', '/nowhere']) {
    const answer = await ask(path, {}, token);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(await answer.json()).toMatchObject({ error: 'UNAUTHORIZED' });
  }
  const change = await ask('/things/box', json({ colour: 'red' }), token);
  expect(change.status).toBe(401);
  expect(steps).toEqual([]);
});

test('errors have one shape with a code, also for what does not exist', async () => {
  const missing = await ask('/things/gone', { headers: { accept: 'text/html' } });
  expect([missing.status, await missing.json()]).toEqual([
    404,
    { error: 'NOT_FOUND', message: 'There is no such thing.' },
  ]);
  expect(await (await ask('/nowhere')).json()).toMatchObject({ error: 'NOT_FOUND' });
  const faulty = await ask('/things/BOX?much=11&more=1');
  expect(faulty.status).toBe(400);
  expect(await faulty.json()).toMatchObject({ error: 'INVALID', faults: [{ path: 'address.id' }] });
  const body = await ask('/things/box', json({ colour: 'green', size: 1 }));
  const answer = (await body.json()) as { readonly faults: readonly { readonly path: string }[] };
  expect(answer.faults.map(({ path }) => path).toSorted()).toEqual(['body', 'body.colour']);
  const broken = await ask('/things/box', { ...json({}), body: '{"colour":' });
  expect([broken.status, await broken.json()]).toMatchObject([400, { error: 'BAD_REQUEST' }]);
});

test('every change is a step with its actor, also one that could not be done', async () => {
  expect((await ask('/things/box', json({ colour: 'blue' }))).status).toBe(204);
  expect((await ask('/things/fixed', json({ colour: 'blue' }))).status).toBe(409);
  expect((await ask('/things/box')).status).toBe(200);
  expect(steps).toMatchObject([
    {
      actor: 'admin-token (anna at a terminal)',
      step: 'thing changed',
      outcome: 'ok',
      detail: 'PUT /api/v1/things/box; now blue',
    },
    {
      step: 'not done: thing changed',
      outcome: 'warning',
      detail: 'PUT /api/v1/things/fixed; CONFLICT It cannot be changed.',
    },
  ]);
});

test('files go up to their own limit and come down in parts', async () => {
  const upload = (bytes: number): Promise<Response> =>
    ask('/files', {
      method: 'POST',
      body: new Uint8Array(bytes).fill(7),
      headers: { 'content-type': 'audio/wav' },
    });
  expect(await (await upload(150_000)).json()).toEqual({ bytes: 150_000 });
  expect((await upload(250_000)).status).toBe(413);
  expect(await (await upload(0)).json()).toMatchObject({ error: 'INVALID' });
  const part = await ask('/files/part', { headers: { range: 'bytes=0-3' } });
  expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
    206,
    'bytes=0-3',
    'part',
  ]);
});

test('the OpenAPI document describes every route by the schemas that check it, and needs no token', async () => {
  const document = (await (await ask('/openapi.json', {}, '')).json()) as {
    readonly openapi: string;
    readonly paths: Record<string, Record<string, unknown>>;
  };
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths)).toEqual(['/things/{id}', '/files', '/files/part']);
  expect(document.paths['/things/{id}']).toMatchObject({
    get: {
      parameters: [
        { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
        { name: 'much', in: 'query', required: false, schema: { type: 'integer', maximum: 10 } },
      ],
    },
    put: {
      requestBody: {
        content: {
          'application/json': { schema: { properties: { colour: { enum: ['red', 'blue'] } } } },
        },
      },
      responses: { 204: {}, 401: {} },
    },
  });
});
