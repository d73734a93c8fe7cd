import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ListeningClient } from '../sip/listening-client.ts';
import { Peer } from '../sip/peer.ts';
import { plainSdp, RecordingClient, recordingSession } from '../sip/recording-client.ts';
import { ffmpeg } from '../support/ffmpeg.ts';
import { awaitRecording, CALLER, callTo, ProductRoom } from '../support/product-room.ts';
import { eventually, ROOT, type RecorderProcess } from '../support/recorder-process.ts';
import { sendRtp } from '../support/rtp-sender.ts';
import { recordingsIn } from '../support/sealed-recording.ts';

const room = new ProductRoom();

let recorder: RecorderProcess;

beforeAll(async () => {
  recorder = await room.start();
}, 60_000);

afterAll(() => room.close());

function sealtape(...args: readonly string[]): { readonly code: number | null; readonly text: string } {
  const config = ['--config', join(recorder.dataDir, 'config.yaml')];
  const cli = [join(ROOT, 'dist/src/cli.js'), ...args, ...config];
  const { status, stdout, stderr } = spawnSync(process.execPath, cli, { encoding: 'utf8' });
  return { code: status, text: stdout + stderr };
}

/** What somebody hears who calls the announcement service. */
async function hear(uri: string, headers: Readonly<Record<string, string>>): Promise<Buffer> {
  const peer = await Peer.open('udp', { address: '127.0.0.1', port: recorder.udpPort });
  const phone = await ListeningClient.open(new RecordingClient(peer));
  const offer = phone.offer('8', ['rtpmap:8 PCMA/8000', 'recvonly']);
  const { status, packets } = await phone.hear(uri, { ...plainSdp(offer), headers });
  peer.close();
  expect(status).toBe(200);
  return Buffer.concat(packets.map((packet) => packet.subarray(12)));
}

test('an announcement that the caller of a recorded call heard is in its info file, in the API and in its story', async () => {
  await hear('sip:annc@127.0.0.1;play=inbound;locale=de;duration=300', { From: '<sip:100@pbx>;tag=client' });
  const report = await callTo(recorder);
  const { info } = await awaitRecording(recorder.archive, report, 30_000);
  expect(info.get('Announcement-1')).toMatch(
    /^inbound de; \S+Z; 0\.300 s; whole; linked by number-and-time; sha256 [0-9a-f]{64}$/,
  );
  const headers = {
    authorization: `Bearer ${readFileSync(join(recorder.dataDir, 'admin-token'), 'utf8').trim()}`,
  };
  const answer = await fetch(`${recorder.web}/api/v1/recordings/${info.get('Recording-Id') ?? ''}`, {
    headers,
  });
  expect(await answer.json()).toMatchObject({
    announcements: [{ name: 'inbound', locale: 'de', milliseconds: 300, linkedBy: 'number-and-time' }],
  });
  expect(sealtape('trace', report.callId, '--no-messages').text).toMatch(
    /Announced +inbound de, \S+Z, 0\.3 s +\[number-and-time\]/,
  );
}, 60_000);

test('an announcement in a call of the same id is linked with certainty, whoever heard it; another is not', async () => {
  const ids = { 'X-PBX-Call-ID': 'leg-4711-a' };
  await hear('sip:annc@127.0.0.1;play=outbound;duration=200', { ...ids, From: '<sip:999@pbx>;tag=client' });
  await hear('sip:annc@127.0.0.1;play=inbound;duration=200', { From: '<sip:998@pbx>;tag=client' });
  const peer = await Peer.open('udp', { address: '127.0.0.1', port: recorder.udpPort });
  const client = new RecordingClient(peer);
  const session = recordingSession();
  const answer = await client.invite({ ...session, headers: { ...session.headers, ...ids } });
  const port = Number(/^m=audio (\d+)/m.exec(answer.body)?.[1]);
  const start = { ssrc: 7, sequence: 1, timestamp: 1000 };
  await sendRtp([{ address: '127.0.0.1', port, law: 'PCMA', audio: CALLER, start }]);
  await client.bye();
  peer.close();
  const { info } = await eventually(
    () => recordingsIn(recorder.archive).find((each) => each.info.get('SIP-Call-ID') === client.callId),
    30_000,
  );
  expect(
    [...info.values()].filter((value) => value.startsWith('header leg-4711-a; from x-pbx-call-id')),
  ).toHaveLength(1);
  expect(info.get('Announcement-1')).toMatch(/^outbound en; \S+Z; 0\.200 s; whole; linked by call-id; /);
  expect(info.get('Announcement-2')).toBeUndefined();
}, 60_000);

test('an uploaded announcement is heard octet for octet', async () => {
  const tone = join(recorder.dataDir, 'tone.mp3');
  ffmpeg(['-f', 'lavfi', '-i', 'sine=frequency=440:duration=0.5', tone]);
  expect(sealtape('announcements', 'add', 'hello', tone)).toMatchObject({ code: 0 });
  const heard = await hear('sip:annc@127.0.0.1;play=hello', {});
  const folder = join(recorder.dataDir, 'announcements');
  const [listed] = JSON.parse(readFileSync(join(folder, 'announcements.json'), 'utf8')) as [
    { folder: string },
  ];
  const made = readFileSync(join(folder, listed.folder, 'audio.al'));
  expect(made.length).toBeGreaterThan(3000);
  // The last frame is filled up with silence.
  expect(heard.subarray(0, made.length).equals(made)).toBe(true);
  expect(heard.length - made.length).toBeLessThan(160);
}, 60_000);
