import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jsonReport, textReport } from '../../verify-cli/report.ts';
import { exitCodeOf, resultOf } from '../../verify-cli/verdict.ts';
import { verify } from '../../verify-cli/verify.ts';
import {
  ArchiveBuilder,
  buildArchive,
  makeSigner,
  strewn,
  writeArchive,
  type TestKey,
} from '../support/evidence-archive.ts';
import { TAMPERINGS } from '../support/tamperings.ts';

let key: TestKey;
let builder: ArchiveBuilder;
let folder: string;
let serial = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-verify-'));
  key = makeSigner();
  builder = await buildArchive(key);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function place(files: ReadonlyMap<string, Uint8Array>): string {
  serial += 1;
  const root = join(folder, `archive ${serial}`);
  writeArchive(root, files);
  return root;
}

async function run(
  path: string,
  certificates: readonly string[] = [],
): Promise<{ code: number; text: string }> {
  const verification = await verify({ path, certificates });
  return { code: exitCodeOf(resultOf(verification)), text: textReport(verification) };
}

const callAt = (at: number): { path: string; name: string; index: number } => {
  const call = builder.calls[at];
  if (call === undefined) throw new Error(`no call ${at}`);
  return { path: call.folder + call.name, name: call.name, index: call.index };
};

describe('an intact archive', () => {
  test('is intact with what a killed recorder and a file server left in its log', async () => {
    const root = place(strewn(builder.files));
    const { code, text } = await run(root);
    expect([text, code]).toEqual([expect.stringContaining('Result: INTACT'), 0]);
    expect(text).toMatch(/complete up to entry 16 of 16/);
  });

  test('is found intact, with what is not shown', async () => {
    const { code, text } = await run(place(builder.files));
    expect(text).toContain('Result: INTACT');
    expect(text).toContain('TAKEN FROM THE ARCHIVE ITSELF');
    expect(text).toMatch(/L4 NOT SHOWN/);
    expect(text).toContain('Not shown by this check:');
    expect(text).toMatch(/complete up to entry 16 of 16/);
    expect(text).not.toContain('FAULT');
    expect(code).toBe(0);
  });

  test('is verified against a certificate given from outside', async () => {
    const cert = join(folder, 'given cert.pem');
    writeFileSync(cert, key.certificatePem);
    const { code, text } = await run(place(builder.files), [cert]);
    expect(text).toContain('given with --cert');
    expect(text).not.toContain('TAKEN FROM');
    expect(code).toBe(0);
  });

  test('is intact by one file of a recording, by a folder and by its log', async () => {
    const root = place(builder.files);
    for (const path of [
      `${callAt(0).path}.wav`,
      `${callAt(1).path}_info.txt`,
      '2026/11/23',
      '2026',
      'evidence',
    ]) {
      const { code, text } = await run(join(root, path));
      expect([path, code, text]).toEqual([path, 0, expect.stringContaining('Result: INTACT')]);
    }
  });

  test('may hold the logs of several recorders', async () => {
    const other = new ArchiveBuilder(key, 'bank.example/siprec/fra1/rec02/e1');
    await other.call('2026/11/25/');
    await other.checkpoint();
    const { code, text } = await run(place(new Map([...builder.files, ...other.finish()])));
    expect(text).toContain('bank.example/siprec/fra1/rec02/e1: 3 entries, 1 recordings');
    expect(code).toBe(0);
  });

  test('gives the same result as JSON', async () => {
    const report = JSON.parse(jsonReport(await verify({ path: place(builder.files), certificates: [] }))) as {
      result: string;
      recordings: number;
      findings: { severity: string }[];
      notShown: string[];
    };
    expect(report.result).toBe('intact');
    expect(report.recordings).toBe(5);
    expect(report.findings.every(({ severity }) => severity === 'note')).toBe(true);
    expect(report.notShown.length).toBeGreaterThan(3);
  });
});

test.each(TAMPERINGS)('$name: named, exit 1', async ({ tamper, named }) => {
  const files = new Map(builder.files);
  tamper(files, builder);
  const { code, text } = await run(place(files));
  for (const pattern of named(builder)) expect(faultsIn(text)).toMatch(pattern);
  expect(code).toBe(1);
});

const faultsIn = (text: string): string =>
  text
    .split('\n')
    .filter((line) => line.startsWith('FAULT'))
    .join('\n');

