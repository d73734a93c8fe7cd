import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { actorHash } from '../../src/evidence/actor-hash.ts';
import { formatCheckpoint } from '../../src/evidence/checkpoint.ts';
import { formatTargets } from '../../src/evidence/entry-fields.ts';
import { formatKeyroll, parseKeyroll, type KeyrollStatement } from '../../src/evidence/keyroll.ts';
import {
  authorityPath,
  checkpointPath,
  formatSums,
  keyrollPath,
  peerPath,
  tokenPath,
  witnessPath,
} from '../../src/evidence/layout.ts';
import { leafHash, nodeHash } from '../../src/evidence/merkle.ts';
import { nextEpoch } from '../../src/evidence/origin.ts';
import {
  cosignatureOf,
  cosignedAt,
  cosignedBytes,
  formatNote,
  formatSignatures,
  isSignedByLog,
  noteKeyId,
  parseNote,
  parseSignatures,
} from '../../src/evidence/signed-note.ts';
import { formatTlogProof, parseTlogProof, provesInclusion } from '../../src/evidence/tlog-proof.ts';

const origin = 'bank.example/siprec/fra1/rec01/e1';
const witness = 'bank.example/siprec/fra1/rec02/e1';
const entry = Buffer.from('an entry');
const leaf = leafHash(entry);
const other = leafHash(Buffer.from('another'));
const root = Buffer.from(nodeHash(leaf, other), 'hex').toString('base64');
const text = formatCheckpoint(origin, 2, root);

let keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
let stranger: KeyObject;

beforeAll(() => {
  keys = generateKeyPairSync('rsa', { modulusLength: 3072 });
  stranger = generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey;
});

const logSignature = () => ({
  name: origin,
  keyId: noteKeyId(origin, 'log', keys.publicKey),
  signature: sign('sha256', text, keys.privateKey),
});
const cosignature = (seconds: number) => ({
  name: witness,
  keyId: noteKeyId(witness, 'witness', keys.publicKey),
  signature: cosignatureOf(seconds, sign('sha256', cosignedBytes(text, seconds), keys.privateKey)),
});

/** Every parser: only its own errors, and what it reads it writes the same. */
function canonical(parse: (bytes: Uint8Array) => Uint8Array, codes: RegExp, like: Buffer): void {
  const near = fc
    .tuple(fc.nat(like.length), fc.uint8Array({ maxLength: 3 }), fc.nat(3))
    .map(([at, bytes, cut]) => Buffer.concat([like.subarray(0, at), bytes, like.subarray(at + cut)]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), near), (bytes) => {
      try {
        expect(Buffer.from(parse(bytes)).equals(bytes)).toBe(true);
      } catch (error) {
        expect((error as { code: string }).code).toMatch(codes);
      }
    }),
    { numRuns: 500 },
  );
}

