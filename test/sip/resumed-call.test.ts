import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { FormerCalls, readFormer, type FormerCall } from '../../src/sip/former-calls.ts';
import { readUnfinished } from '../../src/sip/left-call.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { audioLine, plainMetadata, plainSdp, sdpOf, TRANSFER } from './recording-client.ts';
import { AWAY, Memory, RestartBench, TRUNKS, typesOf, until } from './restart-bench.ts';

let bench: RestartBench;

beforeEach(() => {
  bench = new RestartBench();
});

afterEach(() => bench.close());

test('a call of before the restart goes on in its dialog: re-INVITE and BYE are answered, a new recording names the one before (DLG-11)', async () => {
  const { client, port, left, sdp } = await bench.cutOff();
  const resumed = await bench.resume(port, left);
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
  const { client, port, left } = await bench.cutOff();
  const resumed = await bench.resume(port, left);
  expect((await client.bye()).status).toBe(200);
  await until(() => resumed.media.closed.length === 1);
  await turn();
  expect(typesOf(resumed)).toEqual([]);
});

test('the client is asked by OPTIONS whether it still knows the call, where its last request came from', async () => {
  const { client, port, left } = await bench.cutOff();
  await bench.resume(port, left);
  const options = await client.peer.receive((message) => message.startLine.startsWith('OPTIONS '));
  expect(options.headers.get('call-id')).toBe(client.callId);
  expect(Number(/^\d+/.exec(options.headers.get('cseq') ?? '')?.[0])).toBeGreaterThan(1000);
});

test('where the ports are taken the dialog is kept: the next re-INVITE gets other ones, and is recorded', async () => {
  const { client, port, left } = await bench.cutOff();
  const resumed = await bench.resume(port, left, { ports: 'taken' });
  expect(typesOf(resumed)).toEqual([]);
  const again = await client.request('INVITE', plainSdp(sdpOf(audioLine('1'), audioLine('2'))));
  expect(again.status).toBe(200);
  expect(again.body).toMatch(/^m=audio 20000 /m);
  client.ack();
  expect(typesOf(resumed)).toEqual(['opened']);
  expect((await client.bye()).status).toBe(200);
});

test('a pause that somebody ordered holds after the restart, from the first packet on', async () => {
  const { port, left } = await bench.cutOff();
  const standing = (left as { readonly standing: object }).standing;
  const paused = {
    ...(left as object),
    standing: { ...standing, pauses: [{ cause: 'operator', actor: 'anna' }] },
  };
  const { media, journal } = await bench.resume(port, paused);
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
  const { left } = await bench.cutOff();
  const damaged = { ...(left as object), ...change };
  expect(readUnfinished(damaged, { trunks: TRUNKS, dtlsFingerprint: undefined, away: AWAY })).toBeUndefined();
  expect(readUnfinished(left, { trunks: [], dtlsFingerprint: undefined, away: AWAY })).toBeUndefined();
});

test('UPDATE, INFO and OPTIONS of a call of before the restart are answered, and what they say is kept', async () => {
  const { client, port, left } = await bench.cutOff();
  const resumed = await bench.resume(port, left);
  expect((await client.request('UPDATE', plainMetadata(TRANSFER))).status).toBe(200);
  expect(typesOf(resumed)).toEqual(['opened']);
  await until(() => resumed.journal.events.some(({ type }) => type === 'described'));
  const described = resumed.journal.events.find(({ type }) => type === 'described');
  expect(JSON.stringify(described)).toContain('carl');
  const keys = await client.request('INFO', { type: 'application/dtmf-relay', body: 'Signal=5\r\n' });
  expect(keys.status).toBe(200);
  const options = await client.request('OPTIONS');
  expect(options.status).toBe(200);
  expect(options.headers.get('allow')).toContain('UPDATE');
  expect((await client.bye()).status).toBe(200);
  await until(() => typesOf(resumed).length === 2);
});

test('a call that is neither heard nor signalled in time is given up with a BYE, and leaves no recording', async () => {
  const { client, port, left } = await bench.cutOff();
  const resumed = await bench.resume(port, left, { patience: 300 });
  const bye = await client.peer.receive((message) => message.startLine.startsWith('BYE '));
  client.peer.accept(bye);
  await until(() => resumed.media.closed.length === 1);
  await until(() => resumed.book.states.size === 0);
  expect(typesOf(resumed)).toEqual([]);
});

