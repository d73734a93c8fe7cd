import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { startWeb } from '../../src/web/server.ts';
import { MemoryQueries, webOptions } from './fakes.ts';

let folder: string;
let redisServer: ChildProcess;
let redis: Redis;
let queue: Queue;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealtape-web-'));
  const socket = join(folder, 'redis.sock');
  redisServer = spawn(
    'redis-server',
    ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', ''],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  for await (const chunk of redisServer.stdout ?? []) {
    if (/ready to accept connections/i.test(String(chunk))) break;
  }
  redis = new Redis(socket, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  queue = new Queue('seal', { connection: redis });
  queue.on('error', () => undefined);
  await queue.add('seal', { recording: 'r1' }, { jobId: 'seal-r1' });
});

afterAll(async () => {
  await queue.close();
  redis.disconnect();
  redisServer.kill();
  await once(redisServer, 'exit');
  await rm(folder, { recursive: true });
});

test('a started server answers at its address until it is closed', async () => {
  const server = await startWeb(webOptions(new MemoryQueries()));
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect((await fetch(server.url)).status).toBe(200);
  await server.close();
  await server.close();
  await expect(fetch(server.url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
});

test.each(['0.0.0.0', '::', '192.0.2.1', 'example.com', '10.0.0.1', '::ffff:192.0.2.1'])(
  '%s is refused as it is no loopback address',
  async (host) => {
    await expect(startWeb(webOptions(new MemoryQueries(), { host }))).rejects.toMatchObject({
      code: 'NOT_LOOPBACK',
      message: expect.stringContaining(`web.listen: ${host} can be reached`) as unknown,
    });
  },
);

test('a port in use is named', async () => {
  const first = await startWeb(webOptions(new MemoryQueries()));
  const port = Number(new URL(first.url).port);
  await expect(startWeb(webOptions(new MemoryQueries(), { port }))).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
    message: `web.listen: 127.0.0.1:${port} is used by another program`,
  });
  await first.close();
});

test('the job board shows the queues of a real Redis, with nothing from other hosts allowed', async () => {
  const server = await startWeb(webOptions(new MemoryQueries(), { queues: [queue] }));
  const page = await fetch(`${server.url}/queues`);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-security-policy')).toMatch(
    /^default-src 'self'; .*frame-ancestors 'none'$/,
  );
  const text = await page.text();
  const [script] = [...text.matchAll(/src="(static\/js\/main[^"]+)"/g)].map((match) => match[1]);
  expect((await fetch(`${server.url}/queues/${script ?? ''}`)).status).toBe(200);
  const api = (await (await fetch(`${server.url}/queues/api/queues`)).json()) as {
    queues: { name: string; counts: { waiting: number } }[];
  };
  expect(api.queues).toMatchObject([{ name: 'seal', counts: { waiting: 1 } }]);
  await server.close();
});

test('a foreign page cannot change jobs', async () => {
  const server = await startWeb(webOptions(new MemoryQueries(), { queues: [queue] }));
  const put = (headers: Record<string, string>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const url = `${server.url}/queues/api/queues/seal/pause`;
      request(url, { method: 'PUT', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
  expect(await put({ origin: 'http://evil.example' })).toBe(403);
  expect(await put({ 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await queue.isPaused()).toBe(false);
  expect(await put({ origin: server.url, 'sec-fetch-site': 'same-origin' })).toBe(200);
  expect(await queue.isPaused()).toBe(true);
  await queue.resume();
  await server.close();
});

test('the board says that Redis is away instead of waiting for it', async () => {
  // It takes connections and never says a word, as a stopped process does.
  const silent = createServer((socket) => socket.resume());
  silent.listen(join(folder, 'silent.sock'));
  await once(silent, 'listening');
  const connection = new Redis(join(folder, 'silent.sock'), {
    maxRetriesPerRequest: null,
    retryStrategy: null,
  });
  connection.on('error', () => undefined);
  const away = new Queue('seal', { connection });
  away.on('error', () => undefined);
  const server = await startWeb(webOptions(new MemoryQueries(), { queues: [away] }));
  const answer = await fetch(`${server.url}/queues/api/queues`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ error: 'QUEUES_AWAY' });
  expect((await fetch(server.url)).status).toBe(200);
  await server.close();

  connection.disconnect();
  silent.close();
});
