import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, win32 } from 'node:path';
import { ArchiveBuilder, buildArchive, makeSigner, writeArchive } from '../support/evidence-archive.ts';

/*
 * The verifier as it is, over the rules of Windows for paths: `node:path` is its Windows form, and the disk takes nothing but whole paths
 * of drive C or of a share, which is where this test's folder lies.
 */

const real = await import('node:fs/promises');
const folder = mkdtempSync(join(tmpdir(), 'sealtape-windows-'));
const DRIVE = 'C:\\';
const SHARE = '\\\\server\\archive\\';

/** The place of a Windows path here. A disk that has another case finds what is there. */
function placed(path: unknown): string {
  const text = String(path);
  const start = [DRIVE, SHARE].find((each) => text.toLowerCase().startsWith(each.toLowerCase()));
  if (start === undefined || text.includes('/')) throw new Error(`not a whole path of Windows: ${text}`);
  return join(folder, text.slice(start.length).replaceAll('\\', '/'));
}

const away =
  <Args extends readonly unknown[], Result>(call: (path: string, ...rest: Args) => Result) =>
  (path: unknown, ...rest: Args): Result =>
    call(placed(path), ...rest);

jest.unstable_mockModule('node:path', () => ({ ...win32, default: win32 }));
jest.unstable_mockModule('node:fs/promises', () => ({
  ...real,
  readdir: away(real.readdir as (path: string, ...rest: unknown[]) => unknown),
  stat: away(real.stat as (path: string, ...rest: unknown[]) => unknown),
  readFile: away(real.readFile as (path: string, ...rest: unknown[]) => unknown),
  open: away(real.open as (path: string, ...rest: unknown[]) => unknown),
  realpath: async (path: string): Promise<string> => {
    const whole = win32.normalize(path.replace(/^C:(?![\\/])/i, DRIVE));
    await real.stat(placed(whole));
    return whole.length > DRIVE.length ? whole.replace(/\\$/, '') : whole;
  },
}));

const { verify } = await import('../../verify-cli/verify.ts');
const { textReport } = await import('../../verify-cli/report.ts');
const { exitCodeOf, resultOf } = await import('../../verify-cli/verdict.ts');

let builder: ArchiveBuilder;

beforeAll(async () => {
  const key = makeSigner();
  builder = await buildArchive(key);
  builder.addProofs(await builder.checkpoint());
  writeArchive(join(folder, 'my stick'), builder.files);
  writeFileSync(join(folder, 'paper.pem'), key.certificatePem.replaceAll('\n', '\r\n'));
  // As an editor or a mail program of Windows leaves them.
  const kept = builder.files.get([...builder.files.keys()].find((name) => name.endsWith('/6.txt')) ?? '');
  writeFileSync(join(folder, 'kept.txt'), String(kept).replaceAll('\n', '\r\n'));
  writeFileSync(join(folder, 'genesis.txt'), String(builder.entries[0]).replaceAll('\n', '\r\n'));
  // A hand-over, and a log that was taken out of its archive.
  const log = [...builder.files.keys()].find((name) => name.endsWith('/genesis.txt')) ?? '';
  const slug = log.split('/')[1] ?? '';
  cpSync(join(folder, 'my stick/evidence', slug), join(folder, slug), { recursive: true });
  cpSync(join(folder, 'my stick/2026/11/23'), join(folder, 'handed over'), { recursive: true });
  cpSync(join(folder, slug), join(folder, 'handed over/proof', slug), { recursive: true });
  rmSync(join(folder, 'handed over/proof', slug, 'entries'), { recursive: true });
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const call = (): string => builder.calls[0]?.name ?? '';

async function run(path: string): Promise<readonly [code: number, text: string]> {
  const verification = await verify({
    path,
    certificates: ['C:\\paper.pem'],
    since: ['C:\\kept.txt'],
    genesis: ['C:\\genesis.txt'],
  });
  return [exitCodeOf(resultOf(verification)), textReport(verification)];
}

describe.each(['C:\\my stick', 'c:\\my stick\\', '\\\\server\\archive\\my stick', 'C:\\my stick"'])(
  'the archive %s',
  (root) => {
    test('is intact as a whole', async () => {
      const [code, text] = await run(root);
      expect([code, text]).toEqual([0, expect.stringContaining('(all of it)')]);
      expect(text).toContain('complete up to entry 16 of 16');
      expect(text).not.toContain('FOREIGN_FILE');
    });
  },
);

test.each([
  ['a folder', 'my stick\\2026\\11\\23', 'one folder'],
  ['a file', 'my stick\\2026\\11\\23\\CALL.wav', 'one recording'],
  ['its logs', 'my stick\\evidence', 'the log alone'],
  ['a log within', 'my stick\\evidence\\SLUG', 'the log alone'],
  ['a log by itself', 'SLUG', 'the log alone'],
])('%s of it is too', async (_, path, scope) => {
  const below = path.replace('CALL', call()).replace('SLUG', builder.origin.replaceAll('/', '_'));
  const [code, text] = await run(`C:\\${below}`);
  expect([code, text]).toEqual([0, expect.stringContaining(`(${scope})`)]);
});

test('a hand-over is too, and one of its files', async () => {
  for (const path of ['C:\\handed over', `C:\\handed over\\${call()}_info.txt`]) {
    const verification = await verify({ path, certificates: ['C:\\paper.pem'] });
    expect([exitCodeOf(resultOf(verification)), textReport(verification)]).toEqual([
      0,
      expect.stringContaining('recordings without their log'),
    ]);
  }
});

test('what was altered is named by its place in the archive, and what is not there by what was asked for', async () => {
  const file = join(folder, 'my stick/2026/11/23', `${call()}.wav`);
  const before = await real.readFile(file);
  writeFileSync(file, Buffer.concat([before, Buffer.from([0])]));
  const [code, text] = await run('C:\\my stick');
  writeFileSync(file, before);
  expect([code, text]).toEqual([1, expect.stringContaining(`FILE_ALTERED  2026/11/23/${call()}.wav`)]);
  await expect(run('C:\\nothing')).rejects.toThrow('C:\\nothing');
});
