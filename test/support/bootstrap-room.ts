import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from './recorder-process.ts';

/** What bootstrap.sh may use of the machine; everything else is missing in a room until a test puts it there. */
const TOOLS = 'bash cat chmod dirname env find grep ls mkdir mktemp rm sh sleep tail touch'.split(' ');

/** Stands for npm: says that it was called, and "installs" a compiler that builds a recorder which says how it was started. */
const NPM = `
mkdir -p node_modules/typescript/bin node_modules/sqlite3
echo > node_modules/sqlite3/index.js
cat > node_modules/typescript/bin/tsc <<'TSC'
const { appendFileSync, mkdirSync, writeFileSync } = require('node:fs');
appendFileSync(process.env.CALLS, 'build\\n');
for (const folder of ['dist/src', 'dist/verify-cli']) mkdirSync(folder, { recursive: true });
for (const program of ['src/cli', 'verify-cli/main']) writeFileSync('dist/' + program + '.js', '');
writeFileSync('dist/src/main.js', 'console.log("started", ...process.argv.slice(2))');
TSC
touch node_modules/.package-lock.json`;

export interface BootstrapResult {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
  /** What was called of the fakes since the last run, one line a call. */
  readonly calls: readonly string[];
}

/**
 * A small repository with the real bootstrap.sh, and a PATH in which every program that could change the machine is a fake which
 * records its calls.
 */
export class BootstrapRoom {
  readonly folder = mkdtempSync(join(tmpdir(), 'sealtape-bootstrap-'));
  readonly bin = join(this.folder, 'bin');
  readonly home = join(this.folder, 'repository');
  readonly #calls = join(this.folder, 'calls');

  constructor() {
    for (const folder of [this.bin, join(this.home, 'deploy'), join(this.home, 'src')])
      mkdirSync(folder, { recursive: true });
    mkdirSync(join(this.home, 'verify-cli'));
    for (const file of ['deploy/bootstrap.sh', 'deploy/node-options'])
      copyFileSync(join(ROOT, file), join(this.home, file));
    for (const file of ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'])
      this.age(file, 60);
    this.age('src/main.ts', 60);
    for (const tool of TOOLS) symlinkSync(find(tool), join(this.bin, tool));
    symlinkSync(process.execPath, join(this.bin, 'node'));
    this.fake('npm', NPM);
    this.fake('redis-server');
  }

  /** Makes a file last changed so many seconds ago; negative is in the future. */
  age(file: string, seconds: number): void {
    const path = join(this.home, file);
    if (!existsSync(path)) writeFileSync(path, file.endsWith('.json') ? '{}' : '');
    const time = Date.now() / 1000 - seconds;
    utimesSync(path, time, time);
  }

  /** Puts a program into PATH that records its call and then does what the shell lines say. */
  fake(name: string, lines = ''): void {
    const path = join(this.bin, name);
    rmSync(path, { force: true });
    writeFileSync(path, `#!/bin/sh\necho "${name} $*" >> "$CALLS"\n${lines}\n`);
    chmodSync(path, 0o755);
  }

  remove(name: string): void {
    rmSync(join(this.bin, name), { force: true });
  }

  /** A user without any right. */
  becomeNobody(): void {
    this.fake('id', 'echo 1000');
  }

  start(...args: readonly string[]): ChildProcess {
    rmSync(this.#calls, { force: true });
    return spawn(find('bash'), ['deploy/bootstrap.sh', 'start', ...args], {
      cwd: this.home,
      env: { PATH: this.bin, CALLS: this.#calls, TMPDIR: this.folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async run(...args: readonly string[]): Promise<BootstrapResult> {
    return this.end(this.start(...args));
  }

  /** Waits for the end of a started bootstrap. */
  async end(child: ChildProcess): Promise<BootstrapResult> {
    let [output, errors] = ['', ''];
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, output, errors, calls: this.calls() };
  }

  calls(): readonly string[] {
    if (!existsSync(this.#calls)) return [];
    return readFileSync(this.#calls, 'utf8').trimEnd().split('\n');
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}

function find(tool: string): string {
  const folder = [...(process.env['PATH'] ?? '').split(':'), '/usr/bin', dirname(process.execPath)].find(
    (place) => existsSync(join(place, tool)),
  );
  if (folder === undefined) throw new Error(`${tool} is not in PATH`);
  return join(folder, tool);
}
