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
const SECONDS = 14;
const DATAGRAMS = 10_000;
const CONNECTIONS = 1_000;
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

test(`${DATAGRAMS} garbage datagrams and ${CONNECTIONS} half-open connections cost ${CALLS} running calls nothing`, async () => {
  const recorder = await startRecorder();
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
    const reports = await Promise.all(calls);
    expect(reports.map((report) => report.outcome)).toEqual(Array.from({ length: CALLS }, () => 'completed'));
    const recordings = await awaitRecordings(recorder.archive, CALLS, 60_000);
    for (const recording of recordings) {
      const [left, right] = readWav(recording.path('.wav')).audio as [Buffer, Buffer];
      expect(findOctets(left, caller, 'PCMA')).toBeGreaterThanOrEqual(0);
      expect(findOctets(right, callee, 'PCMA')).toBeGreaterThanOrEqual(0);
    }
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
