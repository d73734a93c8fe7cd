import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { parseConfig } from '../../src/config.ts';
import { Recorder } from '../../src/recorder/recorder.ts';
import { Alarms } from '../../src/service/alarms.ts';
import { openResumption, type Resumption } from '../../src/service/resumption.ts';
import { ShutdownList } from '../../src/service/shutdown-list.ts';
import type { SipRequest } from '../../src/sip/drachtio.ts';
import { openDialogBook } from '../../src/store/dialog-book.ts';
import { FakeFolders, FakeJournal, FakeMedia } from '../support/recorder-fakes.ts';

let dataDir: string;
let journal: FakeJournal;
let closing: ShutdownList;

const quiet = (): void => undefined;
const line = (id: string, state: unknown): string => `${JSON.stringify({ id, state })}\n`;
const SIGNALLING = { callId: 'old@pbx', fromTag: 'theirs', toTag: 'ours' };
const LEFT = { version: 1, recording: 'rec-old', signalling: SIGNALLING };

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'resumption-'));
  journal = new FakeJournal();
  closing = new ShutdownList(quiet);
});

afterEach(async () => {
  await closing.run();
  rmSync(dataDir, { recursive: true });
});

const book = (): string => readFileSync(join(dataDir, 'dialogs.jsonl'), 'utf8');

/** What the next start would find. */
async function left(): Promise<readonly unknown[]> {
  const { book: opened, left: found } = await openDialogBook(dataDir, { log: quiet });
  await opened.close();
  return [...found];
}

function open(away: number, resume: object = {}): Promise<Resumption> {
  const recorder = new Recorder({
    media: new FakeMedia(),
    journal,
    folders: new FakeFolders(),
    now: Date.now,
    log: quiet,
    minFreeBytes: 0,
  });
  return openResumption(parseConfig({ dataDir, sip: { resume } }, { source: 'test', folder: dataDir }), {
    ground: { lastAlive: Date.now() - away },
    recorder,
    dtlsFingerprint: undefined,
    bell: new Alarms(quiet),
    closing,
    log: quiet,
  });
}

const bye = (from: string): SipRequest =>
  ({ get: (name: string) => (name === 'from' ? from : 'old@pbx') }) as unknown as SipRequest;

test('a call that is too old is known by its ids over two starts; its BYE is a step of the recording it ends', async () => {
  writeFileSync(join(dataDir, 'dialogs.jsonl'), line('old@pbx;from-tag=theirs', LEFT));
  const first = await open(3_600_000);
  expect([first.calls, first.dialogs]).toEqual([[], []]);
  expect(first.former?.calls).toMatchObject([{ ...SIGNALLING, recording: 'rec-old' }]);
  await closing.run();
  expect(book()).not.toContain('"signalling"');

  // The next start comes soon; the call is no younger for that.
  const { former } = await open(1000);
  expect(former?.calls).toMatchObject([SIGNALLING]);
  expect(former?.end(bye('<sip:a@pbx>;tag=other'))).toBe(false);
  expect(former?.end(bye('"a;tag=x" <sip:a@pbx>;tag=theirs'))).toBe(true);
  await turn();
  expect(journal.events).toMatchObject([{ type: 'noted', recording: 'rec-old', step: 'call over' }]);
  expect(former?.end(bye('<sip:a@pbx>;tag=theirs'))).toBe(false);
  await closing.run();
  expect(await left()).toEqual([]);
});

test('nothing is kept of what nobody can make out', async () => {
  writeFileSync(join(dataDir, 'dialogs.jsonl'), line('x', { version: 7 }));
  const { former } = await open(1000);
  expect(former?.calls).toEqual([]);
  await closing.run();
  expect(await left()).toEqual([]);
});

test('with sip.resume.seconds: 0 no call is kept or taken up', async () => {
  writeFileSync(join(dataDir, 'dialogs.jsonl'), line('old@pbx;from-tag=theirs', LEFT));
  const { book: none, former } = await open(1000, { seconds: 0 });
  expect([none, former]).toEqual([undefined, undefined]);
});
