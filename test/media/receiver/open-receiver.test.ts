import { arch, platform } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { openReceiver } from '../../../src/media/receiver/open-receiver.ts';
import { OpenSockets } from '../../../src/media/receiver/open-sockets.ts';
import { formatSource, SourceKeys } from '../../../src/media/receiver/source-keys.ts';
import { SLICES, SLICE_MS, SweepWheel } from '../../../src/media/receiver/sweep-wheel.ts';

const batchWorks = platform() === 'linux' && ['x64', 'arm64'].includes(arch());

describe('openReceiver', () => {
  test.each([
    ['auto', batchWorks ? 'batch' : 'dgram'],
    ['dgram', 'dgram'],
  ] as const)('%s gives %s here', (kind, got) => {
    const lines: string[] = [];
    const receiver = openReceiver(kind, { now: Date.now, log: (line) => lines.push(line) });
    receiver.stop();
    expect(receiver.kind).toBe(got);
    expect(lines).toHaveLength(kind === 'auto' && !batchWorks ? 1 : 0);
  });

  const noKoffi = (): never => {
    throw new Error('no koffi here');
  };

  test('auto falls back to dgram where koffi does not load, and says why', () => {
    const lines: string[] = [];
    const receiver = openReceiver('auto', { now: Date.now, log: (line) => lines.push(line) }, noKoffi);
    receiver.stop();
    expect(receiver.kind).toBe('dgram');
    expect(lines).toEqual([expect.stringContaining('no koffi here')]);
  });

  test('batch is refused where koffi does not load', () => {
    expect(() => openReceiver('batch', { now: Date.now }, noKoffi)).toThrow(
      expect.objectContaining({ code: 'SOCKET' }),
    );
  });
});

describe('formatSource', () => {
  test.each([
    ['192.0.2.7', 5004, '192.0.2.7:5004'],
    ['2001:db8::7', 5004, '[2001:db8::7]:5004'],
    ['::ffff:192.0.2.7', 5004, '192.0.2.7:5004'],
    ['::ffff:0:7', 5004, '[::ffff:0:7]:5004'],
    ['fe80::1%2', 5004, '[fe80::1%2]:5004'],
  ])('%s and port %i read %s', (address, port, text) => {
    expect(formatSource(address, port)).toBe(text);
  });
});

describe('SourceKeys', () => {
  test('never gives two senders one key, however many there are', () => {
    const keys = new SourceKeys();
    const given = Array.from({ length: 10_000 }, (_, port) => keys.keyOf(`192.0.2.7:${port}`));
    expect(new Set(given).size).toBe(10_000);
    expect(keys.keyOf('192.0.2.7:9999')).toBe(given[9_999]);
  });
});

describe('SweepWheel', () => {
  test('brings every member up once in a full turn', () => {
    const wheel = new SweepWheel<number>(SLICES);
    for (let member = 0; member < 25; member += 1) wheel.add(member);
    wheel.remove(3);
    const turn = Array.from({ length: SLICES }, () => [...wheel.next()]);
    expect(turn.flat().sort((a, b) => a - b)).toEqual(
      Array.from({ length: 25 }, (_, m) => m).filter((m) => m !== 3),
    );
    expect(turn.map((slice) => slice.length).every((size) => size <= 1)).toBe(true);
    expect(wheel.all()).toHaveLength(24);
  });

  test.each([
    ['on time', SLICE_MS, 1],
    ['too early', SLICE_MS - 1, 0],
    ['three slices late', 3 * SLICE_MS, 3],
    ['after a stall', 1_000 * SLICE_MS, SLICES],
  ])('asked %s says how many slices are due', (_name, later, slices) => {
    const wheel = new SweepWheel<number>(SLICES);
    wheel.add(0);
    const start = 1_000_000;
    wheel.due(start);
    // The first call may come at any phase of the clock; from then on slices are SLICE_MS apart.
    expect(wheel.due(start + later)).toBe(slices);
  });

  test('keeps the pace when it is asked a little late every time', () => {
    const wheel = new SweepWheel<number>(SLICES);
    wheel.add(0);
    wheel.due(1_000_000);
    let slices = 0;
    for (let now = 1_000_021; now <= 1_021_000; now += 21) slices += wheel.due(now);
    expect(slices).toBe(1_050);
  });

  test('turns two and a half times as fast while its members are few', () => {
    const wheel = new SweepWheel<number>(SLICES, 2);
    const inASecond = (from: number): number => {
      let slices = 0;
      for (let now = from; now < from + 1_000; now += SLICE_MS) slices += wheel.due(now);
      return slices;
    };
    wheel.add(1);
    wheel.add(2);
    wheel.due(1_000_000 - SLICE_MS);
    expect(inASecond(1_000_000)).toBe(125);
    wheel.add(3);
    expect(inASecond(1_001_000)).toBe(50);
    wheel.remove(7);
    expect(inASecond(1_002_000)).toBe(50);
    wheel.remove(1);
    expect(inASecond(1_003_000)).toBe(125);
    expect(wheel.due(2_000_000)).toBe(SLICES);
  });

  test('a member that had a turn out of order comes up again after all others, and no later', () => {
    const wheel = new SweepWheel<number>(5);
    for (let member = 0; member < 5; member += 1) wheel.add(member);
    const [first = -1] = wheel.next();
    const [second = -1] = wheel.next();
    const [third = -1] = wheel.next();
    const turn = [[...wheel.next()], [...wheel.next()]];
    wheel.postpone(first);
    wheel.postpone(first);
    wheel.postpone(99);
    const rest = Array.from({ length: 5 }, () => [...wheel.next()]);
    expect(rest).toEqual([[], [second], [third], turn[0], [...(turn[1] ?? []), first]]);
    expect(wheel.all().sort()).toEqual([0, 1, 2, 3, 4]);
    wheel.remove(first);
    expect(wheel.all()).not.toContain(first);
    expect(Array.from({ length: 5 }, () => [...wheel.next()]).flat()).not.toContain(first);
  });
});

describe('OpenSockets', () => {
  test('lists what was added and not removed, and no more than fits', () => {
    const sockets = new OpenSockets(new Int32Array(3));
    for (const fd of [0, 11, 12, 13]) sockets.add(fd);
    sockets.remove(11);
    sockets.remove(99);
    sockets.add(14);
    sockets.remove(13);
    expect(sockets.takeAll().sort((a, b) => a - b)).toEqual([0, 12, 14]);
    expect(sockets.takeAll()).toEqual([]);
  });
});
