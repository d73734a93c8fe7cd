import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { transformFileSync } from '@swc/core';
import { execFile, execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildArchive,
  makeSigner,
  writeArchive,
  type ArchiveBuilder,
  type TestKey,
} from '../support/evidence-archive.ts';

const SOURCE = join(import.meta.dirname, '../..');

let key: TestKey;
let builder: ArchiveBuilder;
let folder: string;
let archive: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape program '));
  for (const part of ['src/evidence', 'verify-cli']) build(part);
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  key = makeSigner();
  builder = await buildArchive(key);
  archive = join(folder, 'an archive');
  writeArchive(archive, builder.files);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Compiles a folder to a place where no node_modules is in reach. */
function build(part: string): void {
  mkdirSync(join(folder, part), { recursive: true });
  for (const name of readdirSync(join(SOURCE, part)).filter((file) => file.endsWith('.ts'))) {
    const { code } = transformFileSync(join(SOURCE, part, name), {
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    });
    writeFileSync(
      join(folder, part, name.replace('.ts', '.js')),
      code.replace(/(from '\..*?)\.ts'/g, "$1.js'").replace(/(from "\..*?)\.ts"/g, '$1.js"'),
    );
  }
}

function run(...words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(folder, 'verify-cli/main.js'), ...words],
      { cwd: folder },
      (_, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

describe('sealtape-verify, built and copied elsewhere', () => {
  test('prints the result of an intact archive and ends with 0', async () => {
    const { code, stdout, stderr } = await run(archive);
    expect(stdout).toContain('Result: INTACT');
    // No progress bar where nobody looks.
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('prints JSON alone when asked to', async () => {
    const cert = join(folder, 'the cert.pem');
    writeFileSync(cert, key.certificatePem);
    const { code, stdout } = await run('--json', '--cert', cert, archive);
    expect(JSON.parse(stdout)).toMatchObject({ result: 'intact', scope: 'archive', recordings: 5 });
    expect(code).toBe(0);
  });

  test('names what was altered and ends with 1', async () => {
    const altered = join(folder, 'altered');
    const files = new Map(builder.files);
    const wav = [...files.keys()].find((path) => path.endsWith('.wav')) ?? '';
    files.set(wav, Buffer.from('RIFF'));
    writeArchive(altered, files);
    const { code, stdout } = await run(altered);
    expect(stdout).toContain(`FILE_ALTERED  ${wav}`);
    expect(code).toBe(1);
  });

  test.each([
    ['RSA', { kind: 'rsa', modulusLength: 2048 }, ['dgst', '-sha256', '-verify', 'pub.pem', '-signature']],
    ['EC', { kind: 'ec', namedCurve: 'P-256' }, ['dgst', '-sha256', '-verify', 'pub.pem', '-signature']],
    [
      'Ed25519',
      { kind: 'ed25519' },
      ['pkeyutl', '-verify', '-pubin', '-inkey', 'pub.pem', '-rawin', '-sigfile'],
    ],
  ])('writes a page that an %s key has signed, as openssl finds', async (_, { kind, ...options }, words) => {
    const pair = generateKeyPairSync(kind as 'rsa', options as { modulusLength: number });
    writeFileSync(join(folder, 'report.pem'), pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(folder, 'pub.pem'), pair.publicKey.export({ type: 'spki', format: 'pem' }));
    const odd = join(archive, '<b>&.txt');
    writeFileSync(odd, '');
    const { code, stdout } = await run(archive, '--html', 'page.html', '--report-key', 'report.pem');
    rmSync(odd);
    expect(code).toBe(0);
    const page = readFileSync(join(folder, 'page.html'));
    expect(stdout).toContain(createHash('sha256').update(page).digest('hex'));
    const last = kind === 'ed25519' ? ['-in', 'page.html'] : ['page.html'];
    const openssl = execFileSync('openssl', [...words, 'page.html.sig', ...last], { cwd: folder });
    expect(openssl.toString()).toMatch(/Verified OK|Verified Successfully/);
    expect(page.toString()).toContain('Result: <strong>intact</strong>');
    expect(page.toString()).toContain('&lt;b&gt;&amp;.txt');
    expect(page.toString()).not.toMatch(/<b>|<script|src=|href=/);
  });

  test.each([
    [
      'a key that is none for the report',
      ['an archive', '--html', 'x', '--report-key', 'package.json'],
      /--report-key/,
    ],
    ['no path', [], /Usage:/],
    ['two paths', ['a', 'b'], /Usage:/],
    ['an unknown flag', ['--fast', '.'], /Usage:/],
    ['a path that does not exist', ['/nothing/here'], /cannot be verified/],
    ['a certificate that is none', ['--cert', 'package.json', 'an archive'], /--cert/],
  ])('%s ends with 2 and says why', async (_, words, reason) => {
    const { code, stdout, stderr } = await run(...words);
    expect(stderr).toMatch(reason);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});
