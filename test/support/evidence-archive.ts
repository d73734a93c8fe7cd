import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { formatCheckpoint } from '../../src/evidence/checkpoint.ts';
import { entryHash, formatEntry, NO_PREVIOUS, type EntryBody } from '../../src/evidence/entry.ts';
import { formatHashFile } from '../../src/evidence/hash-file.ts';
import { infoFields } from '../../src/evidence/info-fields.ts';
import { formatInfo } from '../../src/evidence/info.ts';
import {
  certificatePath,
  checkpointPath,
  entryFilePath,
  ENTRIES_PER_FILE,
  formatEntryFile,
  genesisPath,
} from '../../src/evidence/layout.ts';
import { appendLeaf, frontierRoot, leafHash } from '../../src/evidence/merkle.ts';
import { inclusionRanges, rootOfLeaves } from '../../src/evidence/merkle-proof.ts';
import { recordingName } from '../../src/evidence/recording-name.ts';
import { certificateFingerprint, createSigner, type Signer } from '../../src/evidence/signature.ts';
import { noteKeyId } from '../../src/evidence/signed-note.ts';
import { formatTlogProof } from '../../src/evidence/tlog-proof.ts';

export interface TestKey {
  readonly privateKeyPem: string;
  readonly certificatePem: string;
  readonly signer: Signer;
}

