import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { CaptureLine } from '../../src/media/capture.ts';
import { threadSrtp } from '../../src/media/srtp/load-engine.ts';
import { SrtpReceiver } from '../../src/media/srtp/srtp-receiver.ts';
import { newMasterKey, SrtpSender } from '../../src/media/srtp/srtp-sender.ts';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { bye, readOurs, senderReport, type ReadBlock } from './rtcp-builder.ts';
import { rtp } from './rtp-builder.ts';

const PORT = 20_000;
const REPORTS = 20_001;
const CLIENT = '192.0.2.1:4000';

const reporting = (
  line: number,
  rtcp: CaptureLine['rtcp'] = { mux: false, target: '192.0.2.1:4001' },
): CaptureLine => ({
  ...aLine(line, line === 0 ? 'caller' : 'callee'),
  rtcp,
});

let harness: EngineHarness;

beforeEach(async () => {
  harness = await EngineHarness.create();
});

afterEach(async () => {
  await harness.dispose();
});

/** The blocks about the source of the test in all our reports so far. */
const told = (): readonly ReadBlock[] =>
  harness.receiver.sent.flatMap(({ datagram }) => readOurs(datagram).blocks);

describe('RTP-1: reports of ours', () => {
  test('go out about every five seconds, from the port announced for them, and say goodbye at the end', async () => {
    await harness.engine.open(harness.request([reporting(0)]));
    harness.stream(PORT, 0, 3000);
    await harness.close();
    const { sent } = harness.receiver;
    // A minute has twelve; each pause is between half and one and a half times 5 s.
    expect(sent.length).toBeGreaterThanOrEqual(9);
    expect(sent.length).toBeLessThanOrEqual(26);
    expect(new Set(sent.map(({ port, to }) => `${port} ${to}`))).toEqual(
      new Set([`${REPORTS} 192.0.2.1:4001`]),
    );
    const read = sent.map(({ datagram }) => readOurs(datagram));
    expect(new Set(read.map(({ ssrc }) => ssrc)).size).toBe(1);
    expect(read.every(({ name }) => name.length === 16)).toBe(true);
    expect(read.at(0)?.types).toEqual([201, 202]);
    expect(read.at(-1)?.types).toEqual([201, 202, 203]);
  });

  test('say no goodbye on a line where nobody has spoken', async () => {
    await harness.engine.open(harness.request([reporting(0), reporting(1)]));
    harness.stream(PORT, 0, 50);
    await harness.close();
    expect(harness.receiver.sent.map(({ port }) => port)).toEqual([REPORTS]);
  });

  test('tell loss since the report before and in all, and the highest number with its turns', async () => {
    await harness.engine.open(harness.request([reporting(0)]));
    // Every fourth packet is lost, and the numbers turn on the way.
    for (let index = 0; index < 800; index++)
      if (index % 4 !== 3)
        harness.stream(PORT, index * 20, 1, { sequence: 65_400 + index, clock: index * 160 });
    await harness.close();
    const blocks = told();
    expect(blocks.length).toBeGreaterThan(1);
    let before = 65_399;
    for (const { ssrc, fraction, lost, highest } of blocks) {
      expect(ssrc).toBe(1);
      // A quarter is 64 of 256, give or take the packet a report cuts off; pauses are random, the last one may be short.
      expect(Math.abs(fraction - 64)).toBeLessThanOrEqual(Math.ceil(256 / Math.max(1, highest - before)));
      before = highest;
      expect(Math.abs(lost - (highest - 65_400) / 4)).toBeLessThanOrEqual(1);
    }
    expect(blocks.at(-1)).toMatchObject({ highest: 65_400 + 798, lost: 199 });
  });

  test('tell jitter in ticks of the RTP clock', async () => {
    await harness.engine.open(harness.request([reporting(0)]));
    // 10 ms to and fro: the mean deviation is 80 ticks.
    for (let index = 0; index < 600; index++)
      harness.stream(PORT, index * 20 + (index % 2) * 10, 1, { sequence: index, clock: index * 160 });
    await harness.close();
    expect(told().at(-1)?.jitter).toBeGreaterThan(75);
    expect(told().at(-1)?.jitter).toBeLessThanOrEqual(80);
  });

  test('tell which report of the sender was the last one, and how long ago it came', async () => {
    await harness.engine.open(harness.request([reporting(0)]));
    harness.stream(PORT, 0, 50);
    const report = senderReport({ ssrc: 1, wallClock: START + 900, timestamp: 7200 });
    harness.receiver.deliver(REPORTS, harness.wall, report, '192.0.2.1:4001');
    const heardAt = harness.elapsed;
    harness.stream(PORT, 1000, 500, { sequence: 51, clock: 8000 });
    const before = harness.receiver.sent.length;
    expect(before).toBeGreaterThan(0);
    await harness.close();
    const last = told().at(-1);
    expect(last?.lsr).toBe(report.readUInt32BE(10));
    expect(Number(last?.dlsr) / 65.536).toBeCloseTo(harness.elapsed - heardAt, -1);
  });

  test('are sent without blocks while nothing comes, also on a line on hold (RFC 7866 §8.1.1)', async () => {
    await harness.engine.open(harness.request([{ ...reporting(0), active: false }]));
    harness.advanceTo(20_000);
    expect(harness.receiver.sent.length).toBeGreaterThanOrEqual(2);
    expect(told()).toEqual([]);
    await harness.close();
  });

  test('go to where the reports of the client come from, once they do (RTP-2)', async () => {
    await harness.engine.open(harness.request([reporting(0)]));
    harness.receiver.deliver(REPORTS, harness.wall, bye(9), '192.0.2.1:61000');
    harness.advanceTo(20_000);
    expect(new Set(harness.receiver.sent.map(({ to }) => to))).toEqual(new Set(['192.0.2.1:61000']));
    await harness.close();
  });

  test('go beside the audio where that comes from another host than the SDP names', async () => {
    await harness.engine.open(harness.request([reporting(0, { mux: false, target: '10.0.0.1:4001' })]));
    harness.stream(PORT, 0, 400);
    expect(harness.receiver.sent.at(-1)?.to).toBe('192.0.2.1:4001');
    await harness.close();
  });

  test('go nowhere where the client named no place and sent nothing (SDP-14)', async () => {
    await harness.engine.open(harness.request([reporting(0, { mux: false })]));
    harness.advanceTo(20_000);
    expect(harness.receiver.sent).toEqual([]);
    await harness.close();
  });

  test('share the port of the audio where the SDP says so (RTP-5)', async () => {
    await harness.engine.open(harness.request([reporting(0, { mux: true, target: CLIENT })]));
    expect([...harness.receiver.sinks.keys()]).toEqual([PORT]);
    harness.stream(PORT, 0, 400);
    const report = senderReport({ ssrc: 1, wallClock: START, timestamp: 0, packets: 400 });
    harness.receiver.deliver(PORT, harness.wall, report);
    const result = await harness.close();
    expect(harness.receiver.sent.at(-1)).toMatchObject({ port: PORT, to: CLIENT });
    expect(result.legs[0]).toMatchObject({ rejected: 0, reports: { received: 1, packetsSent: 400 } });
  });
});

