import { beforeEach, expect, test } from '@jest/globals';
import { MediaError } from '../../src/media/media-error.ts';
import { Recorder } from '../../src/recorder/recorder.ts';
import { aCall, anOffer, FakeFolders, FakeJournal, FakeMedia } from '../support/recorder-fakes.ts';

let media: FakeMedia;
let recorder: Recorder;

beforeEach(() => {
  media = new FakeMedia();
  recorder = new Recorder({
    media,
    journal: new FakeJournal(),
    folders: new FakeFolders(),
    now: () => 5000,
    log: () => undefined,
    minFreeBytes: 1e9,
  });
});

test('a recording tells how long its lines have been silent', async () => {
  const recording = await recorder.accept(aCall());
  media.silent = 61_000;
  expect(await recording.silentFor()).toBe(61_000);
});

test('silence is expected while everything is paused, and unknown once the media side is gone', async () => {
  const call = aCall();
  const recording = await recorder.accept(call);
  media.silent = 61_000;
  await recording.reoffer(anOffer(['inactive', 'inactive']), call.description);
  expect(await recording.silentFor()).toBe(0);
  await recording.reoffer(anOffer(['sendonly', 'sendonly']), call.description);
  media.silent = new MediaError('STOPPED', 'thread gone');
  expect(await recording.silentFor()).toBe(0);
});
