import { afterEach, expect, test } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { Recorder } from '../../src/recorder/recorder.ts';
import type { DialogBook } from '../../src/sip/dialog-keeper.ts';
import { readUnfinished, type ResumedCall } from '../../src/sip/left-call.ts';
import { startSipApplication, type SipApplication } from '../../src/sip/application.ts';
import { startSipServer, type SipServer } from '../../src/sip-server/sip-server.ts';
import { FakeFolders, FakeJournal, FakeMedia } from '../support/recorder-fakes.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { Peer } from './peer.ts';
import { audioLine, plainSdp, RecordingClient, sdpOf } from './recording-client.ts';

/** A book that only remembers. */
class Memory implements DialogBook {
  readonly states = new Map<string, () => string>();

  keep(id: string, compose: () => string): void {
    this.states.set(id, compose);
  }

  forget(id: string): void {
    this.states.delete(id);
  }

  /** What a process that is killed now leaves. */
  left(): readonly unknown[] {
    return [...this.states.values()].map((compose) => JSON.parse(compose()) as unknown);
  }
}

const TRUNKS = [{ name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat' as const }];
const AWAY = { from: Date.UTC(2026, 10, 25, 12), to: Date.UTC(2026, 10, 25, 12, 0, 5) };

interface Process {
  readonly server: SipServer;
  readonly application: SipApplication;
  close(): Promise<void>;
}

const processes: Process[] = [];
const peers: Peer[] = [];

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.close();
  for (const each of processes.splice(0)) await each.close();
});

