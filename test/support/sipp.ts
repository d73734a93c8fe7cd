import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface SippRun {
  /** Name of a scenario in test/product/sipp, without `.xml`. */
  readonly scenario: 'basic' | 'hold' | 'cancel' | 'new-session';
  readonly server: { readonly address: string; readonly port: number };
  readonly transport: 'udp' | 'tcp';
  /** Working folder; the scenarios play `legs.pcap` (and `legs-resumed.pcap`) from it. */
  readonly folder: string;
}

export interface SippResult {
  /** 0 when every message came as the scenario expects. */
  readonly code: number;
  /** What SIPp complained about. */
  readonly errors: string;
}

const SCENARIOS = new URL('../product/sipp/', import.meta.url).pathname;
const TIMEOUT_SECONDS = 30;

/** Runs one call of a scenario with SIPp. Playing a pcap needs the right to open raw sockets. */
export async function runSipp(run: SippRun): Promise<SippResult> {
  const errorFile = join(run.folder, 'sipp-errors.log');
  await rm(errorFile, { force: true });
  // SIPp looks for captures beside the scenario first.
  const scenario = join(run.folder, `${run.scenario}.xml`);
  await copyFile(join(SCENARIOS, `${run.scenario}.xml`), scenario);
  const args = [
    `${run.server.address}:${run.server.port}`,
    ...['-sf', scenario],
    ...['-t', run.transport === 'udp' ? 'u1' : 't1'],
    ...[
      '-i',
      '127.0.0.1',
      '-p',
      String(await freePort()),
      '-mi',
      '127.0.0.1',
      '-mp',
      String(await freePort()),
    ],
    ...['-m', '1', '-l', '1', '-nostdin', '-timeout', String(TIMEOUT_SECONDS), '-timeout_error'],
    ...['-trace_err', '-error_file', errorFile],
  ];
  const code = await new Promise<number>((resolve) => {
    const child = execFile('sipp', args, { cwd: run.folder, env: { ...process.env, TERM: 'xterm' } });
    child.stdout?.resume();
    child.on('error', () => {
      resolve(-1);
    });
    child.on('exit', (status) => {
      resolve(status ?? -1);
    });
  });
  return { code, errors: await readFile(errorFile, 'utf8').catch(() => '') };
}

/** An even port with a free one above, as SIPp's media port wants. */
async function freePort(): Promise<number> {
  for (;;) {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    if (port % 2 === 0) return port;
  }
}
