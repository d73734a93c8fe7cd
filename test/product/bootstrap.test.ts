import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BootstrapRoom } from '../support/bootstrap-room.ts';
import { eventually } from '../support/recorder-process.ts';

let room: BootstrapRoom;

beforeEach(() => {
  room = new BootstrapRoom();
});

afterEach(() => {
  room.close();
});

describe('npm start in a fresh clone', () => {
  test('installs, builds and starts the recorder with the options given', async () => {
    const { status, output, errors, calls } = await room.run('--config', 'a file.yaml');
    expect(calls).toEqual(['npm ci --no-audit --no-fund', 'build']);
    expect(output).toBe('started --config a file.yaml\n');
    expect(errors.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^sealtape: installing npm packages/),
      'sealtape: building',
    ]);
    expect(status).toBe(0);
  });

  test('does neither a second time', async () => {
    await room.run();
    expect(await room.run()).toEqual({ status: 0, output: 'started\n', errors: '', calls: [] });
  });

  test('installs again when the lock file is newer than the packages', async () => {
    await room.run();
    room.age('package-lock.json', -1);
    const { calls } = await room.run();
    expect(calls[0]).toBe('npm ci --no-audit --no-fund');
  });

  test.each(['src/main.ts', 'package.json', 'tsconfig.json', 'tsconfig.build.json'])(
    'builds again, from nothing, when %s is newer than the build',
    async (file) => {
      await room.run();
      writeFileSync(join(room.home, 'dist/src/of-a-source-that-is-gone.js'), '');
      room.age(file, -1);
      expect((await room.run()).calls).toEqual(['build']);
      expect(existsSync(join(room.home, 'dist/src/of-a-source-that-is-gone.js'))).toBe(false);
    },
  );
});

describe('Node.js', () => {
  /** The real Node.js, which says of itself that it is another version. */
  const pretend = (version: string): void => {
    const lie = join(room.folder, 'version.cjs');
    writeFileSync(
      lie,
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`,
    );
    room.fake(
      'node',
      `if [ "$1" = --version ]; then echo v${version}; else exec '${process.execPath}' -r '${lie}' "$@"; fi`,
    );
  };

  test.each(['16.20.2', '18.99.99', '20.9.0', '20.16.9'])('%s is too old', async (version) => {
    pretend(version);
    const { status, errors } = await room.run();
    expect(errors).toBe(`sealtape: Node.js 20.17.0 or newer is needed, this is v${version}\n`);
    expect(status).toBe(1);
    expect(existsSync(join(room.home, 'node_modules'))).toBe(false);
  });

  test.each(['20.17.0', '20.18.0', '22.0.0', '24.1.0', '100.0.0'])('%s will do', async (version) => {
    pretend(version);
    expect(await room.run()).toMatchObject({ status: 0, output: 'started\n' });
  });

  test('is asked for when there is none', async () => {
    room.remove('node');
    expect(await room.run()).toMatchObject({
      status: 1,
      errors: 'sealtape: Node.js 20.17.0 or newer is needed, none was found\n',
    });
  });
});

describe('a missing redis-server', () => {
  const aptGet = (): void => {
    room.fake(
      'apt-get',
      `case "$*" in *redis-server) echo '#!/bin/sh' > '${join(room.bin, 'redis-server')}' ;; esac`,
    );
  };

  beforeEach(() => {
    room.remove('redis-server');
    room.becomeNobody();
  });

  test.each([
    ['there is no apt-get', () => undefined],
    [
      'the user may not, and there is no sudo',
      () => {
        aptGet();
      },
    ],
    [
      'sudo would ask for a password',
      () => {
        aptGet();
        room.fake('sudo', 'exit 1');
      },
    ],
  ])('is named in one line when %s', async (_name, prepare) => {
    prepare();
    const { status, output, errors, calls } = await room.run();
    expect(errors).toBe(
      'sealtape: please install: redis-server (for example: sudo apt-get install redis-server)\n',
    );
    expect(`${status} ${output}`).toBe('1 ');
    expect(calls.filter((call) => /^(npm|apt-get)/.test(call))).toEqual([]);
  });

  test.each([
    ['for root', 'id', 'echo 0'],
    ['with sudo that needs no password', 'sudo', 'shift; "$@"'],
  ])('is installed %s', async (_name, program, lines) => {
    aptGet();
    room.fake(program, lines);
    const { status, output, calls } = await room.run();
    expect(calls.filter((call) => call.startsWith('apt-get'))).toEqual([
      'apt-get update -qq',
      'apt-get install -y -qq --no-install-recommends redis-server',
    ]);
    expect(`${status} ${output}`).toBe('0 started\n');
  });
});

describe('a step that fails', () => {
  const FAILS = 'echo npm warn chatter; echo npm error code E404; echo npm error not there; exit 1';
  const compilers = (): void => {
    for (const tool of ['python3', 'make', 'g++']) room.fake(tool);
  };

  test('says why, and where everything it said is', async () => {
    compilers();
    room.fake('npm', FAILS);
    const { status, output, errors, calls } = await room.run();
    expect(`${status} ${output}`).toBe('1 ');
    expect(calls).toEqual(['npm ci --no-audit --no-fund']);
    expect(errors).toContain('npm error code E404\nnpm error not there\n');
    expect(errors).not.toContain('chatter');
    const log = /whole output: (.*)\)/.exec(errors)?.[1] ?? '';
    expect(readFileSync(log, 'utf8')).toContain('chatter');
  });

  test('is tried again with compilers, where there were none', async () => {
    room.becomeNobody();
    room.fake('npm', FAILS);
    expect((await room.run()).errors).toContain('please install: python3 make g++');
    room.fake('id', 'echo 0');
    room.fake('apt-get', `[ "$1" = update ] || : > '${join(room.folder, 'compilers')}'`);
    room.fake('npm', `if [ ! -e '${join(room.folder, 'compilers')}' ]; then ${FAILS}; fi\nexit 3`);
    const { calls } = await room.run();
    expect(calls.map((call) => call.split(' ').slice(0, 2).join(' '))).toEqual([
      'npm ci',
      'id -u',
      'apt-get update',
      'apt-get install',
      'npm ci',
    ]);
  });

  test.each([
    ['SIGTERM', ''],
    // What does not listen is ended by force.
    ['SIGINT', "trap '' TERM;"],
  ] as const)('ends with everything it started on %s', async (signal, deaf) => {
    const pid = join(room.folder, 'pid');
    room.fake('npm', `${deaf} sleep 300 & echo $! > '${pid}'; : > '${pid}.written'; wait`);
    const child = room.start();
    const ended = room.end(child);
    await eventually(() => (existsSync(`${pid}.written`) ? true : undefined), 5000);
    child.kill(signal);
    expect((await ended).status).toBe(130);
    const sleeper = Number(readFileSync(pid, 'utf8'));
    await eventually(() => (isRunning(sleeper) ? undefined : true), 5000);
  });
});

function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}
