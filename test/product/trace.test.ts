import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Peer } from '../sip/peer.ts';
import { audioLine, RecordingClient, recordingSession, sdpOf } from '../sip/recording-client.ts';
import { eventually, ROOT, type RecorderProcess } from '../support/recorder-process.ts';
import { answeredCall, ProductRoom } from '../support/product-room.ts';
import { awaitRecordings } from '../support/sealed-recording.ts';

const room = new ProductRoom();

let recorder: RecorderProcess;

beforeAll(async () => {
  recorder = await room.start();
}, 60_000);

afterAll(() => room.close());

function trace(...args: readonly string[]): { code: number | null; text: string } {
  const config = ['--config', join(recorder.dataDir, 'config.yaml')];
  const cli = [join(ROOT, 'dist/src/cli.js'), 'trace', ...args, ...config];
  const { status, stdout, stderr } = spawnSync(process.execPath, cli, { encoding: 'utf8' });
  return { code: status, text: stdout + stderr };
}

/** Asks until the steps and messages asked for are all there: they are written a moment after they happen. */
const traceOf = (call: string, ...signs: readonly RegExp[]): Promise<string> =>
  eventually(() => {
    const { code, text } = trace(call);
    return code === 0 && signs.every((sign) => sign.test(text)) ? text : undefined;
  }, 30_000);

test('SRTP-8: SRTP keys and digest answers of a call are in no file, and a refused call is told with its reason', async () => {
  const key = 'd0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj';
  const peer = await Peer.open('udp', { address: '127.0.0.1', port: recorder.udpPort });
  const client = new RecordingClient(peer);
  const keyed = audioLine('1').replace(
    'a=label',
    `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}\r\na=label`,
  );
  const session = recordingSession(sdpOf(keyed));
  const headers = {
    ...session.headers,
    Authorization: 'Digest username="sbc", response="6629fae49393a053974"',
  };
  await client.invite({ ...session, headers: { ...headers, Require: 'siprec, teleport' } });
  peer.close();
  const text = await traceOf(client.callId, /refused: 1 x 420/, /SIP\/2\.0 420/);
  expect(text).toContain('a=crypto:1 AES_CM_128_HMAC_SHA1_80 (removed)');
  expect(text).toContain('username="sbc"');
  const folder = join(recorder.dataDir, 'traces');
  const files = readdirSync(folder).filter((name) => name.endsWith('.trace'));
  expect(files.length).toBeGreaterThan(0);
  for (const name of files)
    expect(readFileSync(join(folder, name), 'latin1')).not.toMatch(/d0RmdmcmVC|6629fae49393/);
}, 60_000);

test('a call is told while it runs and after the recorder has ended, by its id, file name, Call-ID and the id of the PBX', async () => {
  const { over } = await answeredCall(recorder);
  const { callId } = await over;
  const [sealed] = await awaitRecordings(recorder.archive, 1, 20_000);
  const running = await traceOf(callId, /<- udp \S+ {2}BYE sip:/, /sealed/);
  expect(running).toMatch(/^Caller {7}Test Caller|^Caller {7}100/m);
  expect(running).toMatch(/^Direction {4}\w+ {2}\[/m);
  const order = [
    /<- udp .*INVITE sip:/,
    /-> udp .*SIP\/2\.0 200 OK/,
    /<- udp .*ACK sip:/,
    /<- udp .*BYE sip:/,
    / ended: /,
  ];
  const places = order.map((sign) => running.search(sign));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places).not.toContain(-1);
  expect(running).toContain('| a=label:1');

  expect(trace('nobody@nowhere')).toMatchObject({ code: 1 });
  expect(await recorder.stop()).toBe(0);
  const id = /^Recording {4}(\S+)/m.exec(running)?.[1] ?? '';
  const pbxId = /^PBX call id {2}(\S+) {2}\[.*rule 5\.4/m.exec(running)?.[1] ?? '';
  for (const name of [id, `${sealed?.name ?? ''}_info.txt`, pbxId]) {
    const { code, text } = trace(name);
    expect({ name, code }).toEqual({ name, code: 0 });
    expect(text).toContain(callId);
    expect(text).toMatch(/BYE sip:/);
  }
}, 90_000);
