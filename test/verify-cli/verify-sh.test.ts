import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ArchiveBuilder,
  buildArchive,
  makeSigner,
  strewn,
  writeArchive,
  type TestKey,
} from '../support/evidence-archive.ts';
import { ALTERATIONS } from '../support/alterations.ts';
import { LONG } from '../support/long-run.ts';
import { buildWholeArchive, readFixtureKeys } from '../support/whole-archive.ts';
import { TAMPERINGS } from '../support/tamperings.ts';
import { inParallel } from '../../verify-cli/in-parallel.ts';

const SCRIPT = join(import.meta.dirname, '../../verify-cli/verify.sh');

let key: TestKey;
let builder: ArchiveBuilder;
let folder: string;
let serial = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-verify-sh-'));
  key = makeSigner();
  builder = await buildArchive(key);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function place(files: ReadonlyMap<string, Uint8Array>): string {
  serial += 1;
  const root = join(folder, `it's archive ${serial}`);
  writeArchive(root, files);
  return root;
}

function run(
  words: readonly string[],
  shell: readonly string[] = ['sh'],
): Promise<{ code: number; text: string }> {
  const [program = 'sh', ...first] = shell;
  return new Promise((resolve) => {
    const child = execFile(program, [...first, SCRIPT, ...words], (_, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, text: stdout + stderr });
    });
  });
}

const pathAt = (at: number): string => `${builder.calls[at]?.folder ?? ''}${builder.calls[at]?.name ?? ''}`;

test('shellcheck has nothing to say', () => {
  expect(execFileSync('shellcheck', [SCRIPT], { encoding: 'utf8' })).toBe('');
});

describe.each([
  ['dash', ['dash']],
  ['busybox', ['busybox', 'sh']],
])('an intact archive under %s', (_, shell) => {
  test('is intact with what a killed recorder and a file server left in its log', async () => {
    const { code, text } = await run([place(strewn(builder.files))], shell);
    expect([text, code]).toEqual([expect.stringContaining('Result: INTACT'), 0]);
  });

  test('is intact as a whole, by folder, by file and by its log', async () => {
    const root = place(builder.files);
    for (const path of [
      root,
      join(root, '2026/11/23'),
      join(root, `${pathAt(1)}_info.txt`),
      join(root, 'evidence'),
    ]) {
      const { code, text } = await run([path], shell);
      expect([text, code]).toEqual([expect.stringContaining('Result: INTACT'), 0]);
      expect(text).toContain('complete up to entry 16 of 16');
      expect(text).toContain('TAKEN FROM THE ARCHIVE ITSELF');
    }
  });

  test('is refused when a certificate of another key is given', async () => {
    const [own, other] = [join(folder, 'own cert.pem'), join(folder, 'other cert.pem')];
    writeFileSync(own, key.certificatePem);
    writeFileSync(other, makeSigner().certificatePem);
    const root = place(builder.files);
    expect(await run([root, own], shell)).toMatchObject({ code: 0 });
    const refused = await run([root, other], shell);
    expect(refused).toMatchObject({ code: 1, text: expect.stringContaining('no trusted certificate') });
  });
});

interface Ran {
  readonly code: number;
  /** The lines that name faults. */
  readonly faults: string;
}

async function faultsOf(words: readonly string[]): Promise<Ran> {
  const { code, text } = await run(words);
  return {
    code,
    faults: text
      .split('\n')
      .filter((line) => line.startsWith('FAULT'))
      .join('\n'),
  };
}

/** Runs the script once for each item, as many at a time as there are processors, and lets every test look at its own run. */
function runEach<Item>(items: readonly Item[], words: (item: Item) => readonly string[]): (at: Item) => Ran {
  const ran = new Map<Item, Ran>();
  beforeAll(async () => {
    await inParallel(items, availableParallelism(), async (item) => {
      ran.set(item, await faultsOf(words(item)));
    });
  }, 600_000);
  return (item) => ran.get(item) ?? { code: -1, faults: 'was not run' };
}

describe('an archive with one change', () => {
  // The published archives below cover the rest.
  const chosen = TAMPERINGS.filter((_, at) => at % (LONG ? 4 : 8) === 0);
  const ranOf = runEach(chosen, ({ tamper }) => {
    const files = new Map(builder.files);
    tamper(files, builder);
    return [place(files)];
  });

  test.each(chosen)('$name: named, exit 1', (tampering) => {
    const { code, faults } = ranOf(tampering);
    for (const pattern of tampering.named(builder)) expect(faults).toMatch(pattern);
    expect(code).toBe(1);
  });
});

const FIXTURES = join(import.meta.dirname, '../../fixtures/evidence');
const AUTHORITY = join(FIXTURES, 'keys/tsa-ca.pem');

test.each([
  ['dash', ['dash']],
  ['busybox', ['busybox', 'sh']],
])('the published archive is intact under %s: proofs, key roll and time stamps', async (_, shell) => {
  const { code, text } = await run([join(FIXTURES, 'intact'), '-', AUTHORITY], shell);
  expect([text, code]).toEqual([expect.stringContaining('Result: INTACT'), 0]);
  expect(text).toContain('Proofs       3 followed to the root');
  expect(text.match(/^Time stamp /gm)).toHaveLength(2);
});

test.each([
  ['dash', ['dash']],
  ['busybox', ['busybox', 'sh']],
])('what the log said of a running call is compared under %s, and fits', async (_, shell) => {
  const { files } = await buildWholeArchive(readFixtureKeys(join(FIXTURES, 'keys')), { told: 'truly' });
  const { code, text } = await run([place(files)], shell);
  expect([text, code]).toEqual([expect.stringContaining('Result: INTACT'), 0]);
  expect(text).toContain('Segments     1 files compared');
});

// Some hundred processes each: a sixth of them, and all with SEALTAPE_TEST_LONG. The auditor's other tool is given all of them every time.
const SHELLED = ALTERATIONS.flatMap(({ shell, ...rest }) =>
  shell === undefined ? [] : [{ ...rest, shell }],
).filter((_, at) => LONG || at % 6 === 0);

describe('a published archive with one change', () => {
  const ranOf = runEach(SHELLED, ({ name, with: kept = [] }) => {
    const certificate = kept.find(([option]) => option === '--cert')?.[1];
    return [
      join(FIXTURES, `altered-${name}`),
      certificate === undefined ? '-' : join(FIXTURES, certificate),
      AUTHORITY,
    ];
  });

  test.each(SHELLED)('altered-$name is found, exit 1: $what', (alteration) => {
    const { code, faults } = ranOf(alteration);
    expect(faults).toMatch(alteration.shell);
    expect(code).toBe(1);
  });
});

test('the root of a tree of any shape is the one that was signed', async () => {
  const log = new ArchiveBuilder(key);
  for (let size = 1; size < 9; size += 1) {
    await log.checkpoint();
    log.append({ type: 'refused', reason: '488', count: size, window: 0 });
  }
  for (let more = 0; more < 300; more += 1)
    log.append({ type: 'refused', reason: "'%s' \\n", count: 1, window: 0 });
  await log.checkpoint();
  const { code, text } = await run([place(log.finish())]);
  expect([text, code]).toEqual([expect.stringContaining('complete up to entry 308 of 308'), 0]);
});

test.each([
  ['no arguments', []],
  ['an option it does not know', ['--help']],
  ['a path that does not exist', ['/nothing/here']],
  ['a place outside any archive', ['/usr']],
])('%s ends with 2', async (_, words) => {
  expect(await run(words)).toMatchObject({ code: 2 });
});
