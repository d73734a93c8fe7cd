import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { LONG } from '../support/long-run.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { startMailServer, type MailServer } from '../support/mail-server.ts';
import { callTo, entriesIn, expectIntact, healthOf, ProductRoom } from '../support/product-room.ts';
import { eventually, filesBelow, type RecorderProcess } from '../support/recorder-process.ts';
import { startSftpServer, type SftpServer } from '../support/sftp-server.ts';

const COUNT = 200;
/** Calls at a time, and uploads. */
const ABREAST = 8;
const PARALLEL = 4;

const room = new ProductRoom();
let sftp: SftpServer;
let mail: MailServer;

beforeEach(async () => {
  sftp = await startSftpServer();
  mail = await startMailServer();
});
afterEach(async () => {
  try {
    await room.close();
  } finally {
    await mail.close();
    await sftp.remove();
  }
});

const start = (dataDir?: string, port = sftp.port): Promise<RecorderProcess> =>
  room.start({
    ...(dataDir !== undefined && { dataDir }),
    config: {
      destinations: [
        { name: 'archive', kind: 'path', root: './archive' },
        {
          name: 'vault',
          kind: 'sftp',
          host: '127.0.0.1',
          port,
          user: 'nobody',
          privateKeyFile: sftp.privateKeyFile,
          fingerprints: [sftp.fingerprint],
          root: '/upload',
          parallel: PARALLEL,
        },
      ],
      mail: {
        host: '127.0.0.1',
        port: mail.port,
        security: 'none',
        from: 'sealtape@bank.example',
        to: ['it@bank.example'],
      },
    },
  });

async function makeCalls(recorder: RecorderProcess, count: number): Promise<void> {
  const audio = speakTones(CALLER_VOICE, 0.2, 'PCMA');
  const left = Array.from({ length: count }, (_, index) => index).values();
  const walker = async (): Promise<void> => {
    for (const index of left) {
      const report = await callTo(recorder, { caller: { number: `${1000 + index}`, law: 'PCMA', audio } });
      expect(report.outcome).toBe('completed');
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, walker));
}

const wavsIn = (folder: string): readonly string[] =>
  filesBelow(folder).filter((file) => file.endsWith('.wav') && file.startsWith('20'));
/** The ends of their names, in the order in which they were sealed. */
const sealedIn = (archive: string): readonly string[] =>
  entriesIn(archive)
    .filter((entry) => entry.get('type') === 'recording')
    .map((entry) => `_${entry.get('rec')?.slice(-8) ?? ''}.wav`);
/** In the order in which their upload began. */
const begunIn = (folder: string): readonly string[] =>
  [...wavsIn(folder)].sort(
    (one, other) =>
      Number(statSync(join(folder, one), { bigint: true }).birthtimeNs) -
      Number(statSync(join(folder, other), { bigint: true }).birthtimeNs),
  );

(LONG ? test : test.skip)(
  `${COUNT} recordings queued while an archive is away go to the others meanwhile, survive a restart, and arrive in order when it is back, with two mails`,
  async () => {
    const first = await start();
    await sftp.stop();
    await makeCalls(first, COUNT / 2);
    await eventually(() => (mail.mails.length > 0 ? true : undefined), 30_000);
    expect((await healthOf(first)).alarms).toMatchObject([{ code: 'destination-failing' }]);
    expect(await first.stop()).toBe(0);
    const second = await start(first.dataDir);
    await makeCalls(second, COUNT / 2);
    await eventually(() => (wavsIn(second.archive).length === COUNT ? true : undefined), 30_000);
    expect(wavsIn(sftp.upload)).toEqual([]);
    await sftp.start();
    await eventually(() => (wavsIn(sftp.upload).length === COUNT ? true : undefined), 120_000);
    await eventually(() => (mail.mails.length > 1 ? true : undefined), 40_000);
    expect(await second.stop()).toBe(0);

    const expected = sealedIn(second.archive);
    const begun = begunIn(sftp.upload);
    expect(begun).toHaveLength(COUNT);
    const displaced = begun.map((file, at) =>
      Math.abs(expected.findIndex((name) => file.endsWith(name)) - at),
    );
    expect(Math.max(...displaced)).toBeLessThan(PARALLEL);
    expect(mail.mails).toHaveLength(2);
    expect(mail.mails[0]).toContain('archive vault does not take recordings');
    expect(mail.mails[1]).toContain(`: ${COUNT}.`);
    expectIntact(sftp.upload);
    expectIntact(second.archive);
  },
  300_000,
);

(LONG ? test : test.skip)(
  'an archive that no longer answers in mid-transfer delays no other, and gets everything when it answers again',
  async () => {
    const proxy = await startCuttingProxy(sftp.port);
    try {
      const recorder = await start(undefined, proxy.port);
      await makeCalls(recorder, 1);
      await eventually(() => (wavsIn(sftp.upload).length === 1 ? true : undefined), 20_000);
      proxy.freeze(true);
      await makeCalls(recorder, 20);
      // No later than without the other one.
      await eventually(() => (wavsIn(recorder.archive).length === 21 ? true : undefined), 10_000);
      expect(wavsIn(sftp.upload)).toHaveLength(1);
      proxy.freeze(false);
      await eventually(() => (wavsIn(sftp.upload).length === 21 ? true : undefined), 60_000);
      expect(await recorder.stop()).toBe(0);
      expectIntact(recorder.archive);
      expectIntact(sftp.upload);
    } finally {
      await proxy.close();
    }
  },
  120_000,
);
