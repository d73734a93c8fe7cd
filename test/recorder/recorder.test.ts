import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CapturedFile } from '../../src/media/capture.ts';
import { MediaError } from '../../src/media/media-error.ts';
import { Recorder } from '../../src/recorder/recorder.ts';
import { parseSdp } from '../../src/siprec/sdp.ts';
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
let folders: FakeFolders;
let clock: number;
let recorder: Recorder;

beforeEach(() => {
  media = new FakeMedia();
  journal = new FakeJournal();
  folders = new FakeFolders();
  clock = 5000;
  recorder = new Recorder({
    media,
    journal,
    folders,
    now: () => clock,
    log: () => undefined,
    minFreeBytes: 1e9,
  });
});

const aFile: CapturedFile = {
  path: '/spool/x/audio.wav.part',
  suffix: '',
  codec: 'PCMA',
  channelLines: [0, 1],
  channelRoles: ['caller', 'callee'],
  samples: 8000,
  bytes: 16_058,
  audioSha256: 'ab'.repeat(32),
  audioOffset: 58,
};

const types = (): string[] =>
  journal.events.map((event) => (event.type === 'noted' ? event.step : event.type));

describe('accepting a call', () => {
  test('opens a port per line, caller left and callee right, and journals the opening before it answers (RTP-11)', async () => {
    const recording = await recorder.accept(aCall());
    expect(media.opened[0]?.lines).toMatchObject([
      { line: 0, role: 'caller', active: true },
      { line: 1, role: 'callee', active: true },
    ]);
    expect([...recording.ports]).toEqual([
      [0, 20_000],
      [1, 20_002],
    ]);
    expect(types()).toEqual(['opened']);
    expect(recorder.liveCount).toBe(1);
  });

  test('follows the metadata, not the order of the lines', async () => {
    await recorder.accept(aCall({ description: aDescription({ callerLine: 1, calleeLine: 0 }) }));
    expect(media.opened[0]?.lines.map(({ role }) => role)).toEqual(['callee', 'caller']);
  });

  test('takes a single line as both sides mixed', async () => {
    await recorder.accept(aCall({ offer: anOffer(['sendonly']) }));
    expect(media.opened[0]?.lines.map(({ role }) => role)).toEqual(['mixed']);
  });

  test('binds IPv6 ports for a call that came in over IPv6', async () => {
    await recorder.accept(aCall({ localAddress: '2001:db8::10' }));
    expect(media.opened[0]?.bind).toBe('::');
  });

  test('does not wait for a slow journal', async () => {
    let open: () => void = () => undefined;
    journal.gate = new Promise((resolve) => (open = resolve));
    const recording = await recorder.accept(aCall());
    expect(recording.ports.size).toBe(2);
    expect(types()).toEqual([]);
    open();
    await journal.gate;
  });

  test.each([
    ['the spool is nearly full', () => (folders.free = 5), 'NOT_READY'],
    ['the journal cannot be written', () => (journal.error = new Error('ENOSPC')), 'NOT_READY'],
    [
      'it is shutting down',
      () => {
        recorder.drain();
      },
      'NOT_READY',
    ],
    ['no port is left', () => (media.openError = new MediaError('NO_PORTS', 'none')), 'NO_PORTS'],
    ['the disk refuses the files', () => (media.openError = new MediaError('DISK', 'ENOSPC')), 'DISK'],
  ])('refuses when %s', async (_name, arrange, code) => {
    arrange();
    await expect(recorder.accept(aCall())).rejects.toMatchObject({ code });
    expect(recorder.liveCount).toBe(0);
  });

  test('a journal that refuses the opening refuses the call and leaves nothing behind', async () => {
    const accepting = recorder.accept(aCall());
    journal.error = new Error('EIO');
    await expect(accepting).rejects.toMatchObject({ code: 'DISK' });
    expect(media.closed).toHaveLength(1);
    expect(folders.discarded).toHaveLength(1);
  });
});