describe('a signed note', () => {
  test('is the text, an empty line and a line for each signature', () => {
    const note = { text, signatures: [logSignature(), cosignature(1_795_000_000)] };
    const bytes = formatNote(note);
    const lines = bytes.toString('utf8').split('\n');
    expect(lines.slice(0, 4)).toEqual([origin, '2', root, '']);
    expect(lines[4]).toMatch(/^\u2014 bank\.example\/siprec\/fra1\/rec01\/e1 [A-Za-z0-9+/]+=*$/);
    expect(lines).toHaveLength(7);
    expect(parseNote(bytes)).toEqual(note);
    expect(parseSignatures(formatSignatures(note.signatures))).toEqual(note.signatures);
  });

  test('is signed by the log when the key and the name fit, with the signature that the .sig file holds', () => {
    const note = { text, signatures: [cosignature(1), logSignature()] };
    expect(isSignedByLog(note, origin, keys.publicKey)).toBe(true);
    expect(isSignedByLog(note, origin, stranger)).toBe(false);
    expect(isSignedByLog(note, witness, keys.publicKey)).toBe(false);
    expect(isSignedByLog({ ...note, text: formatCheckpoint(origin, 3, root) }, origin, keys.publicKey)).toBe(
      false,
    );
  });

  test('tells when a witness saw it; a signature of the log is no cosignature, and none can be moved to another time', () => {
    expect(cosignedAt({ text, signatures: [cosignature(1_795_000_000)] }, witness, keys.publicKey)).toBe(
      1_795_000_000,
    );
    expect(cosignedAt({ text, signatures: [logSignature()] }, origin, keys.publicKey)).toBeUndefined();
    const moved = cosignature(1_795_000_000);
    moved.signature.writeBigUInt64BE(1_700_000_000n);
    expect(cosignedAt({ text, signatures: [moved] }, witness, keys.publicKey)).toBeUndefined();
    expect(
      cosignedAt({ text, signatures: [{ ...moved, signature: Buffer.alloc(5) }] }, witness, keys.publicKey),
    ).toBeUndefined();
  });

  test('is read only in its canonical form', () => {
    const like = formatNote({
      text,
      signatures: [{ name: 'a', keyId: '01020304', signature: Buffer.from('sig') }],
    });
    canonical((bytes) => formatNote(parseNote(bytes)), /^BAD_NOTE$/, like);
    expect(() => formatNote({ text: Buffer.from('no end'), signatures: [logSignature()] })).toThrow(
      'BAD_NOTE',
    );
    expect(() => formatNote({ text, signatures: [] })).toThrow('BAD_NOTE');
    expect(() => formatNote({ text, signatures: [{ ...logSignature(), name: 'a+b' }] })).toThrow('BAD_NOTE');
  });
});

describe('a tlog-proof', () => {
  const proof = () => ({ index: 0, path: [other], note: { text, signatures: [logSignature()] } });

  test('holds index, path and the signed checkpoint, and proves the entry and no other', () => {
    const bytes = formatTlogProof(proof());
    const hash = Buffer.from(other, 'hex').toString('base64');
    expect(
      bytes
        .toString('utf8')
        .startsWith(`c2sp.org/tlog-proof@v1\nindex 0\n${hash}\n\n${origin}\n2\n${root}\n\n\u2014 `),
    ).toBe(true);
    const read = parseTlogProof(bytes);
    expect(read).toEqual({ ...proof(), checkpoint: { origin, size: 2, root } });
    expect(provesInclusion(read, entry)).toBe(true);
    expect(provesInclusion(read, Buffer.from('another'))).toBe(false);
    expect(provesInclusion({ ...read, index: 1 }, entry)).toBe(false);
    expect(provesInclusion({ ...read, index: 2 }, entry)).toBe(false);
    expect(provesInclusion({ ...read, path: [] }, entry)).toBe(false);
    expect(provesInclusion({ ...read, path: [other, other] }, entry)).toBe(false);
  });

  test.each([
    ['another first line', (bytes: string) => bytes.replace('@v1', '@v2')],
    ['a leading zero in the index', (bytes: string) => bytes.replace('index 0', 'index 00')],
    ['a sign in the index', (bytes: string) => bytes.replace('index 0', 'index -0')],
    ['extra data', (bytes: string) => bytes.replace('index', 'extra AAAA\nindex')],
    ['a hash in another base64', (bytes: string) => bytes.replace(/=\n\n/, '\n\n')],
    ['no checkpoint', (bytes: string) => bytes.slice(0, bytes.indexOf('\n\n') + 2)],
    ['carriage returns', (bytes: string) => bytes.replaceAll('\n', '\r\n')],
    ['a second final line feed', (bytes: string) => `${bytes}\n`],
    ['a checkpoint of size 0', (bytes: string) => bytes.replace('\n2\n', '\n0\n')],
  ])('with %s is refused', (_, alter) => {
    const intact = formatTlogProof(proof()).toString('utf8');
    expect(alter(intact)).not.toBe(intact);
    expect(() => parseTlogProof(Buffer.from(alter(intact)))).toThrow(/^BAD_(PROOF|NOTE|CHECKPOINT|ORIGIN): /);
  });

  test('is read only in its canonical form', () => {
    canonical(
      (bytes) => formatTlogProof(parseTlogProof(bytes)),
      /^BAD_(PROOF|NOTE|CHECKPOINT|ORIGIN)$/,
      formatTlogProof({
        ...proof(),
        note: { text, signatures: [{ name: 'a', keyId: '01020304', signature: entry }] },
      }),
    );
  });
});