async function start(
  recorder: FakeRecorder | Recorder,
  book: DialogBook,
  calls: readonly ResumedCall[] = [],
  port = 0,
): Promise<Process> {
  const server = await startSipServer({
    listen: [`udp://127.0.0.1:${port}`],
    control: { host: '127.0.0.1', port: 0, secret: 'resumed' },
  });
  const application = await startSipApplication({
    drachtio: { host: '127.0.0.1', port: server.controlPort, secret: 'resumed' },
    trunks: TRUNKS,
    recorder,
    software: 'Sealtape/test',
    log: () => undefined,
    book,
    resumed: { calls, patience: 60_000 },
    watch: { interval: 20 },
  });
  expect(server.restore(calls.map(({ kept }) => ({ ...kept.signalling, localSdp: kept.answers.last })))).toBe(
    calls.length,
  );
  await server.listen();
  const close = async (): Promise<void> => {
    await application.close();
    await server.close();
  };
  const running = { server, application, close };
  processes.push(running);
  return running;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never came true: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A call, and its recorder killed: the client, the port, and what was left. */
async function cutOff(): Promise<{ client: RecordingClient; port: number; left: unknown; sdp: string }> {
  const recorder = new FakeRecorder();
  const book = new Memory();
  const first = await start(recorder, book);
  const [address] = first.server.addresses;
  if (address === undefined) throw new Error('not listening');
  const peer = await Peer.open('udp', address);
  peers.push(peer);
  const client = new RecordingClient(peer);
  const { body } = await client.invite();
  await until(() => recorder.calls[0]?.notes.includes('acknowledged') === true);
  const [left] = book.left();
  await first.close();
  processes.splice(0);
  return { client, port: address.port, left, sdp: body };
}

interface Resumed {
  readonly recorder: Recorder;
  readonly media: FakeMedia;
  readonly journal: FakeJournal;
  readonly book: Memory;
}

async function resume(port: number, left: unknown, ports: 'free' | 'taken' = 'free'): Promise<Resumed> {
  const media = new FakeMedia();
  const journal = new FakeJournal();
  const recorder = new Recorder({
    media,
    journal,
    folders: new FakeFolders(),
    now: Date.now,
    log: () => undefined,
    minFreeBytes: 0,
  });
  const unfinished = readUnfinished(left, { trunks: TRUNKS, dtlsFingerprint: undefined, away: AWAY });
  if (unfinished === undefined) throw new Error('not taken up');
  if (ports === 'taken') media.openError = Object.assign(new Error('taken'), { code: 'NO_PORTS' });
  const recording = await recorder.takeUp(unfinished.offered, unfinished.left);
  media.openError = undefined;
  // Nothing is heard but what the client says.
  media.silent = Number.MAX_SAFE_INTEGER;
  const book = new Memory();
  await start(recorder, book, [{ ...unfinished, recording }], port);
  return { recorder, media, journal, book };
}

const typesOf = ({ journal }: Resumed): readonly string[] =>
  journal.events.map(({ type }) => type).filter((type) => type !== 'noted' && type !== 'described');

test('a call of before the restart goes on in its dialog: re-INVITE and BYE are answered, a new recording names the one before (DLG-11)', async () => {
  const { client, port, left, sdp } = await cutOff();
  const resumed = await resume(port, left);
  // The very ports that were answered.
  expect(resumed.media.opened[0]?.lines.map(({ port: wanted }) => wanted)).toEqual([20_000, 20_002]);
  expect(typesOf(resumed)).toEqual([]);

  const again = await client.request('INVITE', plainSdp(sdpOf(audioLine('1'), audioLine('2'))));
  expect(again.status).toBe(200);
  expect(again.headers.get('to')).toMatch(/;tag=/);
  const originOf = (text: string): readonly string[] => /^o=(.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
  expect(originOf(again.body)[1]).toBe(originOf(sdp)[1]);
  client.ack();
  expect(resumed.journal.events.find(({ type }) => type === 'opened')).toMatchObject({
    description: {
      continues: { recording: 'rec-1', from: '2026-11-25T12:00:00.000Z', to: '2026-11-25T12:00:05.000Z' },
    },
  });
  // After another crash it is this recording that goes on.
  expect(resumed.book.left()).toMatchObject([{ recording: resumed.recorder.running()[0]?.id }]);
  expect((await client.bye()).status).toBe(200);
  await until(() => typesOf(resumed).length === 2);
  expect(typesOf(resumed)).toEqual(['opened', 'failed']);
  expect(resumed.book.states.size).toBe(0);
});

test('a call that ended while nobody was there becomes no recording: its BYE is answered 200, and its ports are closed', async () => {
  const { client, port, left } = await cutOff();
  const resumed = await resume(port, left);
  expect((await client.bye()).status).toBe(200);
  await until(() => resumed.media.closed.length === 1);
  await turn();
  expect(typesOf(resumed)).toEqual([]);
});

test('the client is asked by OPTIONS whether it still knows the call, where its last request came from', async () => {
  const { client, port, left } = await cutOff();
  await resume(port, left);
  const options = await client.peer.receive((message) => message.startLine.startsWith('OPTIONS '));
  expect(options.headers.get('call-id')).toBe(client.callId);
  expect(Number(/^\d+/.exec(options.headers.get('cseq') ?? '')?.[0])).toBeGreaterThan(1000);
});

test('where the ports are taken the dialog is kept: the next re-INVITE gets other ones, and is recorded', async () => {
  const { client, port, left } = await cutOff();
  const resumed = await resume(port, left, 'taken');
  expect(typesOf(resumed)).toEqual([]);
  const again = await client.request('INVITE', plainSdp(sdpOf(audioLine('1'), audioLine('2'))));
  expect(again.status).toBe(200);
  expect(again.body).toMatch(/^m=audio 20000 /m);
  client.ack();
  expect(typesOf(resumed)).toEqual(['opened']);
  expect((await client.bye()).status).toBe(200);
});

test('a pause that somebody ordered holds after the restart, from the first packet on', async () => {
  const { port, left } = await cutOff();
  const standing = (left as { readonly standing: object }).standing;
  const paused = {
    ...(left as object),
    standing: { ...standing, pauses: [{ cause: 'operator', actor: 'anna' }] },
  };
  const { media, journal } = await resume(port, paused);
  expect(media.opened[0]?.lines.map(({ active }) => active)).toEqual([false, false]);
  media.silent = 0;
  await until(() => journal.events.some(({ type }) => type === 'paused'));
  expect(journal.events.find(({ type }) => type === 'paused')).toMatchObject({
    cause: 'operator',
    actor: 'anna',
  });
});

test.each([
  ['another version', { version: 2 }],
  ['a port that is none', { signalling: undefined }],
])('what cannot be read is not taken up: %s', async (_name, change) => {
  const { left } = await cutOff();
  const damaged = { ...(left as object), ...change };
  expect(readUnfinished(damaged, { trunks: TRUNKS, dtlsFingerprint: undefined, away: AWAY })).toBeUndefined();
  expect(readUnfinished(left, { trunks: [], dtlsFingerprint: undefined, away: AWAY })).toBeUndefined();
});
