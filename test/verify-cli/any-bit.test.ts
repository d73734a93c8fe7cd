import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verify } from '../../verify-cli/verify.ts';
import { resultOf } from '../../verify-cli/verdict.ts';
import { writeArchive } from '../support/evidence-archive.ts';
import { flip } from '../support/tamperings.ts';
import { buildWholeArchive, readFixtureKeys } from '../support/whole-archive.ts';

jest.setTimeout(120_000);

const ROOT = join(import.meta.dirname, '../..');

let root: string;
let intact: ReadonlyMap<string, Buffer>;
/** A query that was kept only serves the nonce; nothing else in it is evidence. */
let paths: readonly string[];

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sealtape-any-bit-'));
  intact = (await buildWholeArchive(readFixtureKeys(join(ROOT, 'fixtures/evidence/keys')))).files;
  paths = [...intact.keys()].filter((path) => !path.endsWith('.tsq'));
  writeArchive(root, intact);
});

afterAll(() => {
  rmSync(root, { recursive: true });
});

async function resultWith(path: string, position: number, bit: number): Promise<string> {
  const before = intact.get(path) ?? Buffer.alloc(0);
  const files = new Map([[path, before]]);
  flip(files, path, position, bit);
  writeFileSync(join(root, path), files.get(path) ?? before);
  try {
    return resultOf(await verify({ path: root }));
  } finally {
    writeFileSync(join(root, path), before);
  }
}

test('no bit at the beginning, in the middle or at the end of any file can be flipped unnoticed', async () => {
  expect(resultOf(await verify({ path: root }))).toBe('intact');
  for (const path of paths)
    for (const position of [0, Math.floor((intact.get(path)?.length ?? 0) / 2), -1])
      expect([path, position, await resultWith(path, position, 0)]).toEqual([
        path,
        position,
        'altered or incomplete',
      ]);
});

test('no bit anywhere can be flipped unnoticed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...paths),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.nat(7),
      async (path, where, bit) => {
        const position = Math.floor(where * (intact.get(path)?.length ?? 0));
        expect(await resultWith(path, position, bit)).toBe('altered or incomplete');
      },
    ),
    { numRuns: 50 },
  );
});

test('the worked example of the specification does what it says', () => {
  const page = readFileSync(join(ROOT, 'docs/evidence-format.md'), 'utf8');
  const script = /```sh\n([^]*?)```/.exec(page)?.[1] ?? '';
  const output = execFileSync('sh', ['-eu', '-c', script.replaceAll('/tmp/', `${root}/`)], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(output.match(/Verified OK/g)).toHaveLength(2);
  // Two files, the two lines of what was stamped, and the token itself.
  expect(output.match(/: OK/g)).toHaveLength(5);
  const [, hash] = /^([0-9a-f]{64}) {2}-\nprev sha256:\1$/m.exec(output) ?? [];
  expect(hash).toBeDefined();
  const [, list, signature] =
    /^([0-9a-f]{64}) {2}\S+_hash\.txt\n([0-9a-f]{64}) {2}\S+\.sig$/m.exec(output) ?? [];
  expect(output).toContain(`hash sha256:${list ?? '?'}\nsig sha256:${signature ?? '?'}\n`);
});
