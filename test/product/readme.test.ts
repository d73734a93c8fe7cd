import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { eventually, filesBelow, ROOT } from '../support/recorder-process.ts';
import { run, type ToolResult } from '../support/sealed-recording.ts';

const FIRST_RECORDING = section(readFileSync(join(ROOT, 'README.md'), 'utf8'), 'First recording');
const [toStart = [], inSecondTerminal = [], withoutUs = []] = shellBlocks(FIRST_RECORDING);
const ARCHIVED = /^\d{4}\/\d{2}\/\d{2}\/\d{8}T\d{6}\.\d{3}Z_\S+\.wav$/;

let room: string | undefined;
let clone: string;

beforeAll(async () => {
  await expectFreePorts();
  room = mkdtempSync(join(tmpdir(), 'sealtape-readme-'));
  clone = join(room, 'sealtape');
  copyRepository(clone);
});

afterAll(() => {
  if (room === undefined) return;
  for (const pid of processesIn(room)) process.kill(pid, 'SIGKILL');
  rmSync(room, { recursive: true, force: true });
});

test('the README leads from a clone to a recording that both verifiers find intact', async () => {
  expect(toStart).toEqual([expect.stringMatching(/^git clone \S+ sealtape && cd sealtape$/), 'npm start']);
  const recorder = startNpm(toStart[1] ?? '');
  // The last line of the banner: its lines may come one by one.
  await eventually(
    () => (/^ {2}Verify .+\n/m.test(recorder.output()) || recorder.ended() ? true : undefined),
    180_000,
  );
  expect(recorder.output()).toContain('Test call    npx sealtape call\n');

  const results = new Map<string, ToolResult>();
  for (const command of [...inSecondTerminal, ...withoutUs]) {
    const result = run('sh', ['-c', command], clone);
    expect([command, result]).toEqual([command, expect.objectContaining({ status: 0 })]);
    results.set(command, result);
    // Sealing takes less time than a person needs for the next command.
    if (command.includes('sealtape call')) await eventually(recording, 5000);
  }

  const name = recording()?.replace(/\.wav$/, '') ?? '';
  const promised = [...FIRST_RECORDING.matchAll(/^\| `<rec>(\S+)` \|/gm)].map(([, end]) => `${name}${end}`);
  expect(promised).toHaveLength(4);
  expect(filesBelow(join(clone, 'data/archive'))).toEqual(expect.arrayContaining(promised));
  expect(output(results, 'ls ')).toContain(`${name.slice(11)}.wav`);
  expect(output(results, 'npx sealtape-verify')).toContain('Result: INTACT');
  expect(output(results, 'sh verify-cli/verify.sh')).toContain('Result: INTACT');
  const page = /<(http:[^>]+)>/.exec(FIRST_RECORDING)?.[1] ?? '';
  expect(await (await fetch(page)).text()).toContain('+49301234567');

  expect(await recorder.stop()).toBe(0);
  expect(processesIn(clone)).toEqual([]);
}, 300_000);

function section(text: string, title: string): string {
  const found = text.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  if (found === undefined) throw new Error(`the README has no section "${title}"`);
  return found;
}

/** The lines of every block of shell commands. */
function shellBlocks(markdown: string): string[][] {
  return [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, lines = '']) =>
    lines.trim().split('\n'),
  );
}

/** What a clone would have, were the working tree committed; the packages are linked to spare the minute of their download. */
function copyRepository(target: string): void {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  for (const file of listed.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)))) {
    mkdirSync(dirname(join(target, file)), { recursive: true });
    cpSync(join(ROOT, file), join(target, file), { preserveTimestamps: true });
  }
  const link = (how: string): number | null =>
    run('cp', [how, join(ROOT, 'node_modules'), join(target, 'node_modules')]).status;
  if (link('-al') !== 0) {
    rmSync(join(target, 'node_modules'), { recursive: true, force: true });
    expect(link('-a')).toBe(0);
  }
}

/** The README speaks of the default ports, so they must be free here. */
async function expectFreePorts(): Promise<void> {
  const udp = createSocket('udp4');
  const servers = [5060, 8080].map((port) => ({ port, server: createServer() }));
  try {
    udp.bind(5060);
    await once(udp, 'listening').catch(() => {
      throw new Error('UDP port 5060 is taken, which this test of the README needs');
    });
    for (const { port, server } of servers) {
      server.listen(port, port === 5060 ? '0.0.0.0' : '127.0.0.1');
      await once(server, 'listening').catch(() => {
        throw new Error(`TCP port ${port} is taken, which this test of the README needs`);
      });
    }
  } finally {
    udp.close();
    for (const { server } of servers) server.close();
  }
}

interface Started {
  readonly output: () => string;
  readonly ended: () => boolean;
  /** SIGTERM to npm; resolves with its exit code. */
  readonly stop: () => Promise<number | null>;
}

function startNpm(command: string): Started {
  const child: ChildProcess = spawn('sh', ['-c', `exec ${command}`], {
    cwd: clone,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    output: () => text,
    ended,
    stop: async () => {
      if (!ended()) {
        const exit = once(child, 'exit');
        child.kill('SIGTERM');
        await exit;
      }
      return child.exitCode;
    },
  };
}

const recording = (): string | undefined =>
  existsSync(join(clone, 'data/archive'))
    ? filesBelow(join(clone, 'data/archive')).find((file) => ARCHIVED.test(file))
    : undefined;

const output = (results: ReadonlyMap<string, ToolResult>, command: string): string =>
  [...results].find(([name]) => name.startsWith(command))?.[1].output ?? `${command} is not in the README`;

/** Ids of the processes whose working directory is below the folder. */
function processesIn(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && workingDirectory(pid).startsWith(folder));
}

function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