describe('reports of the client', () => {
  test('are counted and are no audio; what is none of theirs is left alone', async () => {
    await harness.engine.open(harness.request([reporting(0)]));
    harness.stream(PORT, 0, 100);
    for (const bytes of [
      senderReport({ ssrc: 1, wallClock: START, timestamp: 0, packets: 100 }),
      bye(1),
      Buffer.from('no report at all'),
      rtp({ sequenceNumber: 101, timestamp: 16_000, ssrc: 1 }),
    ])
      harness.receiver.deliver(REPORTS, harness.wall, bytes, '192.0.2.1:4001');
    // A client that says goodbye and goes on is heard (RTP-6).
    harness.stream(PORT, 2000, 50, { sequence: 101, clock: 16_000 });
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({
      received: 150,
      rejected: 0,
      reports: { received: 2, malformed: 2, byes: 1, packetsSent: 100 },
    });
  });

  test('from outside the networks of the trunk are turned away, and nothing is sent there (RTP-8)', async () => {
    await harness.engine.open(harness.request([{ ...reporting(0), sources: ['192.0.2.0/24'] }]));
    const report = senderReport({ ssrc: 1, wallClock: START, timestamp: 0 });
    harness.receiver.deliver(REPORTS, harness.wall, report, '203.0.113.9:4001');
    harness.advanceTo(20_000);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({ foreign: 1, reports: { received: 0 } });
    expect(harness.receiver.sent.some(({ to }) => to.startsWith('203.'))).toBe(false);
  });

  test('go on in the recording that succeeds another on the same ports', async () => {
    await harness.engine.open(harness.request([reporting(0)]));
    harness.receiver.deliver(REPORTS, harness.wall, bye(9), '192.0.2.1:61000');
    harness.stream(PORT, 0, 50);
    await harness.engine.succeed('rec1', harness.request([reporting(0)], 'rec2'));
    await harness.engine.close('rec1', harness.wall);
    const before = harness.receiver.sent.length;
    harness.stream(PORT, 1000, 500, { sequence: 51, clock: 8000 });
    const result = await harness.close('rec2');
    expect(harness.receiver.sent.length).toBeGreaterThan(before);
    expect(harness.receiver.sent.at(-1)).toMatchObject({ port: REPORTS, to: '192.0.2.1:61000' });
    expect(result.legs[0]?.reports?.sent).toBe(harness.receiver.sent.length - before);
    expect(harness.receiver.sinks.size).toBe(0);
  });
});

