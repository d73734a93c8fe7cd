import { afterEach, expect, test } from '@jest/globals';
import { startSipServer, type SipServer } from '../../src/sip-server/sip-server.ts';
import { CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { ControlLine } from '../support/control-line.ts';
import {
  answeredCall,
  awaitRecording,
  CALLEE,
  CALLER,
  callTo,
  expectIntact,
  healthOf,
  optionsStatus,
  pause,
  ProductRoom,
} from '../support/product-room.ts';
import { eventually, type RecorderSetup } from '../support/recorder-process.ts';
import { awaitRecordings, findOctets } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

const SECRET = 'a secret of this test';
const room = new ProductRoom();
const servers: SipServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  await room.close();
});

/** Our SIP server as the drachtio-server of a site: in another process than the recorder. */
async function startServer(controlPort = 0): Promise<SipServer> {
  const server = await startSipServer({
    listen: ['udp://127.0.0.1:0'],
    control: { host: '127.0.0.1', port: controlPort, secret: SECRET },
  });
  servers.push(server);
  return server;
}

const through = (server: Pick<SipServer, 'controlPort'>, secret = SECRET): RecorderSetup => ({
  config: { sip: { drachtio: { host: '127.0.0.1', port: server.controlPort, secret } } },
});

const sipPort = (server: SipServer): { readonly udpPort: number } => ({
  udpPort: server.addresses[0]?.port ?? 0,
});

test('a call over an outside drachtio-server is recorded like any other', async () => {
  const server = await startServer();
  const recorder = await room.start(through(server));
  expect(recorder.output().banner).toContain('by drachtio-server 127.0.0.1');
  await server.listen();
  expect(await optionsStatus(sipPort(server).udpPort)).toBe(200);
  const report = await callTo(sipPort(server));
  const recording = await awaitRecording(recorder.archive, report);
  expect(recording.info.get('Status')).toBe('complete');
  const [left, right] = readWav(recording.path('.wav')).audio as [Buffer, Buffer];
  expect(findOctets(left, Buffer.from(CALLER), 'PCMA')).toBeGreaterThanOrEqual(0);
  expect(findOctets(right, Buffer.from(CALLEE), 'PCMA')).toBeGreaterThanOrEqual(0);
  expect(await recorder.stop()).toBe(0);
  expectIntact(recorder.archive);
});

test.each([
  ['that refuses our secret', 'refuses our secret', (server: SipServer) => through(server, 'another one')],
  ['that is not there', 'no SIP server answers at 127.0.0.1:1', () => through({ controlPort: 1 })],
])('a drachtio-server %s ends the start with one line', async (_name, text, setup) => {
  const server = await startServer();
  const refusal = await room.refusalOf(setup(server));
  expect(refusal).toMatch(/ended with 1\n/);
  expect(refusal.match(/^sealtape: .*$/gm)).toEqual([expect.stringContaining(text)]);
  expect(refusal).not.toMatch(/^\s+at .*\.[jt]s/m);
});

test('a call goes on over a control connection that is lost and found again, and its BYE ends one complete recording', async () => {
  const server = await startServer();
  const line = new ControlLine();
  await line.open(server.controlPort);
  try {
    const recorder = await room.start(through({ controlPort: line.port }));
    await server.listen();
    const audio = speakTones(CALLER_VOICE, 4, 'PCMA');
    const { over } = await answeredCall(sipPort(server), { caller: { number: '1', law: 'PCMA', audio } });
    const sipIs = (ok: boolean): Promise<true> =>
      eventually(async () => ((await healthOf(recorder)).parts['sip']?.ok === ok ? true : undefined), 20_000);
    line.cut();
    await sipIs(false);
    await line.open(server.controlPort);
    await sipIs(true);
    const recording = await awaitRecording(recorder.archive, await over);
    expect(recording.info.get('Status')).toBe('complete');
    expect(recording.info.get('End-Reason')).toBe('bye');
    const [left] = readWav(recording.path('.wav')).audio as [Buffer];
    expect(findOctets(left, Buffer.from(audio), 'PCMA')).toBeGreaterThanOrEqual(0);
    expect(await recorder.stop()).toBe(0);
  } finally {
    line.cut();
  }
}, 90_000);

test('when the drachtio-server goes in mid-call, the recording goes on and is closed by the stop of the recorder; a new server is connected to', async () => {
  const server = await startServer();
  const recorder = await room.start(through(server));
  await server.listen();
  const audio = speakTones(CALLER_VOICE, 4, 'PCMA');
  const { over } = await answeredCall(sipPort(server), {
    caller: { number: '1', law: 'PCMA', audio },
    timers: { t1: 50, timeout: 500 },
  });
  await pause(1000);
  const { controlPort } = server;
  await server.close();
  const sipIs = (ok: boolean): Promise<true> =>
    eventually(async () => ((await healthOf(recorder)).parts['sip']?.ok === ok ? true : undefined), 10_000);
  await sipIs(false);
  expect((await healthOf(recorder)).recording).toBe(false);
  // Nobody hears the BYE: how the client ended is known to nobody but the client.
  expect((await over).outcome).toBe('connection-lost');

  const back = await startServer(controlPort);
  await sipIs(true);
  await back.listen();
  expect(await optionsStatus(sipPort(back).udpPort)).toBe(200);
  const report = await callTo(sipPort(back));
  expect((await awaitRecording(recorder.archive, report)).info.get('Status')).toBe('complete');

  expect(await recorder.stop()).toBe(0);
  const recordings = await awaitRecordings(recorder.archive, 2);
  const cutOff = recordings.find(({ info }) => info.get('SIP-Call-ID') !== report.callId);
  expect(cutOff?.info.get('Status')).toBe('interrupted');
  const [left] = readWav(cutOff?.path('.wav') ?? '').audio as [Buffer];
  expect(findOctets(left, Buffer.from(audio), 'PCMA')).toBeGreaterThanOrEqual(0);
  expectIntact(recorder.archive);
}, 60_000);
