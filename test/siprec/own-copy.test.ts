import { beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { spellingsOf } from '../../src/rules/number-pattern.ts';
import { ownText } from '../../src/siprec/own-copy.ts';
import { TraceFiles } from '../../src/store/trace-files.ts';

let collect: () => void;
beforeAll(() => {
  setFlagsFromString('--expose-gc');
  collect = runInNewContext('gc') as () => void;
});

const MEGABYTE = 1_000_000;

/** Megabytes that stay after some work. */
async function kept(work: () => Promise<void> | void): Promise<number> {
  // What texts of less than a megabyte take is all in the heap.
  const held = async (): Promise<number> => {
    for (let times = 0; times < 3; times += 1) {
      await setImmediate();
      collect();
    }
    return process.memoryUsage().heapUsed;
  };
  const before = await held();
  await work();
  return ((await held()) - before) / MEGABYTE;
}

/** A long text that is like no other, as it comes from a socket. */
const long = (octets: number, begin: string): string =>
  Buffer.concat([Buffer.from(begin), randomBytes(octets / 2)]).toString('latin1') + 'x'.repeat(octets / 2);

test('is the same text', () => {
  for (const text of ['', 'abc', 'Grüße, 世界 🎧', `lone ${String.fromCharCode(0xd800)}`])
    expect(ownText(text)).toBe(text);
});

test('the numbers that are remembered keep no document they stood in', async () => {
  const grown = await kept(() => {
    for (let index = 0; index < 40; index += 1) {
      const number = `+4989550${100_000_000 + index}`;
      const document = long(MEGABYTE, `<aor>sip:${number}@pbx</aor>`);
      const text = /sip:[^@]*/.exec(document)?.[0];
      expect(spellingsOf(text, 'DE').spellings).toContain(number);
    }
  });
  expect(grown).toBeLessThan(5);
});

test('the calls that traces were written of keep no message of theirs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'traces-'));
  const files = new TraceFiles(
    folder,
    { keepDays: 3, bytes: 100 * MEGABYTE, callBytes: 10 * MEGABYTE },
    () => undefined,
  );
  try {
    const grown = await kept(async () => {
      for (let index = 0; index < 100; index += 1) {
        const callId = `${index}-a-call-id-of-some-length@pbx.example`;
        const text = long(MEGABYTE / 2, `INVITE sip:srs SIP/2.0\r\nCall-ID: ${callId}\r\n\r\n`);
        files.keep({ direction: 'in', protocol: 'tcp', remote: '192.0.2.7:5060', text });
      }
      await files.close();
    });
    // It still knows them.
    await files.close();
    expect(grown).toBeLessThan(5);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
