import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startSipServer, type SipServer } from '../../src/sip-server/sip-server.ts';
import { startSipApplication, type SipApplication } from '../../src/sip/application.ts';
import type { SeenMessage } from '../../src/sip/wire-tap.ts';
import { ControlLine } from '../support/control-line.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { Peer } from './peer.ts';
import { plainSdp, RecordingClient, sdpOf, audioLine } from './recording-client.ts';

let server: SipServer;
let line: ControlLine;
let recorder: FakeRecorder;
let application: SipApplication;
let client: RecordingClient;
let seen: SeenMessage[];

beforeEach(async () => {
  server = await startSipServer({
    listen: ['udp://127.0.0.1:0'],
    control: { host: '127.0.0.1', port: 0, secret: 'found' },
  });
  line = new ControlLine();
  await line.open(server.controlPort);
  recorder = new FakeRecorder();
  seen = [];
  application = await startSipApplication({
    drachtio: { host: '127.0.0.1', port: line.port, secret: 'found' },
    trunks: [{ name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat' }],
    recorder,
    software: 'Sealtape/test',
    log: () => undefined,
    reconnect: { longest: 100, refused: 50 },
    watch: { interval: 50 },
    seen: (message) => seen.push(message),
  });
  await server.listen();
  const [address] = server.addresses;
  if (address === undefined) throw new Error('not listening');
  client = new RecordingClient(await Peer.open('udp', address));
  expect((await client.invite()).status).toBe(200);
  await until(() => recorder.calls[0]?.notes.some((note) => note.includes('acknowledged')) === true);
});

afterEach(async () => {
  client.peer.close();
  await application.close();
  line.cut();
  await server.close();
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never came true: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function cutAndReconnect(): Promise<void> {
  line.cut();
  await until(() => !application.connected);
  await line.open(server.controlPort);
  await until(() => application.connected);
}

const ended = (): boolean => (recorder.calls[0]?.ends.length ?? 0) > 0;

test('a re-INVITE and a BYE of a call older than the connection are answered and reach its recording', async () => {
  await cutAndReconnect();
  expect(ended()).toBe(false);
  const held = await client.request(
    'INVITE',
    plainSdp(sdpOf(audioLine('1', 'inactive'), audioLine('2', 'inactive'))),
  );
  expect(held.status).toBe(200);
  expect(held.body).toContain('a=inactive');
  client.ack();
  expect((await client.bye()).status).toBe(200);
  await until(ended);
  // What a server outside told and was told is there for a trace.
  expect(seen.some(({ direction, text }) => direction === 'in' && text.startsWith('BYE '))).toBe(true);
  expect(seen.some(({ direction, text }) => direction === 'out' && text.startsWith('SIP/2.0 200'))).toBe(
    true,
  );
});

test('a BYE that comes while the connection is lost is answered, and ends the recording afterwards; a re-INVITE gets 500', async () => {
  line.cut();
  await until(() => !application.connected);
  await until(() => server.counters().applications === 0);
  expect((await client.request('INVITE', plainSdp(sdpOf(audioLine('1'))))).status).toBe(500);
  client.ack();
  expect((await client.bye()).status).toBe(200);
  expect(ended()).toBe(false);
  await line.open(server.controlPort);
  await until(ended);
});

test('a call is asked for through the new connection', async () => {
  await cutAndReconnect();
  const options = await client.peer.receive((message) => message.startLine.startsWith('OPTIONS '));
  expect(options.headers.get('call-id')).toBe(client.callId);
});