describe('the statement of a key roll', () => {
  const hash = 'ab'.repeat(32);
  const statement: KeyrollStatement = {
    origin,
    n: 1,
    size: 1043,
    root,
    old: hash,
    new: 'cd'.repeat(32),
    certNew: hash,
    time: '2026-11-23T19:45:30.123Z',
  };

  test('is nine lines', () => {
    const bytes = formatKeyroll(statement);
    expect(bytes.toString()).toBe(
      `siprec-log-keyroll/v1\norigin ${origin}\nn 1\nsize 1043\nroot ${root}\nold sha256:${hash}\n` +
        `new sha256:${'cd'.repeat(32)}\ncert-new sha256:${hash}\ntime 2026-11-23T19:45:30.123Z\n`,
    );
    expect(parseKeyroll(bytes)).toEqual(statement);
  });

  test('is read only in its canonical form', () => {
    canonical((bytes) => formatKeyroll(parseKeyroll(bytes)), /^BAD_KEYROLL$/, formatKeyroll(statement));
    expect(() => formatKeyroll({ ...statement, n: -1 })).toThrow('BAD_KEYROLL');
  });
});

test('everything about a log has its place in the folder of its origin', () => {
  const folder = 'evidence/bank.example_siprec_fra1_rec01_e1';
  expect(checkpointPath(origin, 7, 'new.sig')).toBe(`${folder}/checkpoint/7.new.sig`);
  expect(tokenPath(origin, 7, 'tsa1')).toBe(`${folder}/checkpoint/7.tsa1.tsr`);
  expect(authorityPath(origin, 'tsa1', 'ab'.repeat(32))).toBe(`${folder}/tsa/tsa1-abababababababab.pem`);
  expect(witnessPath(origin, 7, 'rec02')).toBe(`${folder}/witness/7.rec02.note`);
  expect(peerPath(origin, 7, 'rec02')).toBe(`${folder}/peer/7.rec02.note`);
  expect(keyrollPath(origin, 1, 'old.sig')).toBe(`${folder}/keyroll-1.old.sig`);
  expect(formatSums(7, { text: 'aa', signature: 'bb' }).toString()).toBe('aa  7.txt\nbb  7.sig\n');
  expect(nextEpoch(origin)).toBe('bank.example/siprec/fra1/rec01/e2');
});

test('a person is a keyed hash: the same name gives the same one under one secret only', () => {
  const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  expect(actorHash(one, 'Jos\u00e9')).toBe(actorHash(one, 'Jose\u0301'));
  expect(actorHash(one, 'a')).not.toBe(actorHash(two, 'a'));
  expect(actorHash(one, 'a')).not.toBe(createHash('sha256').update('a').digest('hex'));
});

test('a list of destinations longer than an entry says how many it leaves out', () => {
  const many = Array.from({ length: 100 }, (_, at) => ({
    target: `${'t'.repeat(58)}${at}`,
    result: 'deleted',
  }));
  expect(formatTargets(many)).toMatch(/^t+0=deleted .* and-more=n[0-9]+$/);
  expect(formatTargets(many).length).toBeLessThan(2600);
  expect(formatTargets(many.slice(0, 2))).toBe(`${'t'.repeat(58)}0=deleted ${'t'.repeat(58)}1=deleted`);
  expect(formatTargets([])).toBe('-');
});
