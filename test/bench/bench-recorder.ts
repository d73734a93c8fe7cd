/* The recorder under a media benchmark: a process of its own with everything in it, as a user would run it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Kind } from './media-goals.ts';
import { ROOT } from './sip-caller.ts';
import { START_OPTIONS } from './start-options.ts';

const MEDIA_PORTS = '10000-59999';

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly tcpPort: number;
  readonly web: string;
  readonly dataDir: string;
  readonly archive: string;
  stop(): Promise<void>;
}

export interface RecorderPlan {
  readonly receiver: Kind;
  readonly profiles: string | undefined;
}

/** Starts the built recorder with an archive on the local disk; `modules` are loaded into it first. */
export async function startRecorder(plan: RecorderPlan, modules: readonly string[] = []): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'media-bench-'));
  const config = join(folder, 'config.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      dataDir: 'data',
      sip: { listen: ['tcp://127.0.0.1:0'] },
      trunks: [{ name: 'load', from: ['127.0.0.1'], srtpWithoutTls: true }],
      media: { ports: MEDIA_PORTS, address: '127.0.0.1', receiver: plan.receiver },
      web: { listen: '127.0.0.1:0' },
      destinations: [{ name: 'archive', kind: 'path', root: './archive' }],
      log: { level: 'warn' },
    }),
  );
  const profiling = plan.profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', plan.profiles];
  const execArgv = [
    ...START_OPTIONS.execArgv,
    ...profiling,
    ...modules.flatMap((module) => ['--import', module]),
  ];
  const main = fileURLToPath(new URL('dist/src/main.js', ROOT));
  const child = fork(main, ['--config', config], { ...START_OPTIONS, execArgv, silent: true });
  // What it complains about is the reader's business.
  child.stderr?.pipe(process.stderr);
  let banner = '';
  for await (const chunk of child.stdout ?? []) {
    banner += String(chunk);
    if (banner.includes('Verify')) break;
  }
  const tcpPort = Number(/tcp:\/\/127\.0\.0\.1:(\d+)/.exec(banner)?.[1]);
  const web = /http:\/\/[^\s/]+/.exec(banner)?.[0];
  if (web === undefined) throw new Error(`the recorder did not start: ${banner}`);
  const exit = once(child, 'exit');
  return {
    child,
    pid: child.pid ?? 0,
    tcpPort,
    web,
    dataDir: join(folder, 'data'),
    archive: join(folder, 'archive'),
    stop: async () => {
      child.kill('SIGTERM');
      await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
