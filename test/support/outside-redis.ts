import { spawn } from 'node:child_process';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A redis-server of the test's own on a free TCP port, with nothing on disk. */
export interface OutsideRedis {
  readonly url: string;
  /** Stops and continues the process: connections stay, answers do not come. */
  hang(hangs: boolean): Promise<void>;
  /** Whether writes are answered with an error, as with too little memory. */
  refuseWrites(refuses: boolean): Promise<void>;
  /** May be called twice. */
  stop(): Promise<void>;
}

export async function startOutsideRedis(): Promise<OutsideRedis> {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  const child = spawn(
    'redis-server',
    ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', folder],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const exited = once(child, 'exit');
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Ready to accept connections')) resolve();
    });
    void exited.then(() => {
      reject(new Error(`redis-server ended\n${output}`));
    });
  });
  return {
    url,
    hang: (hangs) => {
      child.kill(hangs ? 'SIGSTOP' : 'SIGCONT');
      return Promise.resolve();
    },
    refuseWrites: async (refuses) => {
      const admin = new Redis(url);
      await admin.config('SET', 'maxmemory', refuses ? '1' : '0');
      admin.disconnect();
    },
    stop: async () => {
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { readonly port: number };
  server.close();
  return port;
}
