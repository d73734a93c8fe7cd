import { Buffer } from 'node:buffer';
import { createHash, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatKeyroll } from '../../src/evidence/keyroll.ts';
import {
  authorityPath,
  checkpointPath,
  formatSums,
  keyrollPath,
  peerPath,
  tokenPath,
} from '../../src/evidence/layout.ts';
import { certificateFingerprint, createSigner } from '../../src/evidence/signature.ts';
import { cosignatureOf, cosignedBytes, formatNote, noteKeyId } from '../../src/evidence/signed-note.ts';
import { ArchiveBuilder, type SealedCall, type TestKey } from './evidence-archive.ts';
import { buildQuery, buildToken, type TokenKey } from './token-builder.ts';

export interface FixtureKeys {
  readonly recorder: TestKey;
  readonly rolled: TestKey;
  readonly stranger: TestKey;
  readonly peer: TestKey;
  readonly tsa: TokenKey;
  readonly tsaWrongPurpose: TokenKey;
  readonly tsaExpired: TokenKey;
}

/** The keys of `fixtures/evidence/keys`. */
export function readFixtureKeys(folder: string): FixtureKeys {
  const pems = (name: string): TokenKey => ({
    privateKeyPem: readFileSync(join(folder, `${name}.key`), 'latin1'),
    certificatePem: readFileSync(join(folder, `${name}.pem`), 'latin1'),
  });
  const key = (name: string): TestKey => {
    const { privateKeyPem, certificatePem } = pems(name);
    return { privateKeyPem, certificatePem, signer: createSigner(privateKeyPem, certificatePem) };
  };
  return {
    recorder: key('recorder'),
    rolled: key('rolled'),
    stranger: key('stranger'),
    peer: key('peer'),
    tsa: pems('tsa'),
    tsaWrongPurpose: pems('tsa-wrong-purpose'),
    tsaExpired: pems('tsa-expired'),
  };
}

/** What the holder of the keys may do otherwise while the archive is written. */
export interface Twist {
  /** Key of the entries behind the key roll. */
  readonly laterKey?: 'old';
  /** What is deleted: by default the recording that is due. */
  readonly deleted?: 'early' | 'held';
  readonly secondEpoch?: 'as-new' | 'other-predecessor' | 'seals-again';
  /** The first call, told otherwise after the peer has seen it. */
  readonly rewritten?: boolean;
  /** The log begins with another genesis, or is that of another key. */
  readonly begun?: 'anew' | 'by-stranger';
  /** Milliseconds that the clock is set back after the first time stamp. */
  readonly setBack?: number;
  readonly neverClosed?: boolean;
  /** What the log says of a call while it is running, and of its copy. */
  readonly told?: 'truly' | 'other-audio' | 'other-file' | 'other-copy';
  /** Which authority stamps, and what. */
  readonly token?: 'other-file' | 'no-certificate' | 'wrong-purpose' | 'expired' | 'other-nonce';
}

