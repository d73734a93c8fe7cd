import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placeCall } from '../../src/client/call.ts';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { filesBelow, startRecorder } from '../support/recorder-process.ts';
import { recordingsIn, verifyNode, verifyShell, type SealedRecording } from '../support/sealed-recording.ts';

let origin: string;
let archive: string;
let names: readonly string[];

/** A real archive of three calls, closed in good order; every case works on a copy. */
beforeAll(async () => {
  const recorder = await startRecorder();
  for (const number of ['1', '2', '3'])
    await placeCall({
      to: `sip:127.0.0.1:${recorder.udpPort}`,
      caller: { number, law: 'PCMA', audio: speakTones(CALLER_VOICE, 0.5, 'PCMA') },
      callee: { number: `${number}0`, law: 'PCMA', audio: speakTones(CALLEE_VOICE, 0.5, 'PCMA') },
    });
  await recorder.stop();
  origin = recorder.dataDir;
  archive = recorder.archive;
  names = recordingsIn(archive).map(({ name }) => name);
}, 60_000);

afterAll(() => {
  rmSync(origin, { recursive: true });
});

function copyOfArchive(): { readonly root: string; readonly recordings: readonly SealedRecording[] } {
  const root = join(mkdtempSync(join(tmpdir(), 'sealtape-tamper-')), 'usb stick');
  cpSync(archive, root, { recursive: true });
  return { root, recordings: recordingsIn(root) };
}

function flipBit(file: string, at = 0.5): void {
  const bytes = readFileSync(file);
  const place = Math.floor(bytes.length * at);
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

type Copy = ReturnType<typeof copyOfArchive>;
const evidence = (root: string, part: string): string =>
  join(root, 'evidence', filesBelow(join(root, 'evidence')).find((file) => file.includes(part)) ?? part);

const TAMPERINGS: readonly (readonly [string, (copy: Copy) => string])[] = [
  ...['.wav', '_info.txt', '_hash.txt', '_hash.SHA256withRSA.sig'].map(
    (suffix) =>
      [
        `a flipped bit in ${suffix}`,
        ({ recordings }: Copy) => {
          const file = recordings[1]?.path(suffix) ?? '';
          flipBit(file);
          return recordings[1]?.name ?? '';
        },
      ] as const,
  ),
  [
    'a flipped bit in an entry',
    ({ root }) => {
      flipBit(evidence(root, '/entries/'), 0.6);
      return '000000.txt';
    },
  ],
  [
    'a flipped bit in a checkpoint',
    ({ root }) => {
      const files = filesBelow(join(root, 'evidence')).filter((file) => /checkpoint\/\d+\.txt$/.test(file));
      flipBit(join(root, 'evidence', files.at(-1) ?? ''), 0.9);
      return 'checkpoint';
    },
  ],
  [
    'a deleted recording',
    ({ recordings }) => {
      for (const suffix of ['.wav', '_info.txt', '_hash.txt', '_hash.SHA256withRSA.sig'])
        rmSync(recordings[1]?.path(suffix) ?? '');
      // These come last, and may not have come yet.
      for (const suffix of ['_entry.txt', '.tlog-proof'])
        rmSync(recordings[1]?.path(suffix) ?? '', { force: true });
      return recordings[1]?.info.get('Recording-Id') ?? '';
    },
  ],
  [
    'a swapped pair',
    ({ recordings }) => {
      const [first, , third] = recordings.map(({ path }) => path('.wav')) as [string, string, string];
      renameSync(first, `${first}.x`);
      renameSync(third, first);
      renameSync(`${first}.x`, third);
      return recordings[0]?.name ?? '';
    },
  ],
];

describe('an archive', () => {
  test('as it was written is intact for both verifiers', () => {
    const { root } = copyOfArchive();
    expect(names).toHaveLength(3);
    for (const verdict of [
      verifyNode(root),
      verifyShell(['dash'], root),
      verifyShell(['busybox', 'sh'], root),
    ])
      expect(`${String(verdict.status)} ${verdict.output}`).toMatch(/^0 /);
    rmSync(join(root, '..'), { recursive: true });
  });

  test.each(TAMPERINGS)('with %s is named and refused by both verifiers', (_what, tamper) => {
    const copy = copyOfArchive();
    const named = tamper(copy);
    for (const verdict of [verifyNode(copy.root), verifyShell(['dash'], copy.root)]) {
      expect(`${String(verdict.status)} ${verdict.output}`).toMatch(/^1 /);
      expect(verdict.output).toContain(named);
    }
    rmSync(join(copy.root, '..'), { recursive: true });
  });
});
