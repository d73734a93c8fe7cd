import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

/** A server that runs in the foreground as a child of the test. */
export interface ServerProcess {
  readonly child: ChildProcess;
  /** What it has written to standard output and error. */
  said(): string;
  /** Ends it (SIGTERM, or SIGKILL when that is ignored) and waits until it is gone. */
  stop(): Promise<void>;
}

/** Starts a program and waits until its port answers. Rejects with what it said when it ends before. */
export async function startServerProcess(
  command: string,
  args: readonly string[],
  options: { readonly port: number; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string },
): Promise<ServerProcess> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => (text = (text + part.toString()).slice(-20_000)));
  const server = { child, said: () => text, stop: () => end(child) };
  const deadline = Date.now() + 60_000;
  while (!(await answers(options.port))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      await server.stop();
      throw new Error(`${command} does not listen: ${text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return server;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(force);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
