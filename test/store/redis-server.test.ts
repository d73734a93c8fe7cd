import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedisServer, type RedisServer, type RedisServerOptions } from '../../src/store/redis-server.ts';

let dataDir: string;
let servers: RedisServer[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'redis-'));
  servers = [];
});

afterEach(async () => {
  for (const server of servers) await server.stop();
  await rm(dataDir, { recursive: true });
});

async function start(at = dataDir, options?: RedisServerOptions): Promise<RedisServer> {
  const server = await startRedisServer(at, options);
  servers.push(server);
  return server;
}

/** Runs `work` with a client that waits through restarts. */
async function withClient<T>(server: RedisServer, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(server.socket, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

describe('our own redis-server', () => {
  test('keeps its data in the data directory, over a stop and a start, and listens on its socket only', async () => {
    const first = await start();
    await withClient(first, async (client) => {
      await client.set('key', 'value');
      expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
      expect(await client.config('GET', 'appendfsync')).toEqual(['appendfsync', 'everysec']);
      expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
      expect(await client.config('GET', 'port')).toEqual(['port', '0']);
    });
    const pid = first.pid ?? 0;
    expect(process.kill(pid, 0)).toBe(true);
    await first.stop();
    await first.stop();
    expect(() => process.kill(pid, 0)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    const second = await start();
    expect(second.socket).toBe(join(dataDir, 'redis', 'redis.sock'));
    expect(await withClient(second, (client) => client.get('key'))).toBe('value');
  });

  test('comes back when it is killed, and again', async () => {
    const server = await start(dataDir, { backOff: 10 });
    await withClient(server, async (client) => {
      await client.set('key', 'value');
      await client.config('SET', 'appendfsync', 'always');
      await client.set('other', 'value');
      for (const restarts of [1, 2]) {
        process.kill(server.pid ?? 0, 'SIGKILL');
        while (server.restarts < restarts) await new Promise((resolve) => setTimeout(resolve, 5));
        expect(await client.get('other')).toBe('value');
      }
    });
  });

  test('stopped between a death and the restart stays stopped', async () => {
    const server = await start(dataDir, { backOff: 50 });
    process.kill(server.pid ?? 0, 'SIGKILL');
    while (server.pid !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    await server.stop();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server.pid).toBeUndefined();
    expect(server.restarts).toBe(0);
  });

  test('has a short socket path however deep the data directory is', async () => {
    const deep = join(dataDir, 'd'.repeat(60), 'e'.repeat(60));
    await mkdir(deep, { recursive: true });
    const server = await start(deep);
    expect(server.socket.length).toBeLessThan(100);
    expect(await withClient(server, (client) => client.ping())).toBe('PONG');
    await server.stop();
    await expect(readFile(server.socket)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('ends the one that a killed recorder left in the same folder', async () => {
    await (await start()).stop();
    const folder = join(dataDir, 'redis');
    const settings = ['--port', '0', '--unixsocket', join(folder, 'redis.sock'), '--dir', folder];
    const orphan = spawn(
      'redis-server',
      [...settings, '--pidfile', join(folder, 'redis.pid'), '--appendonly', 'yes'],
      {
        stdio: 'ignore',
      },
    );
    const gone = once(orphan, 'exit');
    const pidFile = (): Promise<string> => readFile(join(folder, 'redis.pid'), 'utf8').catch(() => '');
    while ((await pidFile()) === '') await new Promise((resolve) => setTimeout(resolve, 5));
    const server = await start();
    await gone;
    expect(server.pid).not.toBe(orphan.pid);
    expect(await withClient(server, (client) => client.ping())).toBe('PONG');
  });

  test('leaves a process alone that only has the number of an old one', async () => {
    await mkdir(join(dataDir, 'redis'), { recursive: true });
    await writeFile(join(dataDir, 'redis', 'redis.pid'), String(process.pid));
    expect((await start()).pid).not.toBe(process.pid);
  });

  test('that is not installed is named with its package', async () => {
    await expect(start(dataDir, { program: 'no-such-redis' })).rejects.toMatchObject({
      code: 'REDIS_MISSING',
      message: expect.stringContaining('apt-get install redis-server') as unknown,
    });
  });

  test('that cannot read its files says where to look', async () => {
    await mkdir(join(dataDir, 'redis', 'appendonlydir'), { recursive: true });
    await writeFile(join(dataDir, 'redis', 'appendonly.aof'), 'rubbish');
    await writeFile(join(dataDir, 'redis', 'appendonlydir', 'appendonly.aof.manifest'), 'rubbish');
    await expect(start()).rejects.toMatchObject({
      code: 'REDIS_FAILED',
      message: expect.stringContaining('redis.log') as unknown,
    });
  });
});
