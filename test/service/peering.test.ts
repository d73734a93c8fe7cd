import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Alarm } from '../../src/alarm.ts';
import { openPathDestination } from '../../src/delivery/path.ts';
import { openPeerNode } from '../../src/delivery/peer-node.ts';
import { parseEntry } from '../../src/evidence/entry.ts';
import { slugOf } from '../../src/evidence/origin.ts';
import { certificateFingerprint, readCertificate } from '../../src/evidence/signature.ts';
import { cosignedAt, parseNote } from '../../src/evidence/signed-note.ts';
import { checkpoint } from '../../src/jobs/checkpoint.ts';
import { EvidenceLog } from '../../src/jobs/evidence-log.ts';
import { exportEvidence } from '../../src/jobs/export-evidence.ts';
import { LogTree } from '../../src/jobs/log-tree.ts';
import { PeerDesk } from '../../src/jobs/peer-desk.ts';
import { signaturesOf } from '../../src/jobs/prove.ts';
import { Witness } from '../../src/jobs/witness.ts';
import { startPeerServer, type PeerServer } from '../../src/web/peer-server.ts';
import { textReport } from '../../verify-cli/report.ts';
import { exitCodeOf, resultOf } from '../../verify-cli/verdict.ts';
import { verify } from '../../verify-cli/verify.ts';
import { freshSigner } from '../support/evidence-signer.ts';
import { verifyShell } from '../support/sealed-recording.ts';
import { SealingRoom } from '../support/sealing-room.ts';

const TOKEN = 'a-secret-of-this-installation';
const { signal } = new AbortController();
const keys = { rec01: freshSigner(), rec02: freshSigner() };
type Name = keyof typeof keys;
const NAMES: readonly Name[] = ['rec01', 'rec02'];
const originOf = (name: Name): string => `bank.example/siprec/fra1/${name}/e1`;

/** A recorder as far as its log goes. `desk` is what its address shows: replaced, the recorder shows another face. */
interface Node {
  readonly room: SealingRoom;
  readonly server: PeerServer;
  readonly alarms: Alarm[];
  desk: PeerDesk;
  witness: Witness;
}

let nodes: Readonly<Record<Name, Node>>;
let further: SealingRoom[];

beforeEach(async () => {
  further = [];
  const [rec01, rec02] = [await listen('rec01'), await listen('rec02')];
  nodes = { rec01, rec02 };
  for (const name of NAMES) await introduce(name);
});

afterEach(async () => {
  for (const name of NAMES) {
    await nodes[name].server.close();
    await nodes[name].room.dispose();
  }
  for (const room of further) await room.dispose();
});

async function listen(name: Name): Promise<Node> {
  const room = await SealingRoom.open(keys[name], undefined, originOf(name));
  const server = await startPeerServer({
    host: '127.0.0.1',
    port: 0,
    token: TOKEN,
    desk: () => nodes[name].desk,
    log: () => undefined,
  });
  return { room, server, alarms: [] } as unknown as Node;
}

/** Makes both sides of a recorder's witnessing, with the other one as its peer. */
async function introduce(name: Name, by = keys): Promise<void> {
  const other: Name = name === 'rec01' ? 'rec02' : 'rec01';
  const peer = await openPeerNode({
    name: other,
    log: `bank.example/siprec/fra1/${other}`,
    url: nodes[other].server.url,
    fingerprints: [certificateFingerprint(by[other].certificatePem)],
    token: TOKEN,
  });
  const { room, alarms } = nodes[name];
  nodes[name].desk = deskOf(room, [peer]);
  nodes[name].witness = new Witness({
    store: room.store,
    evidence: logOf(room),
    origin: room.origin,
    signer: room.signer,
    peers: [peer],
    bell: {
      raise: (alarm) => alarms.push(alarm),
      clear: () => undefined,
    },
    now: Date.now,
  });
}

const logOf = ({ chain, store }: SealingRoom): EvidenceLog =>
  new EvidenceLog({ chain, store, actorSecret: Buffer.alloc(32), now: Date.now });

const deskOf = (room: SealingRoom, peers: ConstructorParameters<typeof PeerDesk>[0]['peers']): PeerDesk =>
  new PeerDesk({
    store: room.store,
    evidence: logOf(room),
    origin: room.origin,
    peers,
    treeOf: (origin) => new LogTree(room.store, origin),
    signaturesOf: (row) => signaturesOf(row, room.signer.certificates),
    certificates: () => room.signer.certificates,
  });

/** Some entries, and a checkpoint that leaves. */
async function grow(room: SealingRoom, reason: string, count = 3): Promise<void> {
  const log = logOf(room);
  for (let n = 0; n < count; n++) await log.append({ type: 'refused', reason, count: 1, window: 0 });
  await checkpoint(room.deps, { exported: true });
}

