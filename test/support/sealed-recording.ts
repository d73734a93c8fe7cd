import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SILENCE, type Law } from '../../src/media/g711-encoder.ts';
import type { LegReport } from '../../src/client/call.ts';
import { eventually, filesBelow, ROOT } from './recorder-process.ts';

/** One recording in an archive: its four files, and its info as keys and values. */
export interface SealedRecording {
  readonly folder: string;
  readonly name: string;
  readonly path: (suffix: string) => string;
  readonly info: ReadonlyMap<string, string>;
  readonly infoText: string;
}

/** Waits until `count` recordings lie complete in the archive (the signature comes last). */
export async function awaitRecordings(
  archive: string,
  count: number,
  milliseconds = 20_000,
): Promise<SealedRecording[]> {
  return eventually(() => {
    const found = recordingsIn(archive);
    return found.length >= count ? found : undefined;
  }, milliseconds);
}

export function recordingsIn(archive: string): SealedRecording[] {
  let files: string[];
  try {
    files = filesBelow(archive);
  } catch {
    return [];
  }
  return files
    .filter((file) => file.endsWith('_hash.SHA256withRSA.sig'))
    .map((file) => readRecording(archive, file));
}

function readRecording(archive: string, signature: string): SealedRecording {
  const stem = join(archive, signature.slice(0, -'_hash.SHA256withRSA.sig'.length));
  const infoText = readFileSync(`${stem}_info.txt`, 'utf8');
  const lines = infoText.trimEnd().split('\n');
  return {
    folder: stem.slice(0, stem.lastIndexOf('/')),
    name: stem.slice(stem.lastIndexOf('/') + 1),
    path: (suffix) => `${stem}${suffix}`,
    info: new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])),
    infoText,
  };
}

/** What must stand in a leg's channel: the octets sent, silence where the sender dropped packets. */
export function expectedOctets(audio: Uint8Array, report: Pick<LegReport, 'missing'>, law: Law): Buffer {
  const expected = Buffer.from(audio);
  for (const { from, to } of report.missing) expected.fill(SILENCE[law], from, to);
  return expected;
}

/** Where `octets` begin in `channel`, -1 when they are not there; everything before and behind must be silence. */
export function findOctets(channel: Buffer, octets: Buffer, law: Law): number {
  const at = channel.indexOf(octets);
  if (at === -1) return -1;
  const silent = (part: Buffer): boolean => part.every((octet) => octet === SILENCE[law]);
  if (!silent(channel.subarray(0, at)) || !silent(channel.subarray(at + octets.length))) return -1;
  return at;
}

export interface ToolResult {
  readonly status: number | null;
  readonly output: string;
}

/** Runs a program to its end; output is both streams. */
export function run(
  command: string,
  args: readonly string[],
  cwd?: string,
  env: Readonly<Record<string, string>> = {},
): ToolResult {
  const result = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, ...env },
  });
  return { status: result.status, output: `${result.stdout}${result.stderr}` };
}

export const verifyNode = (...args: string[]): ToolResult =>
  run(process.execPath, [join(ROOT, 'dist/verify-cli/main.js'), ...args]);

export const verifyShell = (shell: readonly string[], ...args: string[]): ToolResult =>
  run(shell[0] ?? 'sh', [...shell.slice(1), join(ROOT, 'verify-cli/verify.sh'), ...args]);
