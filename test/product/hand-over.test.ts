import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { CertificateAuthority } from '../support/certificate-authority.ts';
import { CALLEE, CALLER, callTo, healthOf, ProductRoom } from '../support/product-room.ts';
import {
  eventually,
  filesBelow,
  ROOT,
  type RecorderProcess,
  type RecorderSetup,
} from '../support/recorder-process.ts';
import { awaitRecordings, run, type ToolResult } from '../support/sealed-recording.ts';
import { StampingAuthority } from '../support/stamping-authority.ts';
import { verifyFromTheDocument } from '../verify-cli/from-the-document.ts';

const room = new ProductRoom();
const authority = new StampingAuthority();
const house = new CertificateAuthority();
let setup: RecorderSetup;
let server: Server;
let recorder: RecorderProcess;
let away: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    void buffer(request).then((query) => {
      response.setHeader('content-type', 'application/timestamp-reply');
      response.end(authority.answer(query));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  away = mkdtempSync(join(tmpdir(), 'sealtape-away-'));
  setup = {
    config: {
      evidence: {
        checkpointSeconds: 1,
        keys: { warnDays: 400 },
        timestamps: [{ name: 'bund', url: `http://127.0.0.1:${port}`, ca: authority.ca }],
      },
    },
  };
  recorder = await room.start(setup);
  for (const [caller, callee] of [
    ['+49301234567', '+4989555010'],
    ['105', '+4989555010'],
    ['105', '106'],
  ] as const)
    await callTo(recorder, {
      caller: { number: caller, law: 'PCMA', audio: CALLER },
      callee: { number: callee, law: 'PCMA', audio: CALLEE },
    });
  await awaitRecordings(recorder.archive, 3, 60_000);
}, 120_000);

afterAll(async () => {
  await room.close();
  server.close();
  authority.close();
  house.remove();
  rmSync(away, { recursive: true });
});

function sealtape(...args: readonly string[]): Promise<ToolResult> {
  const cli = [join(ROOT, 'dist/src/cli.js'), ...args, '--config', join(recorder.dataDir, 'config.yaml')];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, cli, (_, stdout, stderr) => {
      resolve({ status: child.exitCode, output: stdout + stderr });
    });
  });
}

const CHECKS = {
  dash: ['dash', 'verify.sh'],
  busybox: ['busybox', 'sh', 'verify.sh'],
  node: [process.execPath, 'sealtape-verify/verify-cli/main.js'],
} as const;

/** Checks a bundle with nothing but what is in it. */
const checks = (bundle: string, ...programs: readonly (keyof typeof CHECKS)[]): readonly ToolResult[] =>
  programs.map((program) => {
    const [command, ...words] = CHECKS[program];
    return run(command, [...words, 'recordings'], bundle);
  });

test('calls of a number are handed over in a folder that proves itself, and the log says so', async () => {
  const out = join(away, 'for the court');
  const done = await sealtape('export', '--number', '089555010', '--out', out, '--purpose', 'court-order');
  expect(done).toMatchObject({ status: 0, output: expect.stringContaining('2 recordings') });
  const bundle = join(away, 'usb stick');
  cpSync(out, bundle, { recursive: true });
  const files = filesBelow(bundle);
  expect(files.filter((file) => /^recordings\/[^/]+\.wav$/.test(file))).toHaveLength(2);
  for (const name of ['ANLEITUNG.txt', 'INSTRUCTIONS.txt'])
    expect(readFileSync(join(bundle, name), 'utf8')).toContain('_+4989555010_');
  for (const { status, output } of checks(bundle, 'dash', 'busybox', 'node')) {
    expect([output, status]).toEqual([expect.stringContaining('Result: INTACT'), 0]);
    expect(output).toMatch(/not (?:shown|here)/i);
  }
  await eventually(() => {
    const log = filesBelow(recorder.archive).find((file) => file.endsWith('entries/000/000000.txt')) ?? '';
    const entries = readFileSync(join(recorder.archive, log), 'latin1');
    return entries.match(/kind export\nactor-hash sha256:[0-9a-f]{64}\npurpose-code court-order\n/g)
      ?.length === 2
      ? true
      : undefined;
  }, 30_000);
}, 120_000);