const anchorsOf = async ({ room }: Node) =>
  (await room.store.entries(room.origin, 0, 1000))
    .map(({ bytes }) => parseEntry(bytes).body)
    .filter((body) => body.type === 'anchor')
    .map(({ kind, name, ofOrigin, ofSize }) => [kind, name, ofOrigin, ofSize]);

const filesOf = async ({ room }: Node): Promise<ReadonlyMap<string, Buffer>> =>
  new Map(
    (await room.store.evidence.files(room.origin, 0, 100)).map(({ path, bytes }) => [
      path.replace(`evidence/${slugOf(room.origin)}/`, ''),
      bytes,
    ]),
  );

/** Both logs as they stand, in one archive. */
async function archiveOf(all: readonly SealingRoom[]): Promise<string> {
  const root = join(all[0]?.folder ?? '', 'archive');
  mkdirSync(root);
  for (const room of all) {
    await checkpoint(room.deps, { exported: true });
    const destination = openPathDestination({ name: room.origin, root });
    const { store, signer, origin } = room;
    await exportEvidence(
      destination,
      {
        store,
        origins: () => [origin],
        certificates: () => signer.certificates,
        issuers: () => signer.issuers,
      },
      signal,
    );
    await destination.close();
  }
  return root;
}

async function verdictOn(root: string): Promise<{ readonly code: number; readonly text: string }> {
  const verification = await verify({ path: root, certificates: [] });
  return { code: exitCodeOf(resultOf(verification)), text: textReport(verification) };
}

test('two recorders anchor and cosign each other, and both verifiers follow it over both logs', async () => {
  const { rec01, rec02 } = nodes;
  await grow(rec01.room, '403');
  await grow(rec02.room, '486', 5);
  for (const name of NAMES) await nodes[name].witness.round(signal);
  // A second look finds nothing new and adds nothing; the next checkpoint is proved to continue the first.
  for (const name of NAMES) await nodes[name].witness.round(signal);
  await grow(rec02.room, '603', 300);
  await rec01.witness.round(signal);
  expect([...rec01.alarms, ...rec02.alarms]).toEqual([]);
  const [of01, of02] = [originOf('rec01'), originOf('rec02')];
  const grown = (await rec02.room.store.evidence.newestExported(of02))?.size;
  expect(await anchorsOf(rec01)).toEqual([
    ['peer', 'rec02', of02, 6],
    ['witness', 'rec02', of01, 4],
    ['peer', 'rec02', of02, grown],
  ]);
  expect(await anchorsOf(rec02)).toEqual([
    ['witness', 'rec01', of02, 6],
    ['peer', 'rec01', of01, 4],
    ['witness', 'rec01', of02, grown],
  ]);
  const note = parseNote((await filesOf(rec02)).get('witness/6.rec01.note') ?? Buffer.alloc(0));
  const cosigner = readCertificate(keys.rec01.certificatePem).publicKey;
  expect(cosignedAt(note, of01, cosigner)).toBeGreaterThan(1.7e9);
  expect(rec01.witness.standing).toMatchObject([{ name: 'rec02', size: grown, forked: false }]);
  const root = await archiveOf([rec01.room, rec02.room]);
  const { code, text } = await verdictOn(root);
  expect([code, text]).toEqual([0, expect.stringContaining('INTACT')]);
  const shell = verifyShell(['sh'], root);
  expect([shell.status, shell.output]).toEqual([0, expect.any(String)]);
}, 60_000);

test('a cosignature that was written down and not handed over is handed over after a restart', async () => {
  const { rec01, rec02 } = nodes;
  await grow(rec02.room, '486');
  // Killed in between: the peer does not answer when it is handed over, and the process ends.
  rec02.desk.takeCosigned = () => Promise.reject(new Error('killed'));
  await rec01.witness.round(signal);
  expect(await anchorsOf(rec01)).toHaveLength(1);
  expect(await anchorsOf(rec02)).toEqual([]);
  await introduce('rec02');
  await introduce('rec01');
  await rec01.witness.round(signal);
  await rec01.witness.round(signal);
  expect(await anchorsOf(rec01)).toHaveLength(1);
  expect(await anchorsOf(rec02)).toEqual([['witness', 'rec01', rec02.room.origin, 4]]);
}, 60_000);

