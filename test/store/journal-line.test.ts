import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { NotedEvent } from '../../src/recorder/events.ts';
import { decodeLine, encodeLine, scanFile } from '../../src/store/journal-line.ts';

const note = (step: string): NotedEvent => ({ type: 'noted', at: 1, recording: 'r1', step });

describe('lines of the journal', () => {
  const events = fc.array(fc.string({ unit: 'binary' }), { maxLength: 8 });

  test('come back as they were written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        fc.string({ unit: 'binary' }),
        (sequence, step) => {
          const line = encodeLine(sequence, JSON.stringify(note(step)));
          expect(line.indexOf('\n')).toBe(line.length - 1);
          expect(decodeLine(line.subarray(0, -1))).toEqual({
            sequence,
            event: JSON.parse(JSON.stringify(note(step))) as unknown,
          });
        },
      ),
    );
  });

  test('are all found but the one cut, wherever the file is cut', () => {
    fc.assert(
      fc.property(events, fc.nat(), (steps, where) => {
        const lines = steps.map((step, index) => encodeLine(index + 1, JSON.stringify(note(step))));
        const bytes = Buffer.concat(lines);
        const cut = where % (bytes.length + 1);
        let end = 0;
        const complete = lines.filter((line) => (end += line.length) <= cut).length;
        const scan = scanFile(bytes.subarray(0, cut));
        expect(scan.places.map(({ sequence }) => sequence)).toEqual(
          steps.slice(0, complete).map((_, i) => i + 1),
        );
        expect(scan.damaged).toEqual([]);
      }),
    );
  });

  test('are all found but the one hit, wherever an octet changes', () => {
    fc.assert(
      fc.property(events, fc.nat(), fc.integer({ min: 1, max: 255 }), (steps, where, change) => {
        const lines = steps.map((step, index) => encodeLine(index + 1, JSON.stringify(note(step))));
        const bytes = Buffer.concat(lines);
        if (bytes.length === 0) return;
        const at = where % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ change;
        // A lost LF takes the following line with it.
        expect(scanFile(bytes).places.length).toBeGreaterThanOrEqual(lines.length - 2);
      }),
    );
  });

  test('are looked for in arbitrary octets without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(scanFile(Buffer.from(bytes)).places).toEqual([]);
      }),
    );
  });

  test('behind zeros that a power cut left are found', () => {
    const line = encodeLine(1, JSON.stringify(note('a')));
    expect(scanFile(Buffer.concat([Buffer.alloc(100), line])).places).toEqual([
      { sequence: 1, offset: 100, length: line.length },
    ]);
  });
});
