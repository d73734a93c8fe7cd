/*
 * A verifier written from docs/evidence-format.md alone: nothing of Sealtape is imported, only Node. It covers 2 (files, list, signature,
 * info, entry, proof), 3.1 to 3.5 (entries, order, files, tree, checkpoints, key rolls) and 3.7 as far as proofs need it; not time stamps,
 * deletions, epochs and witnesses. That it can be written, and agrees with the others, is what it is for.
 */
import { Buffer } from 'node:buffer';
import { createHash, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const hex = (bytes: Uint8Array): string => sha256(bytes).toString('hex');

/** 3.1: the octets of an entry, and its lines by their keys. */
interface Entry {
  readonly octets: Buffer;
  readonly fields: ReadonlyMap<string, string>;
}

/** 3.4: RFC 6962 §2.1. */
export const leafHash = (octets: Uint8Array): Buffer => sha256(Buffer.of(0), octets);
const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Buffer.of(1), left, right);

export function rootOf(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return only;
  let half = 1;
  while (half * 2 < leaves.length) half *= 2;
  return nodeHash(rootOf(leaves.slice(0, half)), rootOf(leaves.slice(half)));
}

interface Log {
  readonly origin: string;
  readonly entries: readonly Entry[];
  readonly leaves: readonly Buffer[];
  readonly keys: ReadonlyMap<string, KeyObject>;
}

const HEADER = ['origin', 'index', 'prev', 'time', 'mono', 'clock', 'key', 'type'];

/** Verifies an archive. Returns what is wrong, nothing when it is intact. */
export function verifyFromTheDocument(root: string): readonly string[] {
  const faults: string[] = [];
  const logs = readdirSync(join(root, 'evidence')).map((slug) => readLog(root, slug, faults));
  const found = new Set<string>();
  for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort())
    if (file.endsWith('_hash.txt') && !file.startsWith('evidence'))
      found.add(checkRecording(join(root, file), logs, faults));
  for (const { entries } of logs)
    for (const { fields } of entries)
      if (fields.get('type') === 'recording' && !found.has(of(fields, 'rec')) && !isDeleted(fields, logs))
        faults.push(`recording ${of(fields, 'rec')} of entry ${of(fields, 'index')} is not here`);
  return faults;
}

const isDeleted = (recording: Entry['fields'], logs: readonly Log[]): boolean =>
  logs.some(({ entries }) =>
    entries.some(
      ({ fields }) => fields.get('type') === 'tombstone' && fields.get('rec') === recording.get('rec'),
    ),
  );

function readLog(root: string, slug: string, faults: string[]): Log {
  const folder = join(root, 'evidence', slug);
  const origin = slug.replaceAll('_', '/');
  const entries: Entry[] = [];
  const files = readdirSync(join(folder, 'entries'), { recursive: true, encoding: 'utf8' }).sort();
  for (const file of files.filter((name) => name.endsWith('.txt')))
    for (const octets of entriesIn(readFileSync(join(folder, 'entries', file)))) {
      const at = `${Math.floor(entries.length / 256_000)}`.padStart(3, '0');
      const expected = join(at, `${Math.floor(entries.length / 256)}.txt`.padStart(10, '0'));
      if (file !== expected) faults.push(`${slug}: entry ${entries.length} is in ${file}`);
      entries.push({ octets, fields: fieldsOf(octets, `${slug}: entry ${entries.length}`, faults) });
    }
  checkOrder(origin, entries, faults);
  const genesis = join(folder, 'genesis.txt');
  if (!existsSync(genesis) || !readFileSync(genesis).equals(entries[0]?.octets ?? Buffer.of()))
    faults.push(`${slug}: genesis.txt is not entry 0`);
  const log = {
    origin,
    entries,
    leaves: entries.map(({ octets }) => leafHash(octets)),
    keys: keysIn(folder, faults),
  };
  checkKeys(log, folder, faults);
  checkCheckpoints(log, folder, faults);
  return log;
}