test('one octet changed in a bundle is found by every program in it', async () => {
  const out = join(away, 'changed');
  expect(await sealtape('export', '--recording', await firstName(), '--out', out)).toMatchObject({
    status: 0,
  });
  // Of a proof the hashes are meant: its signature stands in the checkpoint too.
  for (const [pattern, at] of [
    [/_info\.txt$/, 200],
    [/_entry\.txt$/, 200],
    [/\.tlog-proof$/, 40],
    [/checkpoint\/\d+\.txt$/, 60],
  ] as const) {
    const file = join(out, filesBelow(out).find((name) => pattern.test(name)) ?? '');
    const before = readFileSync(file);
    const changed = Buffer.from(before);
    changed[at] = (changed[at] ?? 0) ^ 1;
    writeFileSync(file, changed);
    const statuses = checks(out, 'dash', 'node').map(({ status }) => status);
    expect([String(pattern), ...statuses]).toEqual([String(pattern), 1, 1]);
    writeFileSync(file, before);
  }
}, 120_000);

test('in a ZIP file as well, with the time stamp that proves when it existed at the latest', async () => {
  const zip = join(away, 'bundle.zip');
  await eventually(
    () => (filesBelow(recorder.archive).some((file) => file.endsWith('.tsr')) ? true : undefined),
    30_000,
  );
  expect(await sealtape('export', '--from', '2020-01-01', '--out', zip)).toMatchObject({ status: 0 });
  const bundle = join(away, 'unzipped');
  expect(run('unzip', ['-q', zip, '-d', bundle]).status).toBe(0);
  const shell = run('dash', ['verify.sh', 'recordings', '-', authority.ca], bundle);
  expect(shell).toMatchObject({ status: 0, output: expect.stringContaining('Recordings   3 examined') });
  const node = run(
    process.execPath,
    ['sealtape-verify/verify-cli/main.js', 'recordings', '--tsa-ca', authority.ca],
    bundle,
  );
  expect(node).toMatchObject({ status: 0 });
}, 120_000);

test('what cannot be handed over is said, and nothing is left behind', async () => {
  const out = join(away, 'nothing.zip');
  const unknown = await sealtape('export', '--recording', 'nobody', '--out', out);
  expect(unknown).toMatchObject({
    status: 1,
    output: expect.stringContaining('No recording is known as nobody'),
  });
  expect(await sealtape('export', '--out', out)).toMatchObject({
    status: 1,
    output: expect.stringContaining('name recordings'),
  });
  expect(await sealtape('export', '--number', '1')).toMatchObject({ status: 2 });
  expect(filesBelow(away)).not.toContain('nothing.zip');
  expect(await sealtape('export', '--number', '105', '--out', recorder.archive)).toMatchObject({
    status: 2,
    output: expect.stringContaining('is not empty'),
  });
}, 60_000);

