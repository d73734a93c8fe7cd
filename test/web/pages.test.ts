import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from '@jest/globals';
import { RECORD_ALL } from '../../src/rules/decision.ts';
import { startWeb, type WebOptions, type WebServer } from '../../src/web/server.ts';
import { details, HEALTHY, ID, MemoryQueries, listed, webOptions } from './fakes.ts';

const servers: WebServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

interface Site {
  readonly queries: MemoryQueries;
  readonly get: (url: string, headers?: Record<string, string>) => Promise<Answer>;
}

/** A running server; `get` sends the headers as given, Host included. */
async function site(more: Partial<WebOptions> = {}): Promise<Site> {
  const queries = new MemoryQueries();
  const server = await startWeb(webOptions(queries, more));
  servers.push(server);
  const port = Number(new URL(server.url).port);
  const get = async (path: string, headers: Record<string, string> = {}): Promise<Answer> => {
    const all = { host: 'localhost:8080', accept: 'text/html', ...headers };
    const sent = request({ host: '127.0.0.1', port, path, headers: all }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, text: await text(response), headers: response.headers };
  };
  return { queries, get };
}

test('an empty list says how to place a test call', async () => {
  const { get } = await site();
  const { status, text: page } = await get('/');
  expect(status).toBe(200);
  expect(page).toContain('npx sealtape call');
});

test('the list shows start, length, both parties and the state', async () => {
  const { queries, get } = await site({ timeZone: 'Europe/Berlin' });
  queries.rows = [listed()];
  const { text: page } = await get('/');
  for (const part of ['2026-11-23 19:45:30', '1:07', 'Erika Muster', '+4989555010', 'sealed and delivered'])
    expect(page).toContain(part);
  expect(page).toContain(`href="/recordings/${ID}"`);
  expect(page).toContain('http-equiv="refresh"');
});

test('older recordings are reached page by page, each exactly once', async () => {
  const { queries, get } = await site();
  const id = (index: number): string => ID.replace(/.{4}$/, String(index).padStart(4, '0'));
  queries.rows = Array.from({ length: 120 }, (_none, index) => listed({ id: id(9000 - index) }));
  const seen: string[] = [];
  let url: string | undefined = '/';
  while (url !== undefined) {
    const { text: page }: Answer = await get(url);
    seen.push(...[...page.matchAll(/href="\/recordings\/([^"]+)"/g)].map((match) => match[1] ?? ''));
    url = /rel="next" href="([^"]+)"/.exec(page)?.[1];
  }
  expect(seen).toEqual(queries.rows.map((row) => row.id));
});

test.each([
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='x",
  '</title>&lt;',
])('a hostile name stays text: %s', async (name) => {
  const { queries, get } = await site();
  queries.rows = [listed({ callerName: name, calleeNumber: name, trunk: name, failReason: name })];
  const { text: page } = await get('/');
  expect(page).not.toContain(name);
  expect(page).not.toMatch(/<(script|img)/);
});

test('control and direction characters in names become visible', async () => {
  const { queries, get } = await site();
  queries.rows = [listed({ callerName: 'a\u202eb\u0000c\u001bd' })];
  expect((await get('/')).text).toContain('a\ufffdb\ufffdc\ufffdd');
});

test('a recording shows its files, deliveries, steps and statistics', async () => {
  const { queries, get } = await site();
  queries.found = details();
  const { status, text: page } = await get(`/recordings/${ID}`);
  expect(status).toBe(200);
  for (const part of ['rec-1.wav', '1.1 MB', 'ab'.repeat(32), 'answered', '248 of 250', '1.00–1.04 s lost'])
    expect(page).toContain(part);
  expect(page).toContain('PBX &lt;1&gt;');
  expect(page).not.toContain('http-equiv="refresh"');
});

test.each([
  [
    'an unknown recording',
    '/recordings/0193f0c2-0000-7000-8000-000000000000',
    404,
    'There is no such recording',
  ],
  ['an id that is none', '/recordings/..%2f..%2fetc', 404, 'There is no such recording'],
  ['an unknown page', '/nothing', 404, 'There is nothing at this address'],
  ['a damaged cursor', '/?before=x%27--', 400, 'The address of this page is damaged'],
])('%s is answered plainly', async (_name, url, status, message) => {
  const { get } = await site();
  const answer = await get(url);
  expect(answer.status).toBe(status);
  expect(answer.text).toContain(message);
});

