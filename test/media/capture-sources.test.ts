import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { aLine, EngineHarness } from './engine-harness.ts';
import { octets } from './rtp-builder.ts';
import { readWav } from '../support/wav.ts';

let harness: EngineHarness;
beforeEach(async () => {
  harness = await EngineHarness.create();
});
afterEach(() => harness.dispose());

test('a packet from a wrong source reaches no file, however well it fits, and is counted', async () => {
  const line = { ...aLine(0, 'mixed'), sources: ['192.0.2.0/24'] };
  await harness.engine.open(harness.request([line]));
  for (let index = 0; index < 50; index++) {
    const packet = { sequenceNumber: index, timestamp: index * 160, ssrc: 7 };
    // The stranger is first with every number, under the SSRC of the call.
    harness.send(20_000, index * 20, { ...packet, payload: Buffer.alloc(160, 1) }, '198.51.100.1:4000');
    harness.send(20_000, index * 20, { ...packet, payload: octets(index * 160, 160) });
  }
  const result = await harness.close();
  expect(result.legs[0]).toMatchObject({
    received: 50,
    duplicate: 0,
    foreign: 50,
    foreignSources: ['198.51.100.1:4000'],
    sources: ['192.0.2.1:4000'],
    octets: 8000,
  });
  const [audio] = readWav(result.files[0]?.path ?? '').audio;
  expect(audio?.subarray(0, 8000)).toEqual(octets(0, 8000));
});

test('STUN of a client that speaks ICE is no audio, no fault and no stranger, from wherever it comes; what only looks like it is', async () => {
  const line = { ...aLine(0, 'mixed'), sources: ['192.0.2.0/24'] };
  await harness.engine.open(harness.request([line]));
  // A binding request with one attribute, and the same with a length that is not its own.
  const check = Buffer.alloc(28);
  check.writeUInt16BE(1, 0);
  check.writeUInt16BE(8, 2);
  check.writeUInt32BE(0x2112a442, 4);
  const broken = Buffer.from(check);
  broken.writeUInt16BE(9, 2);
  for (let index = 0; index < 50; index++) {
    const packet = { sequenceNumber: index, timestamp: index * 160, ssrc: 7 };
    harness.send(20_000, index * 20, { ...packet, payload: octets(index * 160, 160) });
    for (const source of ['192.0.2.1:4000', '198.51.100.1:4000'])
      harness.receiver.deliver(20_000, harness.wall, check, source);
  }
  harness.receiver.deliver(20_000, harness.wall, broken);
  const result = await harness.close();
  expect(result.legs[0]).toMatchObject({
    received: 50,
    rejected: 1,
    sources: ['192.0.2.1:4000'],
    octets: 8000,
  });
  expect(result.legs[0]?.foreign ?? 0).toBe(0);
  expect(harness.receiver.sent).toEqual([]);
});

test('RTP-8, SDP-15: the source moves in mid-call, and by a re-offer to another network', async () => {
  const line = { ...aLine(0, 'mixed'), sources: ['192.0.2.0/24'] };
  const { lines } = await harness.engine.open(harness.request([line]));
  const port = lines[0]?.port ?? 0;
  const send = (index: number, source: string): void => {
    const clock = index * 160;
    harness.send(
      port,
      index * 20,
      { sequenceNumber: index, timestamp: clock, ssrc: 7, payload: octets(clock, 160) },
      source,
    );
  };
  for (let index = 0; index < 10; index++) send(index, '192.0.2.1:4000');
  for (let index = 10; index < 20; index++) send(index, '192.0.2.77:6000');
  await harness.engine.change({
    id: 'rec1',
    at: harness.wall,
    lines: [{ ...line, sources: ['203.0.113.5'] }],
  });
  for (let index = 20; index < 30; index++) send(index, '203.0.113.5:4000');
  const result = await harness.close();
  expect(result.legs[0]).toMatchObject({ received: 30, lost: 0, gapCount: 0 });
  expect(result.legs[0]?.sources).toEqual(['192.0.2.1:4000', '192.0.2.77:6000', '203.0.113.5:4000']);
  expect(result.legs[0]).not.toHaveProperty('foreign');
  expect(readWav(result.files[0]?.path ?? '').audio[0]?.subarray(0, 4800)).toEqual(octets(0, 4800));
});