/** 3.3: one empty line between two of them, none at the ends. */
const entriesIn = (octets: Buffer): readonly Buffer[] =>
  octets
    .toString('latin1')
    .split(/(?<=\n)\n/)
    .map((text) => Buffer.from(text, 'latin1'));

function fieldsOf(octets: Buffer, name: string, faults: string[]): Entry['fields'] {
  const text = octets.toString('latin1');
  const [format, ...lines] = text.slice(0, -1).split('\n');
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, key = '', value = ''] = /^([a-z][a-z0-9-]{0,31}) (\S|\S.*\S)$/.exec(line) ?? [];
    if (key === '' || fields.has(key)) faults.push(`${name}: "${line}"`);
    fields.set(key, value);
  }
  const ascii = /^[\x20-\x7e\n]+$/.test(text) && octets.length <= 4096;
  if (format !== 'siprec-log-entry/v1' || !ascii || !text.endsWith('\n'))
    faults.push(`${name}: not an entry`);
  if ([...fields.keys()].slice(0, 8).join() !== HEADER.join()) faults.push(`${name}: its first lines`);
  return fields;
}

function checkOrder(origin: string, entries: readonly Entry[], faults: string[]): void {
  let prev = '0'.repeat(64);
  for (const [index, { octets, fields }] of entries.entries()) {
    if (fields.get('origin') !== origin || fields.get('index') !== `${index}`)
      faults.push(`${origin}: entry ${of(fields, 'index')} stands as entry ${index}`);
    if (fields.get('prev') !== `sha256:${prev}`)
      faults.push(`${origin}: entry ${index} does not continue the one before`);
    if ((fields.get('type') === 'genesis') !== (index === 0))
      faults.push(`${origin}: entry ${index}: genesis`);
    prev = hex(octets);
  }
}

/** Keys by the hash of their SubjectPublicKeyInfo. */
function keysIn(folder: string, faults: string[]): ReadonlyMap<string, KeyObject> {
  const keys = new Map<string, KeyObject>();
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.pem'))) {
    const certificate = new X509Certificate(readFileSync(join(folder, name)));
    if (name !== `cert-${hex(certificate.raw).slice(0, 16)}.pem`)
      faults.push(`${name} is not what its name says`);
    keys.set(hex(certificate.publicKey.export({ type: 'spki', format: 'der' })), certificate.publicKey);
  }
  return keys;
}

const isSigned = (key: KeyObject | undefined, octets: Uint8Array, file: string): boolean =>
  key !== undefined && existsSync(file) && verify('sha256', octets, key, readFileSync(file));

const of = (fields: ReadonlyMap<string, string> | undefined, name: string): string => fields?.get(name) ?? '';

const keyOf = (fields: Entry['fields'] | undefined, name = 'key'): string => of(fields, name).slice(7);

/** 3.2 and 3.5: the key changes behind a key roll alone, which both keys have signed. */
function checkKeys({ origin, entries, leaves, keys }: Log, folder: string, faults: string[]): void {
  let key = keyOf(entries[0]?.fields);
  for (const [index, { fields }] of entries.entries()) {
    if (keyOf(fields) !== key) faults.push(`${origin}: entry ${index} names another key`);
    if (!keys.has(keyOf(fields))) faults.push(`${origin}: entry ${index}: no certificate of its key`);
    if (fields.get('type') !== 'keyroll') continue;
    const name = join(folder, `keyroll-${of(fields, 'n')}`);
    const statement = existsSync(`${name}.txt`) ? readFileSync(`${name}.txt`) : Buffer.of();
    const lines = [
      ...['siprec-log-keyroll/v1', `origin ${origin}`, `n ${of(fields, 'n')}`, `size ${index}`],
      `root ${rootOf(leaves.slice(0, index)).toString('base64')}`,
      ...['old', 'new', 'cert-new'].map((part) => `${part} ${of(fields, part)}`),
    ];
    if (!statement.toString('latin1').startsWith(`${lines.join('\n')}\ntime `))
      faults.push(`${name}.txt differs`);
    for (const side of ['old', 'new']) {
      const file = `${name}.${side}.sig`;
      if (
        !isSigned(keys.get(keyOf(fields, side)), statement, file) ||
        hex(readFileSync(file)) !== keyOf(fields, `proof-${side}`)
      )
        faults.push(`${file} does not fit`);
    }
    if (keyOf(fields, 'old') !== key) faults.push(`${origin}: entry ${index} replaces another key`);
    key = keyOf(fields, 'new');
  }
}