test('SRTCP: reports of an encrypted line are opened and ours are closed, forged ones count as unauthentic', async () => {
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  const keying = () => ({ suite, masters: [{ bytes: newMasterKey(suite) }] }) as const;
  const [theirs, own] = [keying(), keying()];
  const copy = ({ masters }: typeof own) =>
    ({ suite, masters: [{ bytes: Uint8Array.from(masters[0].bytes) }] }) as const;
  const client = {
    sender: new SrtpSender(threadSrtp(), copy(theirs)),
    receiver: new SrtpReceiver(threadSrtp(), copy(own)),
  };
  await harness.engine.open(
    harness.request([{ ...reporting(0), security: { theirs, own, unencryptedRtcp: false } }]),
  );
  const report = senderReport({ ssrc: 1, wallClock: START, timestamp: 0, packets: 7 });
  harness.receiver.deliver(REPORTS, harness.wall, client.sender.protectRtcp(report), '192.0.2.1:4001');
  harness.receiver.deliver(REPORTS, harness.wall, report, '192.0.2.1:5001');
  harness.advanceTo(20_000);
  const result = await harness.close();
  expect(result.legs[0]).toMatchObject({ unauthentic: 1, reports: { received: 1, packetsSent: 7 } });
  const { datagram, to } = harness.receiver.sent[0] ?? { datagram: Buffer.alloc(0), to: '' };
  expect(to).toBe('192.0.2.1:4001');
  const length = client.receiver.openRtcp(datagram, 0, datagram.length);
  expect(readOurs(Buffer.from(client.receiver.clear.subarray(0, length))).types).toEqual([201, 202]);
});

test('takes another pair where the odd port belongs to somebody else', async () => {
  harness.receiver.taken.add(REPORTS);
  const { lines } = await harness.engine.open(harness.request([reporting(0)]));
  expect(lines).toEqual([{ line: 0, port: 20_002 }]);
  expect([...harness.receiver.sinks.keys()].sort()).toEqual([20_002, 20_003]);
  await harness.close();
  expect(harness.givenBack).toEqual([20_000, 20_002]);
});

describe('RTP-3: the way of the audio is kept open', () => {
  const kept = { mux: false, target: '192.0.2.1:4001', keepAlive: { target: CLIENT } };
  const nothings = (): readonly string[] =>
    harness.receiver.sent.flatMap(({ port, to, datagram }) => (datagram.length === 0 ? `${port} ${to}` : []));

  test('by an empty datagram about every 15 s, to where the SDP wants audio, also on hold', async () => {
    await harness.engine.open(harness.request([{ ...reporting(0, kept), active: false }]));
    harness.advanceTo(90_000);
    const sent = nothings();
    expect(sent.length).toBeGreaterThanOrEqual(3);
    expect(sent.length).toBeLessThanOrEqual(13);
    expect(new Set(sent)).toEqual(new Set([`${PORT} ${CLIENT}`]));
    await harness.close();
    expect(nothings()).toEqual(sent);
  });

  test('to where the audio comes from, once it does, though the SDP names no address', async () => {
    await harness.engine.open(harness.request([reporting(0, { ...kept, keepAlive: { target: undefined } })]));
    const packet = rtp({});
    harness.receiver.deliver(PORT, harness.wall, packet, '192.0.2.9:7000');
    harness.advanceTo(60_000);
    expect(new Set(nothings())).toEqual(new Set([`${PORT} 192.0.2.9:7000`]));
    await harness.close();
  });

  test.each([
    ['where reports share its port', { ...kept, mux: true, target: CLIENT }],
    ['where the trunk does not want it', { mux: false, target: '192.0.2.1:4001' }],
  ])('by nothing of its own %s', async (_where, rtcp) => {
    await harness.engine.open(harness.request([reporting(0, rtcp)]));
    harness.advanceTo(60_000);
    expect(nothings()).toEqual([]);
    await harness.close();
  });
});