test('a database that is away is said without its inner life', async () => {
  const logged: unknown[] = [];
  const { queries, get } = await site({ log: (...line) => logged.push(line) });
  queries.fail = true;
  const { status, text: page } = await get('/');
  expect(status).toBe(503);
  expect(page).toContain('Calls are recorded nevertheless');
  expect(page).not.toMatch(/secret path|\bat .*\.ts/);
  expect(JSON.stringify(logged)).toContain('secret path');
});

test('a fault of ours is 500 without a stack, as JSON for programs', async () => {
  const { get } = await site({ metrics: () => Promise.reject(new Error('boom')) });
  const { status, text: page } = await get('/metrics', { accept: '*/*' });
  expect(status).toBe(500);
  expect(JSON.parse(page)).toEqual({ error: 'INTERNAL', message: expect.any(String) as unknown });
  expect(page).not.toContain('boom');
});

test('what does not work is shown above the list', async () => {
  const parts = { ...HEALTHY.parts, redis: { ok: false, detail: 'no connection' } };
  const { get } = await site({ health: () => Promise.resolve({ ...HEALTHY, parts }) });
  const { text: page } = await get('/');
  expect(page).toContain('redis: no connection');
  expect(page).toContain('Calls are recorded nevertheless');
});

test('a critical alarm is shown above the list, a warning is not', async () => {
  const alarm = {
    code: 'log-rolled-back',
    severity: 'critical',
    text: 'the log <went> back',
    since: 1,
  } as const;
  const warning = { ...alarm, severity: 'warning', text: 'something else' } as const;
  const { get } = await site({ health: () => Promise.resolve({ ...HEALTHY, alarms: [alarm, warning] }) });
  const { text: page } = await get('/');
  expect(page).toContain('the log &lt;went&gt; back');
  expect(page).not.toContain('something else');
});

test.each([
  ['everything works', HEALTHY, 200, 'ok'],
  ['a part fails', { ...HEALTHY, parts: { ...HEALTHY.parts, database: { ok: false } } }, 503, 'failing'],
  ['nothing can be recorded', { ...HEALTHY, recording: false }, 503, 'failing'],
])('/healthz when %s', async (_name, report, status, word) => {
  const { get } = await site({ health: () => Promise.resolve(report) });
  const answer = await get('/healthz');
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.text)).toEqual({ status: word, ...report });
});

test('/metrics is Prometheus text', async () => {
  const { get } = await site();
  const { headers, text: page } = await get('/metrics');
  expect(headers['content-type']).toContain('text/plain; version=0.0.4');
  expect(page).toContain('sealtape_calls_running 0');
});

test('a recording says by which rule it was made and how long it is kept', async () => {
  const { queries, get } = await site();
  const found = details();
  const recording = { ...found.recording, kept: { profile: 'wphg-5y', until: '2031-11-23' } };
  queries.found = { ...found, recording: { ...recording, decision: { ...RECORD_ALL, rule: 'sales' } } };
  const { text: page } = await get(`/recordings/${ID}`);
  expect(page).toContain('until 2031-11-23 (wphg-5y)');
  expect(page).toContain('sales (');
  queries.found = { ...found, recording: { ...recording, kept: { profile: 'none' } } };
  expect((await get(`/recordings/${ID}`)).text).toContain('for ever (profile none)');
});

test('no page gives audio out: each access has to be stated in the evidence log, which the API does', async () => {
  const { queries, get } = await site();
  queries.found = details();
  expect((await get(`/recordings/${ID}`)).text).not.toContain('/audio/');
  expect((await get(`/recordings/${ID}/audio/rec-1.wav`)).status).toBe(404);
});

test('every answer carries the security headers', async () => {
  const { get } = await site();
  for (const url of ['/', '/style.css', '/healthz', '/nothing']) {
    const { headers } = await get(url);
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
  }
});

test('the pages load nothing from elsewhere and run no script', async () => {
  const { queries, get } = await site();
  queries.rows = [listed()];
  const { text: page, headers } = await get('/');
  expect(page).not.toMatch(/https?:\/\/|<script|style="/);
  expect(headers['content-security-policy']).toContain("default-src 'none'");
});

test.each([
  ['localhost:8080', 200],
  ['127.0.0.1:9000', 200],
  ['[::1]:8080', 200],
  ['localhost', 200],
  ['rebound.example:8080', 421],
  ['127.0.0.1.example', 421],
  ['localhost:8080@evil.example', 421],
])('Host %s is answered with %i', async (host, status) => {
  const { get } = await site();
  expect((await get('/healthz', { host })).status).toBe(status);
});
