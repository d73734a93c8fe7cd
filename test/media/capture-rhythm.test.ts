import { afterEach, expect, test } from '@jest/globals';
import { mkdirSync } from 'node:fs';
import { nodeDisk, type AudioDisk } from '../../src/media/audio-disk.ts';
import { SILENCE } from '../../src/media/g711.ts';
import { WAV_HEADER_BYTES } from '../../src/media/wav-header.ts';
import { aLine, EngineHarness, START } from './engine-harness.ts';
import { rtp } from './rtp-builder.ts';

const PORTS = [20_000, 20_002, 20_004];
const SECONDS = 30;

let harness: EngineHarness;
afterEach(() => harness.dispose());

/** Lets three calls talk for half a minute; returns when each file was written and synced, in ms. */
async function listen(
  flushSeconds: number,
  syncSeconds: number,
): Promise<{ writes: Map<number, number[]>; syncs: Map<number, number[]> }> {
  const writes = new Map<number, number[]>();
  const syncs = new Map<number, number[]>();
  const note = (times: Map<number, number[]>, fd: number): void => {
    times.set(fd, [...(times.get(fd) ?? []), harness.elapsed]);
  };
  const disk: AudioDisk = {
    ...nodeDisk,
    write: (fd, octets, length, position) => {
      if (position >= WAV_HEADER_BYTES) note(writes, fd);
      return nodeDisk.write(fd, octets, length, position);
    },
    sync: (fd) => {
      note(syncs, fd);
      return Promise.resolve();
    },
  };
  harness = await EngineHarness.create(disk, { flushSeconds, syncSeconds });
  for (const [index] of PORTS.entries()) {
    const folder = `${harness.folder}/${index}`;
    mkdirSync(folder);
    await harness.engine.open({ ...harness.request([aLine(0, 'mixed')], `rec${index}`), folder });
  }
  for (let packet = 0; packet < SECONDS * 50; packet++) {
    for (const port of PORTS)
      harness.send(port, packet * 20, { sequenceNumber: packet, timestamp: packet * 160, ssrc: 1 });
    // A sync under way is through before the next one is due.
    if (packet % 25 === 0) await new Promise(setImmediate);
  }
  return { writes, syncs };
}

test.each([
  [1, 10, SECONDS, 2],
  [5, 5, SECONDS / 5, 5],
])(
  'writes once in %d s and syncs once in %d s, each call at a time of its own',
  async (flush, sync, mostWrites, leastSyncs) => {
    const { writes, syncs } = await listen(flush, sync);
    expect(writes.size).toBe(PORTS.length);
    for (const times of writes.values()) {
      expect(times.length).toBeLessThanOrEqual(mostWrites);
      expect(times.length).toBeGreaterThanOrEqual(mostWrites - 2);
    }
    for (const times of syncs.values()) {
      expect(times.length).toBeGreaterThanOrEqual(leastSyncs - 1);
      expect(times.length).toBeLessThanOrEqual(leastSyncs + 1);
    }
    for (const all of [writes, syncs]) {
      const first = [...all.values()].map(([time]) => time);
      expect(new Set(first).size).toBe(PORTS.length);
    }
  },
);

test('leaves nothing in the kernel when it writes', async () => {
  const heardUpTo: number[] = [];
  const disk: AudioDisk = {
    ...nodeDisk,
    write: (fd, octets, length, position) => {
      const audible = octets.subarray(0, length).findLastIndex((octet) => octet !== SILENCE.PCMA) + 1;
      if (position >= WAV_HEADER_BYTES)
        heardUpTo.push(harness.elapsed - (position - WAV_HEADER_BYTES + audible) / 8);
      return nodeDisk.write(fd, octets, length, position);
    },
  };
  harness = await EngineHarness.create(disk);
  const inKernel: (() => void)[] = [];
  harness.receiver.hurry = () => {
    for (const hand of inKernel.splice(0)) hand();
    return true;
  };
  await harness.engine.open(harness.request([aLine(0, 'mixed')]));
  for (let packet = 0; packet < 500; packet++) {
    const bytes = rtp({ sequenceNumber: packet, timestamp: packet * 160, ssrc: 1 });
    inKernel.push(() => {
      harness.receiver.deliver(PORTS[0] ?? 0, START + packet * 20, bytes);
    });
    harness.advanceTo(packet * 20);
  }
  // The first write is of silence: nobody knew the law of what had not come.
  expect(heardUpTo.length).toBeGreaterThanOrEqual(9);
  expect(Math.max(...heardUpTo)).toBeLessThanOrEqual(20);
});