export interface WholeArchive {
  readonly files: Map<string, Buffer>;
  readonly main: ArchiveBuilder;
  /** Sizes of its checkpoints in order: stamped, at the key roll, at the end. */
  readonly sizes: readonly [number, number, number];
  readonly calls: readonly [first: SealedCall, inTwoFiles: SealedCall, due: SealedCall, held: SealedCall];
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const AUTHORITY = 'bund';
const CASE = sha256(Buffer.from('case 1'));

/**
 * An archive with all that the format knows: calls, a time stamp, a key roll, a deletion that was due, a hold, a second recorder that
 * saw the first one's checkpoint, and a third one that was restored from a backup.
 */
export async function buildWholeArchive(keys: FixtureKeys, twist: Twist = {}): Promise<WholeArchive> {
  const beginning = { predecessor: '-', reason: 'new', installation: 'fra2' } as const;
  const key = twist.begun === 'by-stranger' ? keys.stranger : keys.recorder;
  const main = new ArchiveBuilder(key, undefined, twist.begun === 'anew' ? beginning : undefined);
  if (twist.rewritten === true) main.append({ type: 'refused', reason: '486', count: 1, window: 0 });
  if (twist.told !== undefined) main.audio = riff;
  main.running = (id, audio) => {
    tell(main, id, audio, twist);
  };
  const first = await main.call('2026/11/23/', [''], 'wphg-5y 2031-11-23');
  main.running = () => undefined;
  tellStored(main, first, twist);
  const two = await main.call('2026/11/23/', ['caller', 'callee'], 'wphg-5y 2031-11-23');
  const due = await main.call('2026/11/23/', [''], 'short-1d 2026-11-24');
  main.append({ type: 'refused', reason: '488', count: 1, window: 0 });
  const stamped = await main.checkpoint();
  anchor(main, stamped, addStamp(main, stamped, keys, twist));
  if (twist.setBack !== undefined) main.pass(-twist.setBack);
  await peerSeen(main, stamped, keys);
  const rolled = await roll(main, { ...keys, recorder: key }, twist);
  const held = await main.call('2026/11/24/', [''], 'wphg-5y 2031-11-24');
  main.append({ type: 'hold', of: held.id, caseHash: CASE, actor: sha256(Buffer.from('actor')) });
  main.pass(2 * 86_400_000);
  const removed = remove(main, { due, first, held }, twist);
  main.append({ type: 'open', rec: '0193f0c2-7a10-7cde-b5c1-00000000beef', policy: 'all' });
  const open = main.entries.length - 1;
  if (twist.neverClosed === true) restartTwice(main);
  else main.append({ type: 'failed', rec: '0193f0c2-7a10-7cde-b5c1-00000000beef', open, reason: 'no-rtp' });
  main.append({ type: 'close', nextOrigin: '-' });
  const end = await main.checkpoint();
  addStamp(main, end, keys, twist);
  main.addProofs(end);
  forget(main, removed);
  const files = new Map(main.finish());
  for (const each of await otherRecorders(keys, { main, size: stamped, twist, sealed: first }))
    for (const [path, bytes] of each.finish()) files.set(path, bytes);
  return { files, main, sizes: [stamped, rolled, end], calls: [first, two, due, held] };
}

/** A WAV with a chunk that nobody needs before its data. */
function riff(seed: number): Buffer {
  const data = Buffer.concat(
    Array.from({ length: 40 }, (_, at) => createHash('sha256').update(`${seed} ${at}`).digest()),
  );
  const head = Buffer.from('RIFF\0\0\0\0WAVELIST\x05\0\0\0INFO!\0data\0\0\0\0', 'latin1');
  head.writeUInt32LE(head.length - 8 + data.length, 4);
  head.writeUInt32LE(data.length, head.length - 4);
  return Buffer.concat([head, data]);
}

/** Two segments of a call that is running. */
function tell(log: ArchiveBuilder, rec: string, audio: Buffer, { told }: Twist): void {
  if (told === undefined) return;
  const data = audio.subarray(audio.indexOf('data') + 8);
  const file = told === 'other-file' ? '_callee.wav' : '.wav';
  for (const n of [1, 2]) {
    const heard = data.subarray(0, n * 400);
    const octets = told === 'other-audio' && n === 2 ? Buffer.from(heard).fill(0, 700) : heard;
    log.append({ type: 'segment', rec, file, n, bytes: heard.length, hash: sha256(octets) });
  }
}

function tellStored(log: ArchiveBuilder, { id, folder, name }: SealedCall, { told }: Twist): void {
  if (told === undefined) return;
  const list =
    told === 'other-copy' ? Buffer.from('another list') : readFile(log, `${folder}${name}_hash.txt`);
  log.append({
    ...{ type: 'stored', rec: id, target: 'archive', locatorHash: sha256(Buffer.from('somewhere')) },
    ...{ versionId: '-', checksum: sha256(list), retainUntil: '-', mode: 'none' },
  });
}

const readFile = (log: ArchiveBuilder, path: string): Buffer => log.files.get(path) ?? Buffer.alloc(0);

function addStamp(log: ArchiveBuilder, size: number, keys: FixtureKeys, { token }: Twist): Buffer {
  const { origin } = log;
  const text = readFile(log, checkpointPath(origin, size, 'txt'));
  const sums = formatSums(size, {
    text: sha256(text),
    signature: sha256(readFile(log, checkpointPath(origin, size, 'sig'))),
  });
  const others = new Map([
    ['wrong-purpose', keys.tsaWrongPurpose],
    ['expired', keys.tsaExpired],
  ]);
  const authority = others.get(token ?? '') ?? keys.tsa;
  log.pass(5000);
  const response = buildToken(authority, {
    data: token === 'other-file' ? text : sums,
    at: Math.floor(log.time / 1000) * 1000,
    serial: size,
    nonce: token === 'other-nonce' ? 4712 : 4711,
    withCertificate: token !== 'no-certificate',
  });
  const certificate = Buffer.from(keys.tsa.certificatePem);
  log.files.set(checkpointPath(origin, size, 'sums'), sums);
  log.files.set(tokenPath(origin, size, AUTHORITY), response);
  log.files.set(tokenPath(origin, size, AUTHORITY).replace(/r$/, 'q'), buildQuery(sums, 4711));
  if (token !== 'no-certificate')
    log.files.set(authorityPath(origin, AUTHORITY, sha256(certificate)), certificate);
  return response;
}

function anchor(log: ArchiveBuilder, size: number, response: Buffer): void {
  log.append({
    type: 'anchor',
    kind: 'tsa',
    name: AUTHORITY,
    ofOrigin: log.origin,
    ofSize: size,
    ofRoot:
      readFile(log, checkpointPath(log.origin, size, 'txt'))
        .toString('latin1')
        .split('\n')[2] ?? '',
    hash: sha256(response),
  });
}

const PEER = 'bank.example/siprec/fra1/rec02/e1';
const RESTORED = 'bank.example/siprec/fra1/rec03/e';

/** The peer's cosignature of our checkpoint comes back and is kept. */
async function peerSeen(log: ArchiveBuilder, size: number, keys: FixtureKeys): Promise<void> {
  const note = await noteOf(log, size, keys);
  log.files.set(peerPath(log.origin, size, 'rec02').replace('/peer/', '/witness/'), note);
  log.append({
    type: 'anchor',
    kind: 'witness',
    name: 'rec02',
    ofOrigin: log.origin,
    ofSize: size,
    ofRoot:
      readFile(log, checkpointPath(log.origin, size, 'txt'))
        .toString('latin1')
        .split('\n')[2] ?? '',
    hash: sha256(note),
  });
}

/** A checkpoint of the main log with its own signature and the peer's cosignature. */
async function noteOf(log: ArchiveBuilder, size: number, { recorder, peer }: FixtureKeys): Promise<Buffer> {
  const text = readFile(log, checkpointPath(log.origin, size, 'txt'));
  const seconds = Math.floor(log.time / 1000);
  const [own, cosigner] = [recorder, peer].map(({ certificatePem }) => createPublicKey(certificatePem));
  if (own === undefined || cosigner === undefined) throw new Error('no keys');
  const signature = readFile(log, checkpointPath(log.origin, size, 'sig'));
  const cosignature = cosignatureOf(seconds, await peer.signer.sign(cosignedBytes(text, seconds)));
  return formatNote({
    text,
    signatures: [
      { name: log.origin, keyId: noteKeyId(log.origin, 'log', own), signature },
      { name: PEER, keyId: noteKeyId(PEER, 'witness', cosigner), signature: cosignature },
    ],
  });
}

async function roll(
  log: ArchiveBuilder,
  { recorder, rolled }: FixtureKeys,
  { laterKey }: Twist,
): Promise<number> {
  const { origin } = log;
  const statement = formatKeyroll({
    origin,
    n: 1,
    size: log.entries.length,
    root: log.root,
    old: recorder.signer.key,
    new: rolled.signer.key,
    certNew: certificateFingerprint(rolled.certificatePem),
    time: new Date(log.time).toISOString(),
  });
  const [proofOld, proofNew] = [await recorder.signer.sign(statement), await rolled.signer.sign(statement)];
  log.files.set(keyrollPath(origin, 1, 'txt'), statement);
  log.files.set(keyrollPath(origin, 1, 'old.sig'), proofOld);
  log.files.set(keyrollPath(origin, 1, 'new.sig'), proofNew);
  log.append({
    type: 'keyroll',
    n: 1,
    old: recorder.signer.key,
    new: rolled.signer.key,
    certNew: certificateFingerprint(rolled.certificatePem),
    proofOld: sha256(proofOld),
    proofNew: sha256(proofNew),
  });
  const size = await log.checkpoint();
  const text = readFile(log, checkpointPath(origin, size, 'txt'));
  log.files.set(checkpointPath(origin, size, 'new.sig'), await rolled.signer.sign(text));
  log.useKey(rolled);
  if (laterKey === 'old') log.useKey(recorder);
  return size;
}

function remove(
  log: ArchiveBuilder,
  calls: Readonly<Record<'due' | 'first' | 'held', SealedCall>>,
  { deleted }: Twist,
): SealedCall {
  const call = calls[deleted === 'early' ? 'first' : deleted === 'held' ? 'held' : 'due'];
  log.append({
    type: 'tombstone',
    rec: call.id,
    ofIndex: call.index,
    reason: deleted === 'held' ? 'order' : 'retention',
    policy: 'short-1d',
    due: '2026-11-24',
    actor: 'system',
    targets: 'archive=deleted',
  });
  return call;
}

function forget(log: ArchiveBuilder, { name }: SealedCall): void {
  for (const path of [...log.files.keys()]) if (path.includes(name)) log.files.delete(path);
}

function restartTwice(log: ArchiveBuilder): void {
  for (let time = 0; time < 2; time += 1) {
    const at = new Date(log.time).toISOString();
    log.append({ type: 'outage', from: at, to: at, cause: 'crash', clean: false });
  }
}

/** rec02, which saw the main log, and both epochs of rec03. */
async function otherRecorders(
  keys: FixtureKeys,
  {
    main,
    size,
    twist,
    sealed,
  }: {
    readonly main: ArchiveBuilder;
    readonly size: number;
    readonly twist: Twist;
    readonly sealed: SealedCall;
  },
): Promise<readonly ArchiveBuilder[]> {
  const peer = new ArchiveBuilder(keys.peer, PEER);
  // What the peer saw before the holder of the key wrote the log anew.
  const seen =
    twist.rewritten === true || twist.begun !== undefined ? await buildWholeArchive(keys) : undefined;
  const honest = seen?.main ?? main;
  const stamped = seen?.sizes[0] ?? size;
  const note = await noteOf(honest, stamped, keys);
  const root = readFile(honest, checkpointPath(honest.origin, stamped, 'txt'))
    .toString('latin1')
    .split('\n')[2];
  peer.files.set(peerPath(PEER, stamped, 'rec01'), note);
  peer.append({
    type: 'anchor',
    kind: 'peer',
    name: 'rec01',
    ofOrigin: main.origin,
    ofSize: stamped,
    ofRoot: root ?? '',
    hash: sha256(note),
  });
  await peer.checkpoint();
  const before = new ArchiveBuilder(keys.peer, `${RESTORED}1`);
  before.append({ type: 'refused', reason: '503', count: 1, window: 0 });
  await before.checkpoint();
  const { secondEpoch } = twist;
  const known = secondEpoch === 'other-predecessor' ? peer.root : before.root;
  const after = new ArchiveBuilder(
    keys.peer,
    `${RESTORED}2`,
    secondEpoch === 'as-new'
      ? { predecessor: '-', reason: 'new' }
      : { predecessor: `${RESTORED}1 2 ${known}`, reason: 'recovery' },
  );
  if (secondEpoch === 'seals-again') sealAgain(after, sealed);
  await after.checkpoint();
  return [peer, before, after];
}

/** The entry of a recording that another log has sealed already. */
function sealAgain(log: ArchiveBuilder, { id }: SealedCall): void {
  const open = log.append({ type: 'open', rec: id, policy: 'all' });
  const [hash, sig] = [sha256(Buffer.from('hash')), sha256(Buffer.from('sig'))];
  log.append({ type: 'recording', rec: id, open, status: 'recovered', hash, sig, retain: 'none' });
}
