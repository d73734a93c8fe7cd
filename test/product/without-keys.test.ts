import { afterEach, expect, test } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  awaitRecording,
  callTo,
  entriesIn,
  entryTypes,
  expectIntact,
  healthOf,
  optionsAnswer,
  ProductRoom,
} from '../support/product-room.ts';
import { ROOT, type RecorderProcess, type RecorderSetup } from '../support/recorder-process.ts';
import { recordingsIn, run, verifyNode, verifyShell, type ToolResult } from '../support/sealed-recording.ts';

const room = new ProductRoom();
afterEach(() => room.close());

const CLI = join(ROOT, 'dist/src/cli.js');

const keyFile = ({ dataDir }: Pick<RecorderProcess, 'dataDir'>): string =>
  join(dataDir, 'keys', 'current', 'signing-key.pem');

const keys = ({ dataDir }: Pick<RecorderProcess, 'dataDir'>, ...args: readonly string[]): ToolResult =>
  run(process.execPath, [CLI, 'keys', ...args, '--config', 'config.yaml'], dataDir, {
    CREDENTIALS_DIRECTORY: join(dataDir, 'credentials'),
  });

/** Starts recorders on a data directory with a passphrase, as a file and as systemd gives it. */
function setupWith(
  evidence: Readonly<Record<string, unknown>>,
): RecorderSetup & { readonly dataDir: string } {
  const dataDir = mkdtempSync(join(tmpdir(), 'sealtape-keys-'));
  const credentials = join(dataDir, 'credentials');
  mkdirSync(credentials);
  writeFileSync(join(credentials, 'key'), 'the passphrase of the test\n', { mode: 0o400 });
  return { dataDir, env: { CREDENTIALS_DIRECTORY: credentials }, config: { evidence } };
}

/** A recorder with one recording that is stopped, and a copy of its keys. */
async function recordAndStop(
  setup: RecorderSetup,
): Promise<{ readonly first: RecorderProcess; readonly copy: readonly string[] }> {
  const first = await room.start(setup);
  expect(existsSync(join(first.dataDir, 'key-credential'))).toBe(false);
  expect(readFileSync(keyFile(first), 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
  await awaitRecording(first.archive, await callTo(first));
  const password = join(first.dataDir, 'password');
  writeFileSync(password, 'a password of the test\n');
  const copy = [join(first.dataDir, 'keys.p12'), '--password-file', password];
  expect(keys(first, 'export', '--out', ...copy)).toMatchObject({ status: 0 });
  // Keys that are in use are not given up by mistake.
  const reset = keys(first, 'reset', '--yes');
  expect(reset).toMatchObject({ status: 1, output: expect.stringContaining('stop it first') });
  expect(await first.stop()).toBe(0);
  return { first, copy };
}

test('with a damaged key the recorder starts, calls get 503 and the reason, and what was refused is in the log once the key is restored', async () => {
  const setup = setupWith({ keys: { passphraseFile: 'credential:key' } });
  const { first, copy } = await recordAndStop(setup);
  writeFileSync(keyFile(first), readFileSync(keyFile(first)).subarray(0, 900));

  const second = await room.start(setup);
  expect(second.output().banner).toContain(`TAKES NO CALLS: ${keyFile(second)} is damaged`);
  const answer = await optionsAnswer(second.udpPort);
  expect(answer).toMatch(/^SIP\/2\.0 503 /);
  expect(answer).toMatch(/^Warning: 399 \S+ "signing keys missing"\r$/m);
  await expect(callTo(second)).rejects.toMatchObject({ code: 'REFUSED', status: 503 });
  const health = await healthOf(second);
  expect(health).toMatchObject({
    recording: false,
    parts: {
      keys: { ok: false, detail: expect.stringContaining(keyFile(second)) },
      database: { ok: true },
      spool: { ok: true },
    },
    alarms: [{ code: 'keys-missing', severity: 'critical', text: expect.stringContaining('are refused') }],
  });

  expect(keys(second, 'restore', ...copy)).toMatchObject({ status: 0 });
  await awaitRecording(second.archive, await callTo(second));
  expect((await healthOf(second)).alarms).toEqual([]);
  expect(await second.stop()).toBe(0);
  expectIntact(second.archive);
  expect(entryTypes(second.archive)).toContain('refused');
  const outages = entriesIn(second.archive).filter((entry) => entry.get('type') === 'outage');
  expect(outages.map((entry) => entry.get('cause'))).toEqual(['stop', 'keys']);
}, 120_000);

test('with withoutKeys: record calls are recorded, sealed in a new epoch when the lost keys are given up, and say that they were unsigned', async () => {
  const keysIn = { passphraseFile: 'credentials/key' };
  const setup = setupWith({ keys: keysIn, withoutKeys: 'record' });
  const { first } = await recordAndStop(setup);
  rmSync(keyFile(first));

  const second = await room.start(setup);
  expect(second.output().banner).toContain(`records UNSIGNED: ${keyFile(second)} is missing`);
  expect(await optionsAnswer(second.udpPort)).toMatch(/^SIP\/2\.0 200 /);
  const unsigned = await callTo(second);
  expect(await healthOf(second)).toMatchObject({
    recording: true,
    parts: { keys: { ok: false }, database: { ok: true } },
    alarms: [{ code: 'keys-missing', text: expect.stringContaining('recorded unsigned') }],
  });
  expect(recordingsIn(second.archive)).toHaveLength(1);

  expect(keys(second, 'reset', '--yes')).toMatchObject({ status: 0 });
  const { info } = await awaitRecording(second.archive, unsigned);
  expect(info.get('Recorded-Without-Keys')).toMatch(/^keys missing since \d{4}-\S+Z; sealed \d{4}-\S+Z$/);
  expect(info.get('Log-Origin')).toMatch(/\/e2$/);
  const signed = await awaitRecording(second.archive, await callTo(second));
  expect(signed.info.has('Recorded-Without-Keys')).toBe(false);
  expect(await second.stop()).toBe(0);
  expectIntact(second.archive);
  for (const { output } of [verifyNode(second.archive), verifyShell(['dash'], second.archive)])
    expect(output).toMatch(/^note .*: was recorded while nothing could be signed: keys missing since /m);
}, 120_000);