test('a log with two faces is never cosigned, rings, and both notes are kept and convict it', async () => {
  const { rec01, rec02 } = nodes;
  await grow(rec02.room, '486', 5);
  await rec01.witness.round(signal);
  const before = await anchorsOf(rec01);
  expect(before).toHaveLength(1);
  // The holder of the key writes the log anew: other entries, the same key, even more of them.
  const anew = await SealingRoom.open(keys.rec02, undefined, originOf('rec02'));
  further.push(anew);
  await grow(anew, '403', 5);
  rec02.desk = deskOf(anew, []);
  await rec01.witness.round(signal);
  await grow(anew, '404', 5);
  await rec01.witness.round(signal);
  expect(rec01.alarms.map(({ code, subject, severity }) => [code, subject, severity])).toEqual([
    ['evidence-fork', 'rec02', 'critical'],
    ['evidence-fork', 'rec02', 'critical'],
  ]);
  expect(rec01.witness.standing).toMatchObject([{ size: 6, forked: true }]);
  expect(await anchorsOf(rec01)).toEqual(before);
  const kept = await filesOf(rec01);
  const forks = [...kept.keys()].filter((path) => path.startsWith('fork/'));
  expect(forks.map((path) => path.replace(/[0-9a-f]{16}\.note/, 'HASH'))).toEqual([
    'fork/6.rec02.HASH',
    'fork/11.rec02.HASH',
  ]);
  expect([...kept.keys()]).toContain('peer/6.rec02.note');
  const shown = parseNote(kept.get(forks[0] ?? '') ?? Buffer.alloc(0));
  expect(shown.text).not.toEqual(parseNote(kept.get('peer/6.rec02.note') ?? Buffer.alloc(0)).text);
  expect(shown.signatures.map(({ name }) => name)).toEqual([originOf('rec02')]);
  // Whoever gets the log that was written anew beside ours is told.
  const root = await archiveOf([rec01.room, anew]);
  const { code, text } = await verdictOn(root);
  expect([code, text]).toEqual([1, expect.stringContaining('WITNESS_DIFFERS')]);
  expect(readdirSync(join(root, 'evidence', slugOf(rec01.room.origin), 'fork'))).toHaveLength(2);
  // Beside the true one, the notes show that its key signed others; alone with ours they are stated.
  const slug = slugOf(rec02.room.origin);
  rmSync(join(root, 'evidence', slug), { recursive: true });
  const alone = await verdictOn(root);
  const shell = verifyShell(['dash'], root);
  cpSync(join(await archiveOf([rec02.room]), 'evidence', slug), join(root, 'evidence', slug), {
    recursive: true,
  });
  const beside = await verdictOn(root);
  expect([beside.code, beside.text]).toEqual([
    1,
    expect.stringMatching(/LOG_FORKED .*_rec02_e1: its key has signed 6/),
  ]);
  expect(beside.text).not.toContain('WITNESS_DIFFERS');
  expect([alone.code, alone.text]).toEqual([
    0,
    expect.stringMatching(/^note {3}FORK_KEPT .*rec02\/e1, 11 entries/m),
  ]);
  expect([shell.status, shell.output]).toEqual([
    0,
    expect.stringMatching(
      /^note {3}.*rec02\/e1, 6 entries, that does not continue what .*rec01\/e1 had seen of it$/m,
    ),
  ]);
  // The true log goes on where it was seen last.
  await introduce('rec02');
  await grow(rec02.room, '486');
  await rec01.witness.round(signal);
  expect(await anchorsOf(rec01)).toHaveLength(2);
}, 60_000);

test('a log that lost its end is a fork, too', async () => {
  const { rec01, rec02 } = nodes;
  await grow(rec02.room, '486', 5);
  await rec01.witness.round(signal);
  const short = await SealingRoom.open(keys.rec02, undefined, originOf('rec02'));
  further.push(short);
  await grow(short, '486', 2);
  rec02.desk = deskOf(short, []);
  await rec01.witness.round(signal);
  expect(rec01.alarms).toMatchObject([{ code: 'evidence-fork', fields: { seenSize: 6, size: 3 } }]);
  expect(await anchorsOf(rec01)).toHaveLength(1);
}, 60_000);

test('what is not signed by the configured certificate is not witnessed, and what is no cosignature of a peer is not taken', async () => {
  const { rec01, rec02 } = nodes;
  await grow(rec02.room, '486');
  await introduce('rec01', { ...keys, rec02: keys.rec01 });
  await rec01.witness.round(signal);
  expect(rec01.alarms).toMatchObject([{ code: 'peer-silent', subject: 'rec02' }]);
  expect(await anchorsOf(rec01)).toEqual([]);
  const send = async (method: string, path: string, body?: Buffer, token = TOKEN): Promise<number> =>
    (
      await fetch(`${rec02.server.url}/peer/v1${path}`, {
        method,
        headers: { Authorization: `Bearer ${token}` },
        ...(body === undefined ? {} : { body: new Uint8Array(body) }),
      })
    ).status;
  const own = (await rec02.desk.checkpoint()) ?? Buffer.alloc(0);
  expect(await send('GET', '/checkpoint')).toBe(200);
  expect(await send('GET', '/checkpoint', undefined, 'guess')).toBe(401);
  expect(await send('POST', '/cosignature', own)).toBe(403);
  expect(await send('POST', '/cosignature', Buffer.from('no note'))).toBe(403);
  expect(await send('GET', `/consistency?origin=${originOf('rec02')}&old=1&size=99`)).toBe(404);
  expect(await send('GET', `/consistency?origin=${originOf('rec02')}&old=-1&size=2`)).toBe(400);
  expect(await send('GET', '/recordings')).toBe(404);
  expect(await anchorsOf(rec02)).toEqual([]);
}, 60_000);
