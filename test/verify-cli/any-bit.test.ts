import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verify } from '../../verify-cli/verify.ts';
import { resultOf } from '../../verify-cli/verdict.ts';
import { buildArchive, makeSigner, writeArchive, type ArchiveBuilder } from '../support/evidence-archive.ts';
import { flip } from '../support/tamperings.ts';

const ROOT = join(import.meta.dirname, '../..');

let root: string;
let builder: ArchiveBuilder;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sealtape-any-bit-'));
  builder = await buildArchive(makeSigner());
  writeArchive(root, builder.files);
});

afterAll(() => {
  rmSync(root, { recursive: true });
});

test('no bit of any file can be flipped unnoticed', async () => {
  const paths = [...builder.files.keys()];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...paths),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.nat(7),
      async (path, where, bit) => {
        const intact = builder.files.get(path) ?? Buffer.alloc(0);
        const files = new Map([[path, intact]]);
        flip(files, path, Math.floor(where * intact.length), bit);
        writeFileSync(join(root, path), files.get(path) ?? intact);
        const verification = await verify({ path: root, certificates: [] });
        writeFileSync(join(root, path), intact);
        expect(resultOf(verification)).toBe('altered or incomplete');
      },
    ),
    { numRuns: 150 },
  );
});

test('the worked example of the specification does what it says', () => {
  const page = readFileSync(join(ROOT, 'docs/evidence-format.md'), 'utf8');
  const script = /```sh\n([^]*?)```/.exec(page)?.[1] ?? '';
  const output = execFileSync('sh', ['-eu', '-c', script.replaceAll('/tmp/', `${root}/`)], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect(output.match(/Verified OK/g)).toHaveLength(2);
  expect(output.match(/: OK/g)).toHaveLength(2);
  const [, hash] = /^([0-9a-f]{64}) {2}-\nprev sha256:\1$/m.exec(output) ?? [];
  expect(hash).toBeDefined();
  const [, list, signature] =
    /^([0-9a-f]{64}) {2}\S+_hash\.txt\n([0-9a-f]{64}) {2}\S+\.sig$/m.exec(output) ?? [];
  expect(output).toContain(`hash sha256:${list ?? '?'}\nsig sha256:${signature ?? '?'}\n`);
});
