import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificatePath, issuerPath } from '../../src/evidence/layout.ts';
import { textReport } from '../../verify-cli/report.ts';
import { exitCodeOf, resultOf } from '../../verify-cli/verdict.ts';
import { verify } from '../../verify-cli/verify.ts';
import { CertificateAuthority } from '../support/certificate-authority.ts';
import {
  ArchiveBuilder,
  buildArchive,
  makeSigner,
  writeArchive,
  type TestKey,
} from '../support/evidence-archive.ts';
import { LONG } from '../support/long-run.ts';
import { run } from '../support/sealed-recording.ts';

/** The archive's own entries are of 23 and 24 November 2026. */
const WHOLE = { from: '20261101000000Z', to: '20271101000000Z' };
const LATE = { from: '20261123184700Z', to: '20271101000000Z' };
const ENDED = { from: '20261101000000Z', to: '20261123184700Z' };
const SCRIPT = join(import.meta.dirname, '../../verify-cli/verify.sh');

let folder: string;
let authority: CertificateAuthority;
let stranger: CertificateAuthority;
let key: TestKey;
let builder: ArchiveBuilder;
let serial = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-authority-'));
  authority = new CertificateAuthority();
  // Of the same name, so that only its signatures can tell.
  stranger = new CertificateAuthority();
  key = makeSigner();
  builder = await buildArchive(key);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
  authority.remove();
  stranger.remove();
});

/** The archive with a certificate issued for its key, and those between it and the root. */
function certified(
  validity: { readonly from: string; readonly to: string } | undefined,
  { by = authority, files = builder.files } = {},
): string {
  const all = new Map(files);
  if (validity !== undefined) {
    const pem = by.issue(by.requestFor(key.privateKeyPem), validity);
    all.set(certificatePath(builder.origin, pem), Buffer.from(pem));
    const issuing = readFileSync(by.issuing, 'latin1');
    all.set(issuerPath(builder.origin, issuing), Buffer.from(issuing));
  }
  serial += 1;
  const root = join(folder, `archive ${serial}`);
  writeArchive(root, all);
  return root;
}

interface Checked {
  readonly code: number;
  readonly text: string;
}

/** Both verifiers, the script under dash, and in long runs under busybox too. */
async function check(
  path: string,
  certificate: string,
): Promise<readonly [node: Checked, dash: Checked, busybox: Checked]> {
  const verification = await verify({ path, certificates: [certificate] });
  const inShell = (program: string, ...first: readonly string[]): Checked => {
    const { status, output } = run(program, [...first, SCRIPT, path, certificate]);
    return { code: status ?? -1, text: output };
  };
  const node = { code: exitCodeOf(resultOf(verification)), text: textReport(verification) };
  const dash = inShell('dash');
  return [node, dash, LONG ? inShell('busybox', 'sh') : dash];
}

const all = (found: { readonly code: number; readonly text?: unknown }): readonly unknown[] =>
  Array.from({ length: 3 }, () => expect.objectContaining(found));

test('the certificate of an authority is enough to trust what it issued, over one that issues for it', async () => {
  const root = certified(WHOLE);
  const checked = await check(root, authority.root);
  expect(checked).toEqual(all({ code: 0, text: expect.stringMatching(/issued under .*recorder\?/) }));
  expect(checked[0].text).toContain('signed as the given authority certifies');
  expect(checked[0].text).toContain('never withdrew');
  // What issues directly can be trusted as well, although it is no root.
  expect(await check(root, authority.issuing)).toEqual(all({ code: 0 }));
});

test('it is not for one that issued nothing here, be its name the same', async () => {
  for (const root of [certified(undefined), certified(WHOLE, { by: stranger })]) {
    const checked = await check(root, authority.root);
    expect(checked.map(({ code }) => code)).toEqual([1, 1, 1]);
    expect(checked[0].text).toContain('KEY_UNTRUSTED');
    expect(checked[1].text).toContain('no trusted certificate for key');
  }
});

test('a certificate that had ended when its key signed last is a fault, one of later a note', async () => {
  const ended = await check(certified(ENDED), authority.root);
  expect(ended.map(({ code }) => code)).toEqual([1, 1, 1]);
  expect(ended[0].text.match(/^FAULT .*$/gm)).toEqual([
    expect.stringMatching(/CERTIFICATE_NOT_VALID .*entry 16 of .* to 2026-11-23T18:47:00.000Z only/),
  ]);
  expect(ended[1].text.match(/^FAULT .*$/gm)).toEqual([
    expect.stringMatching(/entry 16 is signed with .* was not valid at that time/),
  ]);
  const late = await check(certified(LATE), authority.root);
  expect(late).toEqual(all({ code: 0 }));
  expect(late[0].text).toMatch(/^note {3}CERTIFIED_LATER .*certified at 2026-11-23T18:47:00.000Z$/m);
  expect(late[1].text).toMatch(/^note {3}.*was issued when its key had already signed entries$/m);
});

test('a certificate that the authority renewed makes up for the one that ended', async () => {
  const pem = authority.issue(authority.requestFor(key.privateKeyPem), {
    ...{ from: '20261124000000Z', to: '20281101000000Z' },
  });
  const files = new Map(builder.files).set(certificatePath(builder.origin, pem), Buffer.from(pem));
  const checked = await check(certified(ENDED, { files }), authority.root);
  // The last entry is of the evening before.
  expect(checked.map(({ code }) => code)).toEqual([1, 1, 1]);
  const renewed = authority.issue(authority.requestFor(key.privateKeyPem), LATE);
  files.set(certificatePath(builder.origin, renewed), Buffer.from(renewed));
  expect(await check(certified(ENDED, { files }), authority.root)).toEqual(all({ code: 0 }));
});

test('an authority that lies in the archive is believed by nobody, and its file must be what it says', async () => {
  const root = certified(WHOLE, { by: stranger });
  const own = join(folder, 'own.pem');
  writeFileSync(own, key.certificatePem);
  expect(await check(root, own)).toEqual(all({ code: 0 }));
  const issuing = readFileSync(stranger.issuing, 'latin1');
  writeFileSync(join(root, issuerPath(builder.origin, issuing)), readFileSync(stranger.root));
  const checked = await check(root, own);
  expect(checked).toEqual(
    all({ code: 1, text: expect.stringContaining('is not the one certificate that its name says') }),
  );
});
