import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { wavHeader } from '../../src/media/wav-header.ts';
import { Ffmpeg } from '../../src/store/ffmpeg.ts';

let folder: string;
let input: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-ffmpeg-'));
  input = join(folder, 'audio.wav.part');
  writeFileSync(input, Buffer.concat([wavHeader({ law: 'PCMA', channels: 1 }, 8000), Buffer.alloc(8000, 1)]));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Programs that still run on the input: none may be left behind. */
const leftBehind = (): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        // It ended meanwhile.
        return [];
      }
    })
    .filter((command) => command.includes(input));

// A real ffmpeg that would never end: the input again and again, for ever.
test.each([
  ['time', 'aloop=loop=-1:size=8000,arealtime', { timeoutSeconds: 2, memoryMegabytes: 1024 }, /too long/],
  // Turned round, it is kept in memory until its end, which never comes.
  [
    'memory',
    'aloop=loop=-1:size=8000,areverse',
    { timeoutSeconds: 60, memoryMegabytes: 320 },
    /ffmpeg failed/,
  ],
])(
  'a copy that runs away is stopped by its limit of %s and leaves nothing',
  async (_name, filter, limits, reason) => {
    const to = join(folder, 'copy.wav');
    const plan = {
      inputs: [{ path: input }],
      graph: `[0:a]${filter}[out]`,
      rate: 8000,
      ticks: 8000,
      left: [],
      alone: [],
    };
    const rendered = new Ffmpeg({ program: 'ffmpeg', ...limits }).render(
      plan,
      to,
      new AbortController().signal,
    );
    await expect(rendered).rejects.toThrow(
      expect.objectContaining({ code: 'INVALID', message: expect.stringMatching(reason) }),
    );
    expect(existsSync(to)).toBe(false);
    expect(leftBehind()).toEqual([]);
  },
);
