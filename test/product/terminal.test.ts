import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callToBeCutOff, expectIntact } from '../support/product-room.ts';
import { eventually, ROOT } from '../support/recorder-process.ts';
import { recordingsIn } from '../support/sealed-recording.ts';

const CTRL_C = '\u0003';

let folder: string;
let terminal: ChildProcess;
let shown: string;

/** A recorder whose standard streams are a terminal's. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-terminal-'));
  const config = join(folder, 'config.yaml');
  writeFileSync(
    config,
    [
      'dataDir: .',
      'sip: { listen: ["udp://127.0.0.1:0"] }',
      'web: { listen: "127.0.0.1:0" }',
      'media: { ports: "32000-32099" }',
      'destinations: [{ name: archive, kind: path, root: ./archive }]',
    ].join('\n'),
  );
  const program = `exec '${process.execPath}' '${join(ROOT, 'dist/src/main.js')}' --config '${config}'`;
  terminal = spawn('script', ['-qefc', program, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  shown = '';
  terminal.stdout?.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  await shows('sealtape-verify');
});

afterEach(async () => {
  if (terminal.exitCode === null && terminal.signalCode === null) {
    const exit = once(terminal, 'exit');
    terminal.stdin?.write(CTRL_C);
    await exit;
  }
  rmSync(folder, { recursive: true });
});

const shows = (text: string): Promise<true> =>
  eventually(() => (shown.includes(text) ? true : undefined), 15_000);

test('a terminal shows the banner and nothing else while all is well', () => {
  const lines = shown.trimEnd().split(/\r?\n/);
  expect(lines[0]).toMatch(/^Sealtape \S+ is ready to record\.$/);
  expect(lines).toHaveLength(7);
});

test('one Ctrl-C, which under npm comes twice, ends calls, recorder and Redis in good order', async () => {
  await callToBeCutOff({ udpPort: Number(/udp:\/\/127\.0\.0\.1:(\d+)/.exec(shown)?.[1]) });
  const redis = Number(readFileSync(join(folder, 'redis/redis.pid'), 'utf8'));
  terminal.stdin?.write(CTRL_C);
  await shows('is stopping (SIGINT)');
  terminal.stdin?.write(CTRL_C);
  expect(await once(terminal, 'exit')).toEqual([0, null]);
  expect(shown).not.toContain('redis-server will be restarted');
  expect(() => process.kill(redis, 0)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
  expect(recordingsIn(join(folder, 'archive'))).toHaveLength(1);
  expectIntact(join(folder, 'archive'));
});
