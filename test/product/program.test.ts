import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placeCall } from '../../src/client/call.ts';
import { CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { filesBelow, ROOT, startRecorder, type RecorderProcess } from '../support/recorder-process.ts';
import { run, verifyNode } from '../support/sealed-recording.ts';

const MAIN = join(ROOT, 'dist/src/main.js');
const CLI = join(ROOT, 'dist/src/cli.js');

/** In a folder where no recorder ever was. */
function sealtape(...args: readonly string[]) {
  const cwd = mkdtempSync(join(tmpdir(), 'sealtape-commands-'));
  try {
    return spawnSync(process.execPath, [CLI, ...args], { cwd, encoding: 'utf8' });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

describe('the program', () => {
  test.each([
    ['--check-config without a file', ['--check-config'], 0, 'valid'],
    ['--version', ['--version'], 0, /^\d+\.\d+\.\d+/],
    ['--help', ['--help'], 0, '--config FILE'],
    ['an unknown option', ['--colour'], 2, '--colour'],
    ['a file that is not there', ['--config', '/nowhere.yaml'], 2, '/nowhere.yaml: there is no such file'],
  ])('answers %s', (_name, args, status, text) => {
    const result = run(process.execPath, [MAIN, ...args], tmpdir());
    expect(result.status).toBe(status);
    expect(result.output).toMatch(text);
    expect(result.output).not.toMatch(/^\s+at /m);
  });

  test.each(['announcements', 'call', 'export', 'keys', 'rules', 'status', 'token', 'trace'])(
    'explains its command %s',
    (command) => {
      const { status, stdout, stderr } = sealtape(command, '--help');
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(new RegExp(`^sealtape ${command}\\b`));
    },
  );

  test.each([
    [['token'], 1, 'has none yet'],
    [['status'], 1, 'has no admin token'],
    [['rules', 'show'], 1, 'has no admin token'],
    [['keys', 'csr', '--out', 'request.pem', '--no-such'], 2, 'no-such'],
    [['trace'], 2, 'sealtape trace'],
    [['destinations', 'test', 'nas'], 2, 'none named nas'],
    [['no-such'], 2, 'unknown command no-such'],
  ])('says what went wrong with %j where $(…) and > FILE do not take it', (args, status, text) => {
    const done = sealtape(...args);
    expect([done.status, done.stdout]).toEqual([status, '']);
    expect(done.stderr).toContain(text);
  });

  test('names every fault of a configuration', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealtape-program-'));
    const file = join(folder, 'bad.yaml');
    writeFileSync(file, 'timeZone: Mars\ntrunks: [{ name: x, from: [nowhere] }]\n');
    const result = run(process.execPath, [MAIN, '--config', file, '--check-config'], folder);
    rmSync(folder, { recursive: true });
    expect(result.status).toBe(2);
    expect(result.output).toContain('trunks[0].from[0]: not a network');
    expect(result.output).toContain('timeZone: not a time zone');
  });
});

describe('a running recorder', () => {
  let recorder: RecorderProcess;

  beforeAll(async () => {
    recorder = await startRecorder({
      config: { trunks: [{ name: 'pbx', from: ['127.0.0.1'] }] },
    });
  });

  afterAll(async () => {
    await recorder.kill();
    rmSync(recorder.dataDir, { recursive: true });
  });

  test('says in at most ten lines where it is', () => {
    const { banner } = recorder.output();
    expect(banner.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
    expect(banner).toContain(`udp://127.0.0.1:${recorder.udpPort}`);
    expect(banner).toContain(recorder.archive);
    expect(banner).toMatch(/SHA-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}/);
  });

  test('does not share its data directory, nor its ports, and says so without a stack', async () => {
    const same = await startRecorder({ dataDir: recorder.dataDir }).catch(String);
    expect(same).toMatch(/sealtape: .*process \d+/s);
    const other = await startRecorder({
      config: { sip: { listen: [`udp://127.0.0.1:${recorder.udpPort}`] } },
    }).catch(String);
    expect(other).toContain(`127.0.0.1:${recorder.udpPort}`);
    expect(other).not.toMatch(/^\s+at .*\.js/m);
  });

  test('answers OPTIONS with 200 and what it can do, from a listed address only', async () => {
    const listed = await options(recorder.udpPort, '127.0.0.1');
    expect(listed).toMatch(/^SIP\/2\.0 200 /);
    for (const header of ['Allow', 'Accept', 'Supported'])
      expect(listed).toMatch(new RegExp(`^${header}: `, 'm'));
    expect(await options(recorder.udpPort, '127.0.0.2')).toMatch(/^SIP\/2\.0 403 /);
  });

  test('refuses a call from an address that is not listed with 403, and states it in the chain', async () => {
    const call = placeCall({
      to: `sip:127.0.0.1:${recorder.udpPort}`,
      from: '127.0.0.2',
      caller: { number: '1', law: 'PCMA', audio: speakTones(CALLER_VOICE, 1, 'PCMA') },
    });
    await expect(call).rejects.toMatchObject({ code: 'REFUSED', status: 403 });
  });

  test('shows itself on its pages', async () => {
    const health = await fetch(`${recorder.web}/healthz`);
    expect([health.status, await health.text()]).toEqual([200, expect.stringContaining('"recording":true')]);
    expect(await (await fetch(recorder.web)).text()).toContain('sealtape call');
    expect((await fetch(`${recorder.web}/queues`)).status).toBe(200);
    expect(await (await fetch(`${recorder.web}/metrics`)).text()).toContain(
      'sealtape_calls_refused_total{reason="403"} 1',
    );
  });

  test('stops with 0 and leaves a closed chain', async () => {
    expect(await recorder.stop()).toBe(0);
    const verdict = verifyNode(recorder.archive);
    expect(`${verdict.status} ${verdict.output}`).toMatch(/^0 /);
    const log = filesBelow(join(recorder.archive, 'evidence')).filter((file) => file.includes('/entries/'));
    const entries = log
      .map((file) => readFileSync(join(recorder.archive, 'evidence', file), 'utf8'))
      .join('');
    expect(entries).toContain('type refused\nreason 403\n');
    expect(entries.trimEnd()).toMatch(/type close\nnext-origin -$/);
  });

  test('starts a second time in under five seconds, with the same certificate', async () => {
    const before = /SHA-256 (\S+)/.exec(recorder.output().banner)?.[1];
    const started = performance.now();
    const again = await startRecorder({ dataDir: recorder.dataDir });
    expect(performance.now() - started).toBeLessThan(5000);
    expect(/SHA-256 (\S+)/.exec(again.output().banner)?.[1]).toBe(before);
    expect(await again.stop()).toBe(0);
  });
});

/** Sends one OPTIONS from an address and returns the answer's text. */
async function options(port: number, from: string): Promise<string> {
  const socket = createSocket('udp4');
  socket.bind(0, from);
  await once(socket, 'listening');
  const own = `${from}:${socket.address().port}`;
  const lines = [
    'OPTIONS sip:srs@127.0.0.1 SIP/2.0',
    `Via: SIP/2.0/UDP ${own};branch=z9hG4bK${Math.random().toString(36).slice(2)};rport`,
    `From: <sip:probe@${own}>;tag=1`,
    'To: <sip:srs@127.0.0.1>',
    `Call-ID: ${Math.random().toString(36).slice(2)}@probe`,
    'CSeq: 1 OPTIONS',
    'Max-Forwards: 70',
    'Content-Length: 0',
  ];
  socket.send(`${lines.join('\r\n')}\r\n\r\n`, port, '127.0.0.1');
  const [answer] = (await once(socket, 'message')) as [Buffer];
  socket.close();
  return answer.toString();
}
