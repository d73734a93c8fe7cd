import { describe, expect, test } from '@jest/globals';
import { readRtcp } from '../../../src/media/rtcp/rtcp-packet.ts';
import { application, bye, description, receiverReport, senderReport } from '../rtcp-builder.ts';

const WALL = Date.UTC(2026, 10, 25, 12) + 123.25;
const read = (bytes: Buffer): ReturnType<typeof readRtcp> => readRtcp(bytes, 0, bytes.length);
const usual = senderReport({ ssrc: 0xcafe, wallClock: WALL, timestamp: 4_000_000_000, packets: 250 });

describe('a compound packet (RTP-1)', () => {
  test('tells of a sender: its clocks, its counts, its name', () => {
    const news = read(usual);
    expect(news?.reports).toEqual([
      {
        ssrc: 0xcafe,
        wallClock: expect.closeTo(WALL, 3),
        middle: usual.readUInt32BE(10),
        timestamp: 4_000_000_000,
        packets: 250,
        octets: 40_000,
      },
    ]);
    expect(news?.names.get(0xcafe)).toBe('src@client');
  });

  test('is read in the middle of a slab, with reports of every kind', () => {
    const whole = Buffer.concat([
      usual,
      application(1),
      receiverReport(7),
      bye(0xcafe, 8),
      description(8, ''),
    ]);
    const slab = Buffer.concat([Buffer.alloc(37, 0xee), whole, Buffer.alloc(9, 0xee)]);
    const news = readRtcp(slab, 37, 37 + whole.length);
    expect(news?.byes).toEqual([0xcafe, 8]);
    expect(news?.names.get(8)).toBe('');
  });

  test('of a sender without a clock says so', () => {
    const bytes = Buffer.from(usual);
    bytes.fill(0, 8, 16);
    expect(read(bytes)?.reports[0]?.wallClock).toBe(0);
  });

  test('may be padded at its end', () => {
    const padded = Buffer.concat([bye(5), Buffer.from([0, 0, 0, 4])]);
    padded[0] = 0x80 | 0x20 | 1;
    padded.writeUInt16BE(2, 2);
    expect(read(padded)?.byes).toEqual([5]);
  });

  test('shows a name with nothing in it that could do harm', () => {
    expect([...(read(description(1, 'a\n\x1b[31m'))?.names.values() ?? [])]).toEqual(['a??[31m']);
  });
});

describe('what is no compound packet', () => {
  const lengthened = Buffer.from(usual);
  lengthened.writeUInt16BE(400, 2);
  const counted = Buffer.from(usual);
  counted[0] = 0x9f;
  const lyingBye = bye(1);
  lyingBye[0] = 0x9f;
  const padding = Buffer.from(usual);
  padding[0] = 0xa0;
  const endless = description(1, 'name');
  endless[9] = 255;
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['three octets', Buffer.from([0x80, 200, 0])],
    ['another version', Buffer.from([0x40, 200, 0, 0])],
    ['RTP', Buffer.from([0x80, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0])],
    ['a length beyond the datagram', lengthened],
    ['more blocks than fit', counted],
    ['more sources than leave', lyingBye],
    ['padding in its first packet', padding],
    ['an item beyond its packet', endless],
    ['half a second packet', usual.subarray(0, usual.length - 1)],
  ])('is turned down whole: %s', (_name, bytes) => {
    expect(read(bytes)).toBeUndefined();
  });

  test('never makes the reader throw or read beyond its end, whatever it holds', () => {
    // A generator of its own: the same every time.
    let seed = 1;
    const next = (limit: number): number => (seed = (seed * 48_271) % 0x7fff_ffff) % limit;
    const whole = Buffer.concat([usual, receiverReport(1), bye(1, 2), description(3, 'abc'), application(4)]);
    for (let round = 0; round < 20_000; round++) {
      const bytes = Buffer.from(whole.subarray(0, next(whole.length + 1)));
      for (let change = next(6); change > 0 && bytes.length > 0; change--)
        bytes[next(bytes.length)] = next(256);
      const news = read(bytes);
      if (news === undefined) continue;
      expect(news.reports.length).toBeLessThanOrEqual(bytes.length / 28);
      expect(news.byes.length).toBeLessThanOrEqual(bytes.length / 4);
    }
  });
});