/** 3.4: three lines, signed by the key of the entry before. */
function checkCheckpoints({ origin, entries, leaves, keys }: Log, folder: string, faults: string[]): void {
  for (const name of readdirSync(join(folder, 'checkpoint')).filter((file) => file.endsWith('.txt'))) {
    const size = basename(name, '.txt');
    const file = join(folder, 'checkpoint', size);
    const octets = readFileSync(`${file}.txt`);
    const last = entries[Number(size) - 1]?.fields;
    if (last === undefined) {
      faults.push(`${file}.txt: the log has only ${entries.length} entries`);
      continue;
    }
    const root = rootOf(leaves.slice(0, Number(size))).toString('base64');
    if (octets.toString('latin1') !== `${origin}\n${size}\n${root}\n`) faults.push(`${file}.txt differs`);
    if (!isSigned(keys.get(keyOf(last)), octets, `${file}.sig`)) faults.push(`${file}.sig does not fit`);
    if (last.get('type') === 'keyroll' && !isSigned(keys.get(keyOf(last, 'new')), octets, `${file}.new.sig`))
      faults.push(`${file}.new.sig does not fit`);
  }
}

/** 2: returns the UUID of the recording. */
function checkRecording(list: string, logs: readonly Log[], faults: string[]): string {
  const rec = list.slice(0, -'_hash.txt'.length);
  const octets = readFileSync(list);
  const fault = (text: string): void => void faults.push(`${rec}: ${text}`);
  const listed = listedIn(octets, rec, fault);
  const names = readdirSync(dirname(rec)).filter((name) => name.startsWith(basename(rec)));
  const beside = ['_hash.txt', '_hash.SHA256withRSA.sig', '_entry.txt', '.tlog-proof'].map(
    (end) => basename(rec) + end,
  );
  if (
    names
      .filter((name) => !beside.includes(name))
      .sort()
      .join() !== [...listed.keys()].sort().join()
  )
    fault('the list is not what is there');
  for (const [name, hash] of listed)
    if (!names.includes(name) || hex(readFileSync(join(dirname(rec), name))) !== hash)
      fault(`${name} differs`);
  const info = infoIn(`${rec}_info.txt`);
  const log = logs.find(({ origin }) => origin === info.get('Log-Origin'));
  const entry = log?.entries[Number(info.get('Log-Index'))];
  if (log === undefined || entry === undefined) {
    fault('is not in a log');
    return '';
  }
  checkEntry(rec, { octets, info, entry, log }, fault);
  return of(entry.fields, 'rec');
}

function listedIn(octets: Buffer, rec: string, fault: (text: string) => void): ReadonlyMap<string, string> {
  const listed = new Map<string, string>();
  for (const line of octets.toString('latin1').replace(/\n$/, '').split('\n')) {
    const [, hash = '', name = ''] =
      /^([0-9a-f]{64}) {2}([A-Za-z0-9_+][A-Za-z0-9._+-]{0,254})$/.exec(line) ?? [];
    if (name === '' || listed.has(name) || !name.startsWith(basename(rec))) fault(`its list has "${line}"`);
    listed.set(name, hash);
  }
  const infos = [...listed.keys()].filter((name) => name === `${basename(rec)}_info.txt`);
  if (!octets.toString('latin1').endsWith('\n') || infos.length !== 1 || listed.size < 2)
    fault('its list is not one');
  return listed;
}