test("the company's authority, the first certificate behind a key roll, and recordings of an epoch that a lost key ended", async () => {
  const [self = ''] = filesBelow(recorder.archive).filter((file) => /\/cert-[0-9a-f]+\.pem$/.test(file));
  const paper = join(away, 'paper.pem');
  cpSync(join(recorder.archive, self), paper);
  await certify();
  const certified = join(away, 'certified');
  expect(await sealtape('export', '--recording', await firstName(), '--out', certified)).toMatchObject({
    status: 0,
  });
  expectTrusted(certified, house.root, 'L2 shown      signed as the given authority certifies: 1 of 1');
  await eventually(
    () =>
      filesBelow(recorder.archive).filter((file) => /\/ca\/[0-9a-f]{16}\.pem$/.test(file))[1]
        ? true
        : undefined,
    30_000,
  );

  // What the authority gave is good for a year; until the roll brings another, its end is announced.
  const ending = async (): Promise<true | undefined> =>
    (await healthOf(recorder)).alarms.some(({ code }) => code === 'certificate-expiring') ? true : undefined;
  await eventually(ending, 20_000);
  expect(await sealtape('keys', 'roll')).toMatchObject({ status: 0 });
  await callTo(recorder, {
    caller: { number: '777', law: 'PCMA', audio: CALLER },
    callee: { number: '106', law: 'PCMA', audio: CALLEE },
  });
  await awaitRecordings(recorder.archive, 4, 30_000);
  const rolled = join(away, 'rolled');
  expect(await sealtape('export', '--number', '777', '--out', rolled)).toMatchObject({ status: 0 });
  for (const certificate of [paper, house.root])
    expectTrusted(rolled, certificate, 'L3 shown      contained in the log: 1 of 1');

  expect(await recorder.stop()).toBe(0);
  expect(await sealtape('keys', 'reset', '--yes')).toMatchObject({ status: 0 });
  recorder = await room.start({ ...setup, dataDir: recorder.dataDir });
  await callTo(recorder, {
    caller: { number: '888', law: 'PCMA', audio: CALLER },
    callee: { number: '106', law: 'PCMA', audio: CALLEE },
  });
  await awaitRecordings(recorder.archive, 5, 30_000);
  const former = join(away, 'of the former epoch');
  expect(await sealtape('export', '--number', '105', '--out', former)).toMatchObject({ status: 0 });
  expectTrusted(former, house.root, 'L3 shown      contained in the log: 2 of 2');
  const both = join(away, 'of both epochs');
  expect(await sealtape('export', '--from', '2020-01-01', '--out', both)).toMatchObject({ status: 0 });
  const epochs = filesBelow(both).filter((file) => file.endsWith('/genesis.txt'));
  expect(epochs.map((file) => /_(e\d)\//.exec(file)?.[1]).sort()).toEqual(['e1', 'e2']);
  // Who trusts the first key alone has no reason to trust the one that came after it was lost.
  const alone = run(
    process.execPath,
    ['sealtape-verify/verify-cli/main.js', 'recordings', '--cert', paper],
    both,
  );
  expect(alone).toMatchObject({ status: 1, output: expect.stringContaining('KEY_UNTRUSTED') });
  const shown = await sealtape('keys', 'show');
  const print = /SHA-256 ([0-9A-F:]{95})/.exec(shown.output)?.[1]?.replaceAll(':', '').toLowerCase() ?? '?';
  const second = filesBelow(both).find((file) => file.includes(`cert-${print.slice(0, 16)}.pem`)) ?? '?';
  writeFileSync(paper, readFileSync(join(both, second)), { flag: 'a' });
  expectTrusted(both, paper, 'L3 shown      contained in the log: 5 of 5');
  // The room knows a recorder by its folder, and another one had it before.
  expect(await recorder.stop()).toBe(0);
  // The archive behind it: two epochs, three keys. A verifier of somebody else agrees.
  expect(verifyFromTheDocument(recorder.archive)).toEqual([]);
}, 240_000);

/** Has the key in use certified by the company's authority, as its people would. */
async function certify(): Promise<void> {
  const request = await sealtape('keys', 'csr', '--subject', 'Bank recorder 1');
  expect(request.status).toBe(0);
  const now = (days: number): string =>
    new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '');
  const certificate = join(away, 'from the authority.pem');
  const issued = house.issue(request.output, { from: now(-1), to: now(365) });
  writeFileSync(
    certificate,
    issued + readFileSync(house.issuing, 'latin1') + readFileSync(house.root, 'latin1'),
  );
  expect(await sealtape('keys', 'import', certificate)).toMatchObject({
    status: 0,
    output: expect.stringMatching(/issuer +.*House CA issuing/),
  });
}

/** The bundle has all that leads from the given certificate to each of its recordings. */
function expectTrusted(bundle: string, certificate: string, level: string): void {
  const words = { busybox: [], node: ['--cert'] };
  for (const program of ['busybox', 'node'] as const) {
    const [command, ...first] = CHECKS[program];
    const { status, output } = run(command, [...first, 'recordings', ...words[program], certificate], bundle);
    expect([output, status]).toEqual([expect.stringMatching(/Result: INTACT/), 0]);
    if (program === 'node') expect(output).toContain(level);
  }
}

const firstName = async (): Promise<string> => (await awaitRecordings(recorder.archive, 3))[0]?.name ?? '';