/** A new RSA key with a self-signed certificate, made by openssl. */
export function makeKey(bits = 3072): Omit<TestKey, 'signer'> {
  const folder = mkdtempSync(join(tmpdir(), 'sealtape-key-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=Sealtape test recorder', '-days', '3650'];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', `rsa:${bits}`, '-nodes', '-keyout', key, '-out', cert, ...subject],
      {
        stdio: 'ignore',
      },
    );
    return { privateKeyPem: readFileSync(key, 'latin1'), certificatePem: readFileSync(cert, 'latin1') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function makeSigner(): TestKey {
  const pems = makeKey();
  return { ...pems, signer: createSigner(pems.privateKeyPem, pems.certificatePem) };
}

export interface SealedCall {
  readonly id: string;
  readonly name: string;
  /** Ends in a slash. */
  readonly folder: string;
  readonly index: number;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Octets that look like a small A-law WAV, different for every seed. */
const audio = (seed: number): Buffer =>
  Buffer.concat([
    Buffer.from('RIFF\0\0\0\0WAVEfmt '),
    ...Array.from({ length: 40 }, (_, at) => createHash('sha256').update(`${seed} ${at}`).digest()),
  ]);

/** Writes a log and recordings in memory, call by call, as the recorder would. */
export class ArchiveBuilder {
  readonly origin: string;
  /** Path below the archive's root to content. */
  readonly files = new Map<string, Buffer>();
  readonly entries: Buffer[] = [];
  readonly calls: SealedCall[] = [];
  #key: TestKey;
  #prev = NO_PREVIOUS;
  #frontier: readonly string[] = [];
  #time = Date.UTC(2026, 10, 23, 18, 45, 30, 123);
  #last: { fileName: string; index: number; signature: string } | undefined;
  /** Octets of a recording's file; small ones unless told otherwise. */
  audio: (seed: number) => Buffer = audio;
  /** Called while a call is running, with what its first file will be. */
  running: (id: string, audio: Buffer) => void = () => undefined;

  constructor(
    key: TestKey,
    origin = 'bank.example/siprec/fra1/rec01/e1',
    beginning: {
      readonly predecessor: string;
      readonly reason: 'new' | 'recovery';
      readonly installation?: string;
    } = {
      predecessor: '-',
      reason: 'new',
    },
  ) {
    this.#key = key;
    this.origin = origin;
    this.files.set(certificatePath(origin, key.certificatePem), Buffer.from(key.certificatePem));
    this.append({
      type: 'genesis',
      installation: 'fra1',
      productVersion: '0.1.0',
      policyHash: sha256(Buffer.from('all')),
      cert: certificateFingerprint(key.certificatePem),
      ...beginning,
    });
  }

  get time(): number {
    return this.#time;
  }

  pass(milliseconds: number): void {
    this.#time += milliseconds;
  }

  /** Entries from now on name another key; its certificate is added. */
  useKey(key: TestKey): void {
    this.#key = key;
    this.files.set(certificatePath(this.origin, key.certificatePem), Buffer.from(key.certificatePem));
  }

  /** Root over the entries so far, base64. */
  get root(): string {
    return Buffer.from(frontierRoot(this.#frontier), 'hex').toString('base64');
  }

  /** Returns the index of the new entry. */
  append(body: EntryBody): number {
    const index = this.entries.length;
    this.#time += 1000;
    const bytes = formatEntry(
      {
        origin: this.origin,
        index,
        prev: this.#prev,
        time: new Date(this.#time).toISOString(),
        mono: `7f3a9c21:${84_512_233 + index * 1000}`,
        clock: 'synced +0.4ms',
        key: this.#key.signer.key,
      },
      body,
    );
    this.entries.push(bytes);
    this.#prev = entryHash(bytes);
    this.#frontier = appendLeaf(this.#frontier, index, leafHash(bytes));
    return index;
  }

  /** A whole call: opened, sealed, its four files in the folder of its day. */
  async call(
    folder = '2026/11/23/',
    suffixes: readonly string[] = [''],
    retain = 'none',
  ): Promise<SealedCall> {
    const number = this.calls.length;
    const id = `0193f0c2-7a10-7cde-b5c1-${sha256(Buffer.from(`${this.origin} ${number}`)).slice(0, 12)}`;
    const startedAt = this.#time;
    const open = this.append({ type: 'open', rec: id, policy: 'all' });
    this.pass(60_000);
    const name = recordingName({
      startedAt,
      timeZone: 'UTC',
      direction: 'in',
      caller: '+49301234567',
      callee: '+4989555010',
      id,
    });
    const wavs = suffixes.map((suffix, at) => ({
      name: suffix === '' ? `${name}.wav` : `${name}_${suffix}.wav`,
      bytes: this.audio(number * 10 + at),
    }));
    this.running(id, wavs[0]?.bytes ?? Buffer.alloc(0));
    const info = formatInfo(
      infoFields(
        infoOf({ id, startedAt, wavs, builder: this, previous: this.#last, key: this.#key.signer.key }),
      ),
    );
    const listed = [...wavs, { name: `${name}_info.txt`, bytes: info }];
    const hashes = formatHashFile(listed.map((file) => ({ name: file.name, sha256: sha256(file.bytes) })));
    const signature = await this.#key.signer.sign(hashes);
    for (const file of listed) this.files.set(`${folder}${file.name}`, file.bytes);
    this.files.set(`${folder}${name}_hash.txt`, hashes);
    this.files.set(`${folder}${name}_hash.SHA256withRSA.sig`, signature);
    const index = this.append({
      type: 'recording',
      rec: id,
      open,
      status: 'complete',
      hash: sha256(hashes),
      sig: sha256(signature),
      retain,
    });
    this.#last = { fileName: name, index, signature: signature.toString('base64') };
    const call: SealedCall = { id, name, folder, index };
    this.calls.push(call);
    return call;
  }

  /** Signs the log as it stands and returns its size. */
  async checkpoint(): Promise<number> {
    const size = this.entries.length;
    const text = formatCheckpoint(this.origin, size, this.root);
    this.files.set(checkpointPath(this.origin, size, 'txt'), text);
    this.files.set(checkpointPath(this.origin, size, 'sig'), await this.#key.signer.sign(text));
    return size;
  }

  /** Puts the proof that it is in the log of this size beside every recording. */
  addProofs(size: number): void {
    const checkpoint = this.files.get(checkpointPath(this.origin, size, 'txt')) ?? Buffer.alloc(0);
    const signature = this.files.get(checkpointPath(this.origin, size, 'sig')) ?? Buffer.alloc(0);
    const leaves = this.entries.slice(0, size).map(leafHash);
    const publicKey = createPublicKey(this.#key.certificatePem);
    const keyId = noteKeyId(this.origin, 'log', publicKey);
    for (const { folder, name, index } of this.calls.filter((call) => call.index < size)) {
      const path = inclusionRanges(index, size).map((range) => rootOfLeaves(leaves, range));
      const note = { text: checkpoint, signatures: [{ name: this.origin, keyId, signature }] };
      this.files.set(`${folder}${name}_entry.txt`, this.entries[index] ?? Buffer.alloc(0));
      this.files.set(`${folder}${name}.tlog-proof`, formatTlogProof({ index, path, note }));
    }
  }

  /** Puts the entries into their files. */
  finish(): Map<string, Buffer> {
    this.files.set(genesisPath(this.origin), this.entries[0] ?? Buffer.alloc(0));
    for (let first = 0; first < this.entries.length; first += ENTRIES_PER_FILE)
      this.files.set(
        entryFilePath(this.origin, first),
        formatEntryFile(this.entries.slice(first, first + ENTRIES_PER_FILE)),
      );
    return this.files;
  }
}

function infoOf(call: {
  readonly id: string;
  readonly startedAt: number;
  readonly wavs: readonly { readonly name: string; readonly bytes: Buffer }[];
  readonly builder: ArchiveBuilder;
  readonly previous:
    { readonly fileName: string; readonly index: number; readonly signature: string } | undefined;
  readonly key: string;
}): Parameters<typeof infoFields>[0] {
  return {
    id: call.id,
    startedAt: call.startedAt,
    endedAt: call.startedAt + 60_000,
    timeZone: 'UTC',
    status: 'complete',
    endReason: 'bye',
    direction: 'in',
    directionSource: 'test',
    caller: { name: 'Zoë Ångström', number: '+49301234567', source: 'metadata' },
    callee: { number: '+4989555010', source: 'metadata' },
    sipCallId: `${call.id}@pbx.example`,
    trunk: 'loopback',
    client: 'udp 127.0.0.1:5062',
    recorderVersion: '0.1.0',
    installation: 'fra1',
    files: call.wavs.map(({ name, bytes }) => ({
      name,
      codec: 'PCMA',
      bytes: bytes.length,
      samples: 480_000,
      channels: ['caller', 'callee'],
    })),
    channelSource: 'labels',
    legs: [],
    participants: [],
    metadataStatus: 'complete',
    warnings: [],
    previous: call.previous,
    nonce: sha256(Buffer.from(call.id)).slice(0, 32),
    clock: 'synced +0.4ms',
    signingKey: call.key,
    logOrigin: call.builder.origin,
    logIndex: call.builder.entries.length,
  };
}

/**
 * A small archive with everything in it: two days, an orderly restart, a refused and a failed call, a recording in two files,
 * checkpoints in the middle and at the end.
 */
export async function buildArchive(key: TestKey): Promise<ArchiveBuilder> {
  const builder = new ArchiveBuilder(key);
  await builder.call();
  await builder.call('2026/11/23/', ['caller', 'callee']);
  builder.append({ type: 'refused', reason: '488', count: 1, window: 0 });
  await builder.checkpoint();
  const rec = '0193f0c2-7a10-7cde-b5c1-00000000beef';
  const open = builder.append({ type: 'open', rec, policy: 'all' });
  builder.append({ type: 'failed', rec, open, reason: 'no-rtp' });
  await builder.call();
  builder.append({ type: 'close', nextOrigin: '-' });
  await builder.checkpoint();
  const from = new Date(builder.time).toISOString();
  builder.pass(5000);
  builder.append({
    type: 'outage',
    from,
    to: new Date(builder.time).toISOString(),
    cause: 'stop',
    clean: true,
  });
  await builder.call('2026/11/24/');
  await builder.call('2026/11/24/');
  builder.append({ type: 'close', nextOrigin: '-' });
  await builder.checkpoint();
  builder.finish();
  return builder;
}

export function writeArchive(root: string, files: ReadonlyMap<string, Uint8Array>): void {
  for (const [path, bytes] of files) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  }
}

/** The same archive with what is no part of it in every folder of its log: unfinished copies of a recorder that was killed, litter of file servers. */
export function strewn(files: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  const folders = new Set([...files.keys()].filter((path) => path.startsWith('evidence/')).map(dirname));
  const half =
    [...files].find(([path]) => path.endsWith('/000000.txt'))?.[1].subarray(0, 700) ?? new Uint8Array();
  const litter = [...folders, ...[...folders].map(dirname)].flatMap((folder) => [
    [`${folder}/.sealtape-45705ff5-9b45-4a4e-8a76-0249ca69db63.part`, half] as const,
    [`${folder}/Thumbs.db`, half] as const,
  ]);
  return new Map([...files, ...litter]);
}
