import { afterEach, expect, test } from '@jest/globals';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  awaitRecording,
  callTo,
  callToBeCutOff,
  expectIntact,
  healthOf,
  ProductRoom,
  spoolOf,
} from '../support/product-room.ts';
import { eventually, type RecorderSetup } from '../support/recorder-process.ts';
import { awaitRecordings, recordingsIn, verifyNode } from '../support/sealed-recording.ts';

const room = new ProductRoom();
let folder: string | undefined;

afterEach(async () => {
  await room.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

const genesisOf = (archive: string, epoch: number): string =>
  readFileSync(
    join(
      archive,
      'evidence',
      readdirSync(join(archive, 'evidence')).find((slug) => slug.endsWith(`_e${epoch}`)) ?? '?',
      'genesis.txt',
    ),
    'utf8',
  );

test('an older copy of the data directory goes on in a new epoch, loudly, and seals nothing a second time', async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-restore-'));
  const archive = join(folder, 'archive');
  mkdirSync(archive);
  const config = { destinations: [{ name: 'archive', kind: 'path', root: archive }] };
  const first = await room.start({ config });
  const setup: RecorderSetup = { dataDir: first.dataDir, config };
  await awaitRecording(archive, await callTo(first), 30_000);
  await callToBeCutOff(first);
  await first.kill();
  // The backup has a call that was not over.
  const backup = join(folder, 'backup');
  cpSync(first.dataDir, backup, { recursive: true, filter: (path) => !path.includes('/redis') });

  const second = await room.start(setup);
  await awaitRecordings(archive, 2, 30_000);
  await awaitRecording(archive, await callTo(second), 30_000);
  expect(await second.stop()).toBe(0);
  const before = recordingsIn(archive).map(({ name, info }) => `${name} ${info.get('Nonce') ?? '?'}`);

  rmSync(first.dataDir, { recursive: true });
  cpSync(backup, first.dataDir, { recursive: true });
  const third = await room.start(setup);
  const alarms = await (await fetch(`${third.web}/metrics`)).text();
  expect(alarms).toMatch(/^sealtape_alarms\{code="log-rolled-back",severity="critical"\} 1$/m);
  const health = await healthOf(third);
  expect(health).toMatchObject({
    recording: true,
    alarms: [{ code: 'log-rolled-back', severity: 'critical' }],
  });
  const report = await callTo(third);
  expect((await awaitRecording(archive, report, 30_000)).info.get('Log-Origin')).toMatch(/\/e2$/);
  await eventually(() => (spoolOf(third).length === 0 ? true : undefined), 30_000);
  expect(third.output().log).toContain('was taken up from an archive');
  expect(await third.stop()).toBe(0);

  const after = recordingsIn(archive).map(({ name, info }) => `${name} ${info.get('Nonce') ?? '?'}`);
  expect(after).toHaveLength(4);
  expect(after).toEqual(expect.arrayContaining(before));
  expect(genesisOf(archive, 2)).toMatch(/^predecessor \S+\/e1 [1-9]\d* \S+\nreason recovery$/m);
  expectIntact(archive);
  expect(verifyNode(archive).output).toMatch(/a new epoch began \(recovery\)/);
}, 120_000);
