import { Buffer } from 'node:buffer';
import { createHash, createPrivateKey, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Finding } from '../src/evidence/finding.ts';
import { momentOf } from '../src/evidence/verify-moment.ts';
import { messageOf, UnreadableError } from './archive.ts';
import type { Arguments } from './arguments.ts';
import { certificateLines, SCOPES } from './report.ts';
import { levelsOf, notShown, resultOf } from './verdict.ts';
import type { Verification } from './verify.ts';

/** Recordings listed one by one; of more, only those with faults are. */
const LISTED = 2000;

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#1a1a1a}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}table{border-collapse:collapse;width:100%}
td,th{border:1px solid #bbb;padding:.3em .6em;text-align:left;vertical-align:top;overflow-wrap:anywhere}
.result{font-size:1.3em;padding:.5em 1em;border:2px solid}.intact{background:#e6f4e6}.altered,.unreadable{background:#fbe3e3}
code{font-size:.9em;overflow-wrap:anywhere}@media print{body{margin:0;max-width:none}}`;

/** One page without scripts or anything from elsewhere; UTF-8. `at` is when it was verified. */
export function htmlReport(
  verification: Verification,
  { at, given }: { readonly at: Date; readonly given: Arguments },
): Buffer {
  const { archive, logs, findings, unreadable } = verification;
  const result = resultOf(verification);
  const faults = findings.filter(({ severity }) => severity === 'fault');
  const notes = findings.filter(({ severity }) => severity === 'note');
  const parts = [
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Verification of recordings</title>`,
    `<style>${STYLE}</style></head><body><h1>Verification of recordings</h1>`,
    `<p class="result ${result.split(' ')[0] ?? ''}">Result: <strong>${escape(result)}</strong></p>`,
    table(
      ['', ''],
      [
        ['Examined', `${archive.root} (${SCOPES[archive.extent]})`],
        ['Verified at', `${at.toISOString()} by the clock of the verifying machine`],
        ['Known beforehand', knownOf(given)],
        ...certificateLines(verification).map((lines) => ['Certificate', lines.join(' — ')]),
        ...logs.map(({ origin, size, recordings }) => [
          'Log',
          `${origin}: ${size} entries, ${recordings.size} recordings`,
        ]),
      ],
    ),
    '<h2>What was shown</h2>',
    table(
      ['Level', 'Claim', 'Shown', ''],
      levelsOf(verification).map(({ level, claim, shown, detail }) => [
        level,
        claim,
        shown ? 'yes' : 'NO',
        detail,
      ]),
    ),
    '<h2>What was not shown</h2>',
    `<ul>${notShown(verification)
      .map((text) => `<li>${escape(text)}</li>`)
      .join('')}</ul>`,
    `<h2>Faults (${faults.length})</h2>`,
    findingTable(faults),
    ...(unreadable.length === 0
      ? []
      : [
          '<h2>Unreadable</h2>',
          table(
            ['File', ''],
            unreadable.map(({ file, detail }) => [file, detail]),
          ),
        ]),
    `<h2>Notes (${notes.length})</h2>`,
    findingTable(notes),
    ...recordingPart(verification),
    '</body></html>\n',
  ];
  return Buffer.from(parts.join('\n'), 'utf8');
}

/**
 * What binds a page: its SHA-256, and a signature over its octets when a key is given (RSA PKCS#1 v1.5 or ECDSA with SHA-256, or
 * Ed25519; checked with `openssl dgst -verify` or `pkeyutl`). Throws UnreadableError when the key cannot be used.
 */
export async function signReport(
  page: Buffer,
  keyFile: string | undefined,
): Promise<{ readonly sha256: string; readonly signature: Buffer | undefined }> {
  const sha256 = createHash('sha256').update(page).digest('hex');
  if (keyFile === undefined) return { sha256, signature: undefined };
  try {
    const key = createPrivateKey(await readFile(keyFile));
    const algorithm = key.asymmetricKeyType?.startsWith('ed') === true ? null : 'sha256';
    return { sha256, signature: sign(algorithm, page, key) };
  } catch (error) {
    throw new UnreadableError(`--report-key: ${messageOf(error)}`);
  }
}

function knownOf({ certificates = [], genesis = [], since = [], authorities = [] }: Arguments): string {
  const known = [
    ...certificates.map((file) => `certificate ${file}`),
    ...genesis.map((file) => `genesis ${file}`),
    ...since.map((file) => `checkpoint ${file}`),
    ...authorities.map((file) => `time-stamp authority ${file}`),
  ];
  return known.length === 0
    ? 'nothing: certificate and log were taken from what was examined'
    : known.join('; ');
}

const findingTable = (findings: readonly Finding[]): string =>
  findings.length === 0
    ? '<p>None.</p>'
    : table(
        ['Level', 'Code', 'File', ''],
        findings.map(({ level, code, file, detail }) => [`L${level}`, code, file, detail]),
      );

function recordingPart({ recordings, logs }: Verification): readonly string[] {
  const byOrigin = new Map(logs.map((log) => [log.origin, log]));
  const listed =
    recordings.length <= LISTED
      ? recordings
      : recordings.filter(({ findings }) => findings.some(({ severity }) => severity === 'fault'));
  const rows = listed.map((recording) => {
    const { before, after } = momentOf(recording, byOrigin.get(recording.origin ?? ''));
    const faults = recording.findings.filter(({ severity }) => severity === 'fault');
    return [
      `${recording.folder}${recording.name}`,
      recording.index === undefined ? '-' : `${recording.origin ?? ''} ${recording.index}`,
      [after === undefined ? '' : `not before ${after}`, before === undefined ? '' : `before ${before.time}`]
        .filter((text) => text !== '')
        .join(', '),
      faults.length === 0 ? 'intact' : faults.map(({ code }) => code).join(' '),
    ];
  });
  const title = `<h2>Recordings (${recordings.length}${listed.length < recordings.length ? ', those with faults' : ''})</h2>`;
  return [title, table(['Recording', 'Entry', 'Proven time', 'Result'], rows)];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`;
  const first = head.some((cell) => cell !== '') ? cells(head, 'th') : '';
  return `<table>${first}${rows.map((row) => cells(row, 'td')).join('\n')}</table>`;
}

/** Names come from the archive: nothing of them may become markup, or turn the direction of the text. */
const escape = (text: string): string =>
  text
    .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
