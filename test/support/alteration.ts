import { Buffer } from 'node:buffer';
import { checkpointPath, entryFilePath } from '../../src/evidence/layout.ts';
import type { FindingCode } from '../../src/evidence/finding.ts';
import type { FixtureKeys, Twist, WholeArchive } from './whole-archive.ts';

type Files = Map<string, Buffer>;
type Change = (files: Files, archive: WholeArchive, keys: FixtureKeys) => void;

/** One change from the intact archive of `fixtures/evidence`: what was done, and how a verifier names it. */
export interface Alteration {
  /** Folder: `altered-<name>`. */
  readonly name: string;
  /** For the table of the README. */
  readonly what: string;
  readonly twist?: Twist;
  readonly change?: Change;
  /** Code and beginning of the message of `sealtape-verify`. */
  readonly found: readonly [code: FindingCode, detail: RegExp];
  /** What `verify.sh` says; undefined for what it leaves to `sealtape-verify`. */
  readonly shell?: RegExp;
  /** Files of `fixtures/evidence` that the verifying person must have kept. */
  readonly with?: readonly (readonly ['--cert' | '--genesis' | '--since', file: string])[];
}

export const read = (files: Files, path: string): Buffer => {
  const bytes = files.get(path);
  if (bytes === undefined) throw new Error(`no ${path}`);
  return bytes;
};

export const place = ({ calls }: WholeArchive, at: 0 | 1 | 2 | 3): string =>
  `${calls[at].folder}${calls[at].name}`;

/** Rewrites a text file; throws when nothing changes. */
export function edit(files: Files, path: string, change: (text: string) => string): void {
  const before = read(files, path).toString('latin1');
  const after = change(before);
  if (after === before) throw new Error(`${path} stays as it is`);
  files.set(path, Buffer.from(after, 'latin1'));
}

export const inList =
  (change: (text: string) => string): Change =>
  (files, archive) => {
    edit(files, `${place(archive, 0)}_hash.txt`, change);
  };

export const inProof =
  (change: (text: string) => string): Change =>
  (files, archive) => {
    edit(files, `${place(archive, 0)}.tlog-proof`, change);
  };

export const inEntries =
  (change: (text: string) => string): Change =>
  (files, { main }) => {
    edit(files, entryFilePath(main.origin, 0), change);
  };

export const inCheckpoint =
  (change: (text: string) => string): Change =>
  (files, { main, sizes }) => {
    edit(files, checkpointPath(main.origin, sizes[2], 'txt'), change);
  };

/** The next digit of base64: other unused bits, the same octets. */
export function stray(digit: string): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return digits[digits.indexOf(digit) + 1] ?? '';
}
