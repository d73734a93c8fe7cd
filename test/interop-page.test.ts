import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

/** The requirement list: so many points in each group, counted from 1. */
const GROUPS = {
  SIG: 12,
  UAS: 21,
  RS: 7,
  DLG: 11,
  TMR: 6,
  SDP: 21,
  RTP: 14,
  SRTP: 8,
  META: 16,
  SNAP: 4,
  PAUSE: 4,
} as const;

/** Neither behaviour nor test, and the page says so: all of them may be left out by the standard, or are a choice. */
const NOT_BUILT = ['RS-6'];

const rows = read('docs/interop.md')
  .split('\n')
  .flatMap((line) => {
    const [, id, text = '', seen = ''] = /^\| ([A-Z]+-\d+) +\| (.*?) +\| (.*?) +\|$/.exec(line) ?? [];
    return id === undefined ? [] : [{ id, text, seen: seen.match(/(?<=`)[^`,]+(?=`)/g) ?? [] }];
  });

const fileOf = (name: string): string =>
  name.startsWith('fixture:') ? `fixtures/siprec/${name.slice(8)}.json` : `test/${name}.test.ts`;

test('docs/interop.md has a line for every point of the requirement list, and for nothing else', () => {
  const expected = Object.entries(GROUPS).flatMap(([group, count]) =>
    Array.from({ length: count }, (_none, at) => `${group}-${at + 1}`),
  );
  expect(rows.map(({ id }) => id)).toEqual(expected);
});

describe('every point says what happens and is held by tests that name it', () => {
  test.each(rows)('$id', ({ id, text, seen }) => {
    expect(text.length).toBeGreaterThan(10);
    if (NOT_BUILT.includes(id)) {
      expect(seen).toEqual([]);
      return;
    }
    expect(text).not.toContain('Not built');
    expect(seen.length).toBeGreaterThan(0);
    for (const name of seen) {
      const file = fileOf(name);
      expect({ file, there: existsSync(new URL(file, root)) }).toEqual({ file, there: true });
      // With a letter or digit behind it, it would be another point.
      expect({ file, names: new RegExp(`\\b${id}\\b`).test(read(file)) }).toEqual({ file, names: true });
    }
  });
});