test('a call that is paused by its client may be silent for longer than that', async () => {
  const { client, port, left } = await bench.cutOff();
  const resumed = await bench.resume(port, left);
  const held = plainSdp(sdpOf(audioLine('1', 'inactive'), audioLine('2', 'inactive')));
  expect((await client.request('INVITE', held)).status).toBe(200);
  client.ack();
  const again = await bench.resume(port, await resumed.kill(), { patience: 50 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(again.media.closed).toEqual([]);
  expect((await client.bye()).status).toBe(200);
});

test('restarts one after the other: the dialog goes on, our numbers grow, and each recording names the one before', async () => {
  const { client, port, left } = await bench.cutOff();
  const asked = async (): Promise<number> => {
    const { headers } = await client.peer.receive(({ startLine }) => startLine.startsWith('OPTIONS '));
    return Number(/^\d+/.exec(headers.get('cseq') ?? '')?.[0]);
  };
  const second = await bench.resume(port, left);
  const first = await asked();
  // Nothing came in between: what the client knows of us are our questions alone.
  const third = await bench.resume(port, await second.kill());
  expect(await asked()).toBeGreaterThanOrEqual(first + 500);
  const offer = plainSdp(sdpOf(audioLine('1'), audioLine('2')));
  expect((await client.request('INVITE', offer)).status).toBe(200);
  client.ack();
  const [running] = third.recorder.running();
  const fourth = await bench.resume(port, await third.kill());
  expect((await client.request('INVITE', offer)).status).toBe(200);
  client.ack();
  expect(fourth.journal.events.find(({ type }) => type === 'opened')).toMatchObject({
    description: { continues: { recording: running?.id } },
  });
  expect((await client.bye()).status).toBe(200);
  await until(() => typesOf(fourth).length === 2);
  expect(fourth.book.states.size).toBe(0);
});

describe('a call that is not taken up (DLG-11)', () => {
  const NOW = Date.UTC(2026, 10, 25, 12);

  test.each([
    ['it is too old, or its trunk is gone', {}],
    ['it was kept by another version', { version: 2, content: 'unknown' }],
  ])('has its BYE answered with 200 and its end told, as %s', async (_why, change) => {
    const { client, port, left } = await bench.cutOff();
    const former = readFormer({ ...(left as object), ...change }, NOW);
    if (former === undefined) throw new Error('not readable');
    const book = new Memory();
    const over: FormerCall[] = [];
    const calls = new FormerCalls([former], book, (call) => over.push(call));
    await bench.start(new FakeRecorder(), book, { former: calls, port });
    // It can go on nowhere; the client may begin anew.
    expect((await client.request('INVITE', plainSdp(sdpOf(audioLine('1'))))).status).toBe(481);
    expect((await client.request('OPTIONS')).status).toBe(481);
    expect(book.states.size).toBe(1);
    expect((await client.bye()).status).toBe(200);
    expect(over).toMatchObject([{ callId: client.callId, recording: 'rec-1' }]);
    expect(book.states.size).toBe(0);
    expect((await client.bye()).status).toBe(481);
  });

  test('is remembered over further starts, for a day, by nothing but its ids', async () => {
    const { left } = await bench.cutOff();
    const book = new Memory();
    const former = readFormer(left, NOW);
    if (former === undefined) throw new Error('not readable');
    new FormerCalls([former], book, () => undefined);
    const [kept] = book.left();
    expect(Object.keys(kept as object).sort()).toEqual([
      'callId',
      'former',
      'fromTag',
      'recording',
      'toTag',
      'until',
    ]);
    expect(readFormer(kept, NOW + 23 * 3_600_000)).toEqual(former);
    expect(readFormer(kept, NOW + 25 * 3_600_000)).toBeUndefined();
    expect(readUnfinished(kept, { trunks: TRUNKS, dtlsFingerprint: undefined, away: AWAY })).toBeUndefined();
    expect(readFormer('rubbish', NOW)).toBeUndefined();
  });

  test('is not ended by somebody who does not know our tag', async () => {
    const { client, port, left } = await bench.cutOff();
    const former = readFormer({ ...(left as object) }, NOW);
    if (former === undefined) throw new Error('not readable');
    const over: FormerCall[] = [];
    const calls = new FormerCalls([{ ...former, toTag: 'another' }], new Memory(), (call) => over.push(call));
    await bench.start(new FakeRecorder(), new Memory(), { former: calls, port });
    expect((await client.bye()).status).toBe(481);
    expect(over).toEqual([]);
  });
});