describe('a live recording', () => {
  test('notes hold and resume once each, and pauses the lines', async () => {
    const recording = await recorder.accept(aCall());
    await recording.reoffer(anOffer(['inactive', 'inactive']), aDescription());
    await recording.reoffer(anOffer(['inactive', 'inactive']), aDescription());
    await recording.reoffer(anOffer(), aDescription());
    expect(media.changed.map((change) => change.lines.map(({ active }) => active))).toEqual([
      [false, false],
      [false, false],
      [true, true],
    ]);
    expect(types()).toEqual(['opened', 'paused', 'marked', 'resumed', 'marked']);
  });

  test('SDP-14: marks a hold by the address 0.0.0.0, keeps the port, and goes on recording what still arrives', async () => {
    media.result = { files: [aFile], legs: [] };
    const recording = await recorder.accept(aCall());
    const held = parseSdp(
      'v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 40000 RTP/AVP 8\r\nm=audio 40002 RTP/AVP 8\r\n',
    );
    const ports = await recording.reoffer(held, aDescription());
    expect([...ports]).toEqual([...recording.ports]);
    expect(media.changed.at(-1)?.lines.map(({ active }) => active)).toEqual([true, true]);
    clock += 2000;
    await recording.reoffer(anOffer(), aDescription());
    await recording.end('bye');
    expect(types()).toEqual(['opened', 'paused', 'marked', 'resumed', 'marked', 'ended']);
    const capture = journal.events.flatMap((event) => (event.type === 'ended' ? [event.capture] : []));
    expect(capture[0]?.pauses).toEqual([{ cause: 'hold', from: 5000, to: 7000 }]);
  });

  test('is paused by an order of ours whatever the client says meanwhile, and says who wanted it (PAUSE-3)', async () => {
    media.result = { files: [aFile], legs: [] };
    const recording = await recorder.accept(aCall());
    const order = { cause: 'operator', actor: 'api:anna' } as const;
    expect(await recorder.pause(recording.id, order)).toBe(true);
    expect(await recorder.pause(recording.id, order)).toBe(false);
    await recording.reoffer(anOffer(['inactive', 'inactive']), aDescription());
    await recording.reoffer(anOffer(), aDescription());
    expect(await recording.silentFor()).toBe(0);
    expect(await recorder.resume(recording.id, order)).toBe(true);
    expect(await recorder.resume(recording.id, order)).toBe(false);
    expect(await recorder.pause('another', order)).toBeUndefined();
    expect(media.changed.map((change) => change.lines.map(({ active }) => active))).toEqual([
      [false, false],
      [false, false],
      [false, false],
      [true, true],
    ]);
    await recording.end('bye');
    const events = journal.events.filter(({ type }) => type === 'paused' || type === 'resumed');
    expect(events.map((event) => [event.type, 'cause' in event && event.cause])).toEqual([
      ['paused', 'operator'],
      ['paused', 'src'],
      ['resumed', 'src'],
      ['resumed', 'operator'],
    ]);
    const ended = journal.events.find(({ type }) => type === 'ended');
    expect(ended).toMatchObject({
      capture: {
        pauses: expect.arrayContaining([
          expect.objectContaining({ cause: 'operator', actor: 'api:anna' }),
          expect.objectContaining({ cause: 'src' }),
        ]),
      },
    });
  });

  test('a line keeps its channel when later metadata says otherwise', async () => {
    const recording = await recorder.accept(aCall());
    await recording.reoffer(anOffer(), aDescription({ callerLine: 1, calleeLine: 0 }));
    expect(media.changed[0]?.lines.map(({ role }) => role)).toEqual(['caller', 'callee']);
    expect(types()).toEqual(['opened', 'described']);
  });

  test('ends once, whoever hangs up again', async () => {
    media.result = { files: [aFile], legs: [] };
    const recording = await recorder.accept(aCall());
    await Promise.all([recording.end('bye'), recording.end('shutdown'), recording.end('bye')]);
    expect(media.closed).toEqual([recording.id]);
    expect(journal.events.at(-1)).toMatchObject({ type: 'ended', reason: 'bye', status: 'complete' });
    expect(recorder.liveCount).toBe(0);
  });

  test('without a packet it failed, and its folder goes', async () => {
    const recording = await recorder.accept(aCall());
    await recording.end('bye');
    expect(journal.events.at(-1)).toMatchObject({ type: 'failed', reason: 'no-rtp' });
    expect(folders.discarded).toEqual([recording.id]);
  });

  test('without a file ever begun has no folder that must go', async () => {
    media.result = { ...media.result, untouched: true };
    const recording = await recorder.accept(aCall());
    await recording.end('bye');
    expect(journal.events.at(-1)).toMatchObject({ type: 'failed', reason: 'no-rtp' });
    expect(folders.discarded).toEqual([]);
  });

  test('cancelled before audio is a failure of its own kind', async () => {
    const recording = await recorder.accept(aCall());
    await recording.end('cancelled');
    expect(journal.events.at(-1)).toMatchObject({ type: 'failed', reason: 'cancelled' });
  });

  test('a disk that failed in between makes it partial', async () => {
    media.result = { files: [aFile], legs: [] };
    const recording = await recorder.accept(aCall());
    media.fail(recording.id, new Error('ENOSPC'));
    await recording.end('bye');
    expect(types()).toContain('write-failed');
    expect(journal.events.at(-1)).toMatchObject({ type: 'ended', status: 'partial' });
  });

  test('when the media side died, what is on disk is taken', async () => {
    media.closeError = new MediaError('STOPPED', 'thread ended');
    const recording = await recorder.accept(aCall());
    await recording.end('bye');
    expect(journal.events.at(-1)).toMatchObject({ type: 'failed', reason: 'disk' });
  });

  test('a re-offer after the end is answered with the known ports and changes nothing', async () => {
    const recording = await recorder.accept(aCall());
    await recording.end('bye');
    expect((await recording.reoffer(anOffer(), aDescription())).size).toBe(2);
    expect(media.changed).toEqual([]);
  });
});

