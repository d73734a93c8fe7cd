import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CapturedFile } from '../../src/media/capture.ts';
import type { OfferedCall } from '../../src/recorder/call.ts';
import { MediaError } from '../../src/media/media-error.ts';
import { PAIR_WITHIN } from '../../src/recorder/paired-halves.ts';
import { Recorder } from '../../src/recorder/recorder.ts';
import {
  aCall,
  aDescription,
  anOffer,
  FakeFolders,
  FakeJournal,
  FakeMedia,
} from '../support/recorder-fakes.ts';

let media: FakeMedia;
let journal: FakeJournal;
let clock: number;
let recorder: Recorder;

beforeEach(() => {
  media = new FakeMedia();
  media.result = { files: [{} as CapturedFile], legs: [] };
  journal = new FakeJournal();
  clock = 5000;
  const folders = new FakeFolders();
  recorder = new Recorder({
    media,
    journal,
    folders,
    now: () => clock,
    log: () => undefined,
    minFreeBytes: 1e9,
  });
});

const half = (side: 'near' | 'far', key = 'c/1 c/2', callId: string = side): OfferedCall =>
  aCall({
    offer: anOffer(['sendonly']),
    description: aDescription({ pair: { side, key } }),
    facts: { ...aCall().facts, callId },
  });

describe('CUCM built-in bridge (interop 4.6): near and far end in two dialogs', () => {
  test('become one recording with the near end left and the far end right, each dialog with a port of its own', async () => {
    const near = await recorder.accept(half('near'));
    clock += PAIR_WITHIN - 1;
    const far = await recorder.accept(half('far'));
    expect(far.id).toBe(near.id);
    expect(media.opened).toHaveLength(1);
    expect(media.opened[0]?.lines.map(({ line, role }) => [line, role])).toEqual([
      [0, 'caller'],
      [1, 'callee'],
    ]);
    expect([[...near.ports], [...far.ports]]).toEqual([[[0, 20_000]], [[0, 20_002]]]);
  });

  test('come in the same moment as a rule: the second finds the first, whose ports are still being opened', async () => {
    const [near, far] = await Promise.all([recorder.accept(half('near')), recorder.accept(half('far'))]);
    expect(far.id).toBe(near.id);
    expect(media.opened).toHaveLength(1);
    const others = await Promise.all([recorder.accept(half('near', 'd/1 d/2')), recorder.accept(aCall())]);
    expect(new Set([near.id, ...others.map(({ id }) => id)]).size).toBe(3);
  });

  test('do not wait for a first one that could not be opened: the second is taken all the same', async () => {
    media.openError = new MediaError('NO_PORTS', 'none left');
    const near = recorder.accept(half('near'));
    const gone = near.catch(() => {
      media.openError = undefined;
    });
    const far = recorder.accept(half('far'));
    await gone;
    await expect(near).rejects.toMatchObject({ code: 'NO_PORTS' });
    expect([...(await far).ports]).toEqual([[0, 20_000]]);
  });

  test('the far end may come first and is still on the right', async () => {
    await recorder.accept(half('far'));
    await recorder.accept(half('near'));
    expect(media.opened).toHaveLength(1);
    expect(media.opened[0]?.lines.map(({ role }) => role)).toEqual(['callee', 'caller']);
  });

  test('the recording ends with the second BYE, once', async () => {
    const near = await recorder.accept(half('near'));
    const far = await recorder.accept(half('far'));
    await near.end('bye');
    await near.end('bye');
    expect(media.closed).toEqual([]);
    await far.end('bye');
    expect(media.closed).toEqual([near.id]);
    expect(journal.events.at(-1)).toMatchObject({ type: 'ended', reason: 'bye' });
  });

  test('a hold of one end pauses its channel only', async () => {
    const near = await recorder.accept(half('near'));
    const far = await recorder.accept(half('far'));
    const ports = await far.reoffer(anOffer(['inactive']), aDescription());
    expect([...ports]).toEqual([[0, 20_002]]);
    expect(media.changed[0]?.lines).toMatchObject([{ line: 1, role: 'callee', active: false }]);
    expect(near.ports.get(0)).toBe(20_000);
  });

  test.each<[string, () => OfferedCall | Promise<OfferedCall>]>([
    ['later than five seconds', () => ((clock += PAIR_WITHIN + 1), half('far'))],
    ['of another call', () => half('far', 'c/3 c/4')],
    ['of the same side', () => half('near')],
  ])('a half %s is a recording of its own', async (_name, other) => {
    const first = await recorder.accept(half('near'));
    const second = await recorder.accept(await other());
    expect(second.id).not.toBe(first.id);
    expect(media.opened).toHaveLength(2);
  });

  test('halves that do not find each other become two linked mono recordings, never a channel that nobody speaks on', async () => {
    const first = await recorder.accept(half('near'));
    clock += PAIR_WITHIN + 1;
    const second = await recorder.accept(half('far'));
    await first.end('bye');
    await second.end('bye');
    expect(media.changed.map(({ id, lines, gone }) => [id, lines.map(({ role }) => role), gone])).toEqual([
      [first.id, ['caller'], [1]],
      [second.id, ['callee'], [1]],
    ]);
    expect([...first.ports]).toEqual([[0, 20_000]]);
    const steps = journal.events.flatMap((event) => (event.type === 'noted' ? [event.step] : []));
    expect(steps).toEqual(['other half missing', 'other half missing']);
    expect(media.closed).toEqual([first.id, second.id]);
  });

  test('a half that was alone goes on alone: its re-offers are of its line, and no late half joins it', async () => {
    const first = await recorder.accept(half('far'));
    clock += PAIR_WITHIN + 1;
    await recorder.accept(half('near', 'c/9 c/9'));
    const ports = await first.reoffer(anOffer(['sendonly']), aDescription());
    expect([...ports]).toEqual([[0, 20_000]]);
    expect(media.changed.map(({ lines, gone }) => [lines.map(({ line }) => line), gone])).toEqual([
      [[0], [1]],
      [[0], undefined],
    ]);
    expect((await recorder.accept(half('near'))).id).not.toBe(first.id);
  });

  test('a half that comes when the first has hung up is a recording of its own', async () => {
    const first = await recorder.accept(half('near'));
    await first.end('bye');
    expect((await recorder.accept(half('far'))).id).not.toBe(first.id);
  });
});
