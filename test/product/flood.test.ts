import { expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { placeCall } from '../../src/client/call.ts';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { eventually, startRecorder } from '../support/recorder-process.ts';
import { awaitRecordings, findOctets, verifyNode } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

const CALLS = 10;
/** More than the flood takes on a slow machine; the calls are hung up when it has been looked at. */
const SECONDS = 60;
const DATAGRAMS = 10_000;
const CONNECTIONS = 1_000;
/** Octets of audio in 20 ms. */
const PACKET = 160;
/** Between two portions of the flood, so that it lasts about five seconds of the calls. */
const PAUSE = 50;
const PORTIONS = 100;

/** Rubbish, broken requests and requests from nowhere, in turn. */
function garbage(index: number): Buffer {
  const id = randomBytes(6).toString('hex');
  const kinds = [
    randomBytes(16 + (index % 1_000)),
    Buffer.from(`INVITE sip:${id} SIP/2.0\r\nVia: ${id}\r\n\r\n`),
    Buffer.from(
      `BYE sip:srs@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK${id}\r\nFrom: <sip:a@b>;tag=${id}\r\n` +
        `To: <sip:c@d>;tag=${id}\r\nCall-ID: ${id}\r\nCSeq: 1 BYE\r\n\r\n`,
    ),
    Buffer.from(`SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK${id}\r\nCSeq: 1 INVITE\r\n\r\n`),
  ];
  return kinds[index % kinds.length] ?? randomBytes(40);
}

/** Sends the garbage and opens the connections, each with the beginning of a request and no end; resolves with the connections. */
async function flood(udpPort: number, tcpPort: number): Promise<readonly Socket[]> {
  const socket = createSocket('udp4').bind(0, '127.0.0.2');
  await once(socket, 'listening');
  const halfOpen: Socket[] = [];
  for (let portion = 0; portion < PORTIONS; portion += 1) {
    for (let n = 0; n < DATAGRAMS / PORTIONS; n += 1) socket.send(garbage(n), udpPort, '127.0.0.1');
    for (let n = 0; n < CONNECTIONS / PORTIONS; n += 1) {
      const connection = connect({ port: tcpPort, host: '127.0.0.1', localAddress: '127.0.0.2' });
      connection.on('error', () => undefined);
      connection.write('INVITE sip:srs@127.0.0.1 SIP/2.0\r\nContent-Length: 100000\r\nVia: ');
      halfOpen.push(connection);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  socket.close();
  return halfOpen;
}

const ascending = (one: number, other: number): number => one - other;

/** How many octets of the beginning of `audio` stand in the channel, in one piece and with nothing but silence around. */
function wholeBeginning(channel: Buffer, audio: Buffer): number {
  const at = channel.indexOf(audio.subarray(0, PACKET));
  let octets = 0;
  while (at !== -1 && octets < audio.length && channel[at + octets] === audio[octets]) octets += 1;
  // Silence behind the last packet may look like the audio's next octets.
  const whole = octets - (octets % PACKET);
  return findOctets(channel, audio.subarray(0, whole), 'PCMA') === -1 ? -1 : whole;
}

test(`${DATAGRAMS} garbage datagrams and ${CONNECTIONS} half-open connections cost ${CALLS} running calls nothing`, async () => {
  const recorder = await startRecorder();
  const over = new AbortController();
  let halfOpen: readonly Socket[] = [];
  const metric = async (name: string): Promise<number> => {
    const lines = (await (await fetch(`${recorder.web}/metrics`)).text()).split('\n');
    return Number(lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1]);
  };
  try {
    const caller = speakTones(CALLER_VOICE, SECONDS, 'PCMA');
    const callee = speakTones(CALLEE_VOICE, SECONDS, 'PCMA');
    const calls = Array.from({ length: CALLS }, (_none, index) =>
      placeCall({
        to:
          index % 2 === 0
            ? `sip:127.0.0.1:${recorder.udpPort}`
            : `sip:127.0.0.1:${recorder.tcpPort};transport=tcp`,
        caller: { number: `${1000 + index}`, law: 'PCMA', audio: caller },
        callee: { number: `${2000 + index}`, law: 'PCMA', audio: callee },
        signal: over.signal,
      }),
    );
    await eventually(
      async () => ((await metric('sealtape_calls_running')) === CALLS ? true : undefined),
      15_000,
    );
    halfOpen = await flood(recorder.udpPort, recorder.tcpPort);
    expect(halfOpen.filter((connection) => !connection.destroyed)).toHaveLength(CONNECTIONS);
    expect(await metric('sealtape_calls_running')).toBe(CALLS);
    expect(await metric('sealtape_sip_connections')).toBeGreaterThanOrEqual(CONNECTIONS);
    expect(await metric('sealtape_sip_events_total{kind="malformed"}')).toBeGreaterThan(DATAGRAMS / 4);
    over.abort();
    const reports = await Promise.all(calls);
    expect(reports.map((report) => report.outcome)).toEqual(Array.from({ length: CALLS }, () => 'completed'));
    const recordings = await awaitRecordings(recorder.archive, CALLS, 60_000);
    const sent = reports.flatMap(({ legs }) => legs.map(({ octets }) => octets)).sort(ascending);
    const kept = recordings.flatMap((recording) => {
      const [left, right] = readWav(recording.path('.wav')).audio as [Buffer, Buffer];
      return [wholeBeginning(left, caller), wholeBeginning(right, callee)];
    });
    expect(Math.min(...sent)).toBeGreaterThan(0);
    expect(kept.sort(ascending)).toEqual(sent);
    // The log tells of it, and not ten thousand times.
    const lines = recorder.output().log.split('\n').length;
    expect(lines).toBeLessThan(1_000);
    expect(await recorder.stop()).toBe(0);
    expect(verifyNode(recorder.archive)).toMatchObject({ status: 0 });
  } finally {
    for (const connection of halfOpen) connection.destroy();
    await recorder.kill();
    rmSync(recorder.dataDir, { recursive: true });
  }
}, 150_000);