describe('a new communication session in the same dialog', () => {
  test('ends the recording there and begins the next on the same ports', async () => {
    media.result = { files: [aFile], legs: [] };
    const first = await recorder.accept(aCall());
    const second = await recorder.succeed(
      first,
      aCall({ description: aDescription({ callerLine: 1, calleeLine: 0 }) }),
    );
    await first.end('bye');
    expect(media.succeeded).toMatchObject([
      [first.id, { id: second.id, lines: [{ role: 'callee' }, { role: 'caller' }] }],
    ]);
    expect([...second.ports]).toEqual([...first.ports]);
    expect(journal.events).toContainEqual(expect.objectContaining({ type: 'opened', recording: second.id }));
    expect(journal.events).toContainEqual(
      expect.objectContaining({ type: 'ended', recording: first.id, reason: 'replaced', status: 'complete' }),
    );
    expect(recorder.liveCount).toBe(1);
    await second.end('bye');
    expect(recorder.liveCount).toBe(0);
  });

  test('a line the new session does not offer keeps its port and is silent', async () => {
    const first = await recorder.accept(aCall());
    await recorder.succeed(first, aCall({ offer: anOffer(['sendonly']) }));
    expect(media.succeeded[0]?.[1].lines).toMatchObject([
      { line: 0, active: true },
      { line: 1, active: false },
    ]);
  });

  test('that cannot be begun leaves the running recording as it was', async () => {
    const first = await recorder.accept(aCall());
    media.openError = new MediaError('DISK', 'ENOSPC');
    await expect(recorder.succeed(first, aCall())).rejects.toMatchObject({ code: 'MEDIA' });
    expect(recorder.isLive(first.id)).toBe(true);
    expect(types()).toEqual(['opened']);
  });

  test('after the end is refused', async () => {
    const first = await recorder.accept(aCall());
    await first.end('bye');
    await expect(recorder.succeed(first, aCall())).rejects.toMatchObject({ code: 'MEDIA' });
  });
});

describe('all calls', () => {
  test('a shutdown ends every recording as interrupted and takes no new one', async () => {
    media.result = { files: [aFile], legs: [] };
    await Promise.all([recorder.accept(aCall()), recorder.accept(aCall())]);
    await recorder.endAll();
    const ended = journal.events.filter((event) => event.type === 'ended');
    expect(ended).toHaveLength(2);
    expect(ended).toMatchObject([{ status: 'interrupted' }, { status: 'interrupted' }]);
    expect(recorder.readiness()).toEqual({ ready: false, reason: 'shutting down' });
  });

  test('a refusal is stated and counted', () => {
    recorder.refuse({ reason: '403', detail: 'address not listed', callId: 'x@y' });
    expect(recorder.counts).toEqual({ accepted: 0, declined: 0, refused: { '403': 1 }, failed: {} });
  });
});