const infoIn = (file: string): ReadonlyMap<string, string> =>
  new Map(
    (existsSync(file) ? readFileSync(file, 'utf8') : '').split('\n').map((line) => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)] as const;
    }),
  );

interface Sealed {
  readonly octets: Buffer;
  readonly info: ReadonlyMap<string, string>;
  readonly entry: Entry;
  readonly log: Log;
}

function checkEntry(rec: string, { octets, info, entry, log }: Sealed, fault: (text: string) => void): void {
  const { fields } = entry;
  const signature = `${rec}_hash.SHA256withRSA.sig`;
  if (!isSigned(log.keys.get(keyOf(fields)), octets, signature)) fault('its signature does not fit');
  else if (hex(readFileSync(signature)) !== keyOf(fields, 'sig'))
    fault('its signature is not that of the entry');
  if (fields.get('type') !== 'recording' || keyOf(fields, 'hash') !== hex(octets))
    fault('its entry is another');
  for (const [key, name] of [
    ['Recording-Id', 'rec'],
    ['Status', 'status'],
    ['Signing-Key', 'key'],
  ] as const)
    if (info.get(key) !== fields.get(name)) fault(`${key} is not what the entry says`);
  if (basename(rec).slice(-8) !== of(fields, 'rec').slice(-8)) fault('its name is of another recording');
  const beside = `${rec}_entry.txt`;
  if (existsSync(beside) && !readFileSync(beside).equals(entry.octets)) fault('the entry beside it differs');
  const proof = `${rec}.tlog-proof`;
  if (existsSync(proof) && !proves(readFileSync(proof), entry, log)) fault('its proof does not hold');
}

/** 2.4 with RFC 9162 §2.1.3.2, and the note of 3.7. */
function proves(proof: Buffer, { octets, fields }: Entry, { origin, entries, keys }: Log): boolean {
  const text = proof.toString('utf8');
  const [head = '', checkpoint = '', signatures = ''] = text.split('\n\n');
  const [format, line, ...path] = head.split('\n');
  const [noted, size, root] = checkpoint.split('\n');
  if (format !== 'c2sp.org/tlog-proof@v1' || line !== `index ${of(fields, 'index')}` || noted !== origin)
    return false;
  const key = keys.get(keyOf(entries[Number(size) - 1]?.fields));
  if (key === undefined || !isNoted({ origin, checkpoint: `${checkpoint}\n`, signatures }, key)) return false;
  const reached = follow({ index: Number(of(fields, 'index')), size: Number(size) }, leafHash(octets), path);
  return reached?.toString('base64') === root;
}

/** 3.7: whether the log's key signed a note. */
function isNoted(
  {
    origin,
    checkpoint,
    signatures,
  }: { readonly origin: string; readonly checkpoint: string; readonly signatures: string },
  key: KeyObject,
): boolean {
  const [, base64 = ''] = new RegExp(`^— ${origin} (\\S+)$`, 'm').exec(signatures) ?? [];
  const signed = Buffer.from(base64, 'base64');
  const spki = key.export({ type: 'spki', format: 'der' });
  const id = sha256(Buffer.from(`${origin}\n\xffsiprec-log/RSA-PKCS1-SHA256`, 'latin1'), spki).subarray(0, 4);
  if (!signed.subarray(0, 4).equals(id)) return false;
  return verify('sha256', Buffer.from(checkpoint), key, signed.subarray(4));
}

function follow(
  { index, size }: { readonly index: number; readonly size: number },
  leaf: Buffer,
  path: readonly string[],
): Buffer | undefined {
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const each of path) {
    const sibling = Buffer.from(each, 'base64');
    if (sn === 0 || sibling.length !== 32 || sibling.toString('base64') !== each) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(sibling, hash);
      while (fn % 2 === 0 && fn > 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else hash = nodeHash(hash, sibling);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && fn <= sn ? hash : undefined;
}