describe('what is missing', () => {
  const deleted = (at: number): Map<string, Buffer> =>
    new Map([...builder.files].filter(([path]) => !path.includes(callAt(at).name)));

  test('is named with the file name that its successor knows', async () => {
    const { text } = await run(place(deleted(1)));
    expect(faultsIn(text)).toContain(callAt(1).name);
    expect(text).toMatch(/RECORDING_MISSING/);
  });

  test('is named by its id when its entry and proof were left', async () => {
    const proved = await buildArchive(key);
    proved.addProofs(await proved.checkpoint());
    const { id, name } = proved.calls[1] ?? { id: 'none', name: 'none' };
    const left = [...proved.finish()].filter(
      ([path]) => !path.includes(name) || /_entry\.txt$|\.tlog-proof$/.test(path),
    );
    const { code, text } = await run(place(new Map(left)));
    expect(faultsIn(text)).toMatch(
      new RegExp(`RECORDING_MISSING .*: recording ${id} is not in the archive, only its entry`),
    );
    expect(faultsIn(text)).not.toMatch(/NOT_IN_LOG/);
    expect(code).toBe(1);
  });

  test('is noticed from the folder it was deleted from', async () => {
    const { code, text } = await run(join(place(deleted(1)), '2026/11/23'));
    expect(faultsIn(text)).toContain(callAt(1).name);
    expect(code).toBe(1);
  });

  test('is noticed at the end of a day when the next day has recordings', async () => {
    const { code, text } = await run(join(place(deleted(2)), '2026/11/23'));
    expect(faultsIn(text)).toMatch(new RegExp(`entry ${callAt(2).index}:`));
    expect(code).toBe(1);
  });

  test('is not missing when it lies in the folder of another day', async () => {
    const files = new Map(
      [...builder.files].map(([path, bytes]) => [
        path.includes(callAt(1).name) ? path.replace('11/23', '11/24') : path,
        bytes,
      ]),
    );
    const { code, text } = await run(join(place(files), '2026/11/23'));
    expect(text).toMatch(/note +ELSEWHERE/);
    expect(code).toBe(0);
  });

  test('is named as elsewhere content when two audio files are exchanged', async () => {
    const files = new Map(builder.files);
    const [one, other] = [`${callAt(2).path}.wav`, `${callAt(3).path}.wav`];
    files.set(one, builder.files.get(other) ?? Buffer.alloc(0));
    files.set(other, builder.files.get(one) ?? Buffer.alloc(0));
    const { text } = await run(place(files));
    expect(text).toContain(`SWAPPED  ${one}: has the content of ${other}`);
    expect(text).toContain(`SWAPPED  ${other}: has the content of ${one}`);
  });

  test('a truncated log is never called complete, only complete up to its checkpoint', async () => {
    const short = new ArchiveBuilder(key);
    await short.call();
    const size = await short.checkpoint();
    await short.call();
    const { code, text } = await run(place(short.finish()));
    expect(text).toContain(
      `complete up to entry ${size - 1} of ${short.entries.length - 1}, checkpoint of size ${size}`,
    );
    expect(text).toMatch(/NOT_COVERED.*entries 3 to 4/);
    expect(code).toBe(0);
  });
});

describe('a recording that was deleted before its time', () => {
  test.each([
    ['order', 0, /DELETED .*to be kept until 2031-01-01; by order/],
    ['erasure', 0, /DELETED .*to be kept until 2031-01-01; by erasure/],
    ['retention', 1, /FAULT.*DELETION_EARLY .*to be kept until 2031-01-01/],
  ] as const)('for the reason %s ends with %d', async (reason, exit, said) => {
    const log = new ArchiveBuilder(key);
    await log.call();
    const { id: rec, index: ofIndex, name } = await log.call();
    log.append({
      ...{ type: 'tombstone', rec, ofIndex, reason, policy: 'private-call', due: '2031-01-01' },
      ...{ actor: 'system', targets: 'archive=deleted' },
    });
    await log.checkpoint();
    const { code, text } = await run(
      place(new Map([...log.finish()].filter(([path]) => !path.includes(name)))),
    );
    expect(text).toMatch(said);
    expect(code).toBe(exit);
  });
});

describe('the key', () => {
  test('of an archive written anew with another one is refused when the certificate is given', async () => {
    const cert = join(folder, 'cert.pem');
    writeFileSync(cert, key.certificatePem);
    const forged = await buildArchive(makeSigner());
    const { code, text } = await run(place(forged.files), [cert]);
    expect(faultsIn(text)).toMatch(/KEY_UNTRUSTED/);
    expect(code).toBe(1);
    // Without a certificate from outside such a forgery cannot be seen, and the report says so.
    const unanchored = await run(place(forged.files));
    expect(unanchored.code).toBe(0);
    expect(unanchored.text).toContain('TAKEN FROM THE ARCHIVE ITSELF');
  });

  test('a certificate exchanged beside the evidence is noticed', async () => {
    const other = makeSigner();
    const files = new Map([...builder.files].filter(([path]) => !path.endsWith('.pem')));
    files.set(
      `evidence/bank.example_siprec_fra1_rec01_e1/cert-0123456789abcdef.pem`,
      Buffer.from(other.certificatePem),
    );
    const { code, text } = await run(place(files));
    expect(faultsIn(text)).toMatch(/CERTIFICATE_MISSING/);
    expect(faultsIn(text)).toMatch(/KEY_UNKNOWN/);
    expect(code).toBe(1);
  });
});

test.each([
  ['a path that does not exist', 'nothing/here'],
  ['a file that is no recording', 'evidence-notes.txt'],
  ['a folder without recordings', 'empty'],
])('%s is unreadable', async (_, path) => {
  const files = new Map<string, Uint8Array>(builder.files);
  files.set('evidence-notes.txt', Buffer.from('hello'));
  files.set('empty/note.md', Buffer.from('hello'));
  await expect(run(join(place(files), path))).rejects.toMatchObject({ name: 'UnreadableError' });
});

test('a file that cannot be read makes the archive unreadable, not intact; what was found altered weighs more', async () => {
  const root = place(builder.files);
  const wav = join(root, `${callAt(0).path}.wav`);
  rmSync(wav);
  symlinkSync(join(root, 'nowhere'), wav);
  const { code, text } = await run(root);
  expect(text).toContain(`UNREADABLE  ${callAt(0).path}`);
  expect(code).toBe(2);
  writeFileSync(join(root, `${callAt(2).path}.wav`), 'RIFF');
  expect(await run(root)).toMatchObject({ code: 1 });
});

test('a file name that would steer the terminal is printed harmlessly', async () => {
  const { text } = await run(place(new Map([...builder.files, ['2026/\u001b[2Jx.txt', Buffer.from('x')]])));
  expect(text).toContain('2026/?[2Jx.txt: belongs to no recording');
});
