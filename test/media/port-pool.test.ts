import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MediaError } from '../../src/media/media-error.ts';
import { parsePortRange, PortPool, QUARANTINE_MS, splitPortRange } from '../../src/media/port-pool.ts';

const takeAll = (pool: PortPool): number[] => {
  const ports: number[] = [];
  for (let port = pool.take(); port !== undefined; port = pool.take()) ports.push(port);
  return ports;
};

describe('PortPool', () => {
  test.each([
    ['20000-20007', [20000, 20002, 20004, 20006]],
    ['20001-20007', [20002, 20004, 20006]],
    ['20000-20006', [20000, 20002, 20004]],
    ['65534-65535', [65534]],
  ])('hands out each even port of %s once, with its odd neighbour inside', (range, ports) => {
    const pool = new PortPool(range, () => 0);
    expect(pool.available()).toBe(ports.length);
    expect(takeAll(pool)).toEqual(ports);
    expect(pool.available()).toBe(0);
  });

  test('keeps a port back for ten seconds after its call (RTP-10)', () => {
    let now = 1_000;
    const pool = new PortPool('20000-20001', () => now);
    expect(pool.take()).toBe(20000);
    pool.giveBack(20000, now);
    now += QUARANTINE_MS - 1;
    expect([pool.take(), pool.available()]).toEqual([undefined, 0]);
    now += 1;
    expect([pool.available(), pool.take()]).toEqual([1, 20000]);
  });

  test('prefers ports never used, then the one that rested longest', () => {
    let now = 0;
    const pool = new PortPool('20000-20005', () => now);
    pool.take();
    pool.take();
    pool.giveBack(20002, 5);
    pool.giveBack(20000, 3);
    now = QUARANTINE_MS + 5;
    expect(takeAll(pool)).toEqual([20004, 20000, 20002]);
  });

  test('ignores a port given back twice or never taken', () => {
    const pool = new PortPool('20000-20003', () => QUARANTINE_MS);
    pool.take();
    pool.giveBack(20000, 0);
    pool.giveBack(20000, 0);
    pool.giveBack(20002, 0);
    pool.giveBack(5, 0);
    expect(takeAll(pool)).toEqual([20002, 20000]);
  });

  test('lets ports rest that someone else has used', () => {
    let now = 50_000;
    const pool = new PortPool('20000-20007', () => now);
    pool.take();
    for (const port of [20000, 20002, 5]) pool.rest(port, now);
    expect(takeAll(pool)).toEqual([20004, 20006]);
    now += QUARANTINE_MS;
    expect(takeAll(pool)).toEqual([20002]);
  });

  test('never has one port out twice, whatever the order of calls', () => {
    const steps = fc.array(fc.record({ take: fc.boolean(), wait: fc.nat(4_000), which: fc.nat() }), {
      maxLength: 400,
    });
    fc.assert(
      fc.property(steps, (calls) => {
        let now = 0;
        const pool = new PortPool('20000-20019', () => now);
        const out: number[] = [];
        const backAt = new Map<number, number>();
        for (const call of calls) {
          now += call.wait;
          if (!call.take && out.length > 0) {
            const [port] = out.splice(call.which % out.length, 1);
            pool.giveBack(Number(port), now);
            backAt.set(Number(port), now);
            continue;
          }
          const port = pool.take();
          if (port === undefined) continue;
          expect(out).not.toContain(port);
          expect(now - (backAt.get(port) ?? -Infinity)).toBeGreaterThanOrEqual(QUARANTINE_MS);
          out.push(port);
        }
        expect(pool.available()).toBe(takeAll(pool).length);
      }),
    );
  });
});

describe('splitPortRange', () => {
  test.each([
    ['20000-29999', 2, ['20000-24999', '25000-29999']],
    ['20000-20007', 3, ['20000-20001', '20002-20003', '20004-20007']],
    ['20000-29999', 1, ['20000-29999']],
  ])('cuts %s for %i threads at even ports', (range, threads, parts) => {
    expect(splitPortRange(range, threads)).toEqual(parts);
  });

  test('refuses more threads than pairs of ports', () => {
    expect(() => splitPortRange('20000-20003', 3)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});

describe('parsePortRange', () => {
  test.each(['', '20000', '0-10', '30000-20000', '20000-65536', '20000-29999x', '-5-10'])(
    'refuses %j',
    (text) => {
      expect(() => parsePortRange(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    },
  );

  test('only ever throws MediaError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d*-\d*$/)), (text) => {
        try {
          const range = parsePortRange(text);
          expect(range.first).toBeLessThanOrEqual(range.last);
        } catch (error) {
          expect(error).toBeInstanceOf(MediaError);
        }
      }),
    );
  });
});
