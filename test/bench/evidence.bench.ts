/*
 * What evidence costs: how long a seal holds the chain and how many a second there can be, on SQLite and on PostgreSQL; how fast a
 * day's archive is verified beside sha256sum over the same files; how long chain and proofs of a long log take. With `--calls`, instead of
 * that, what the seals of the whole recorder cost calls that are running.
 *
 *   npm run bench:evidence -- [--seals N] [--recordings N] [--megabytes M] [--entries N] [--only seal|verify|chain]
 *   npm run bench:evidence -- --calls N [--rate SEALS] [--seconds S] [--only SQLite|PostgreSQL]
 *
 * Default: 200 seals, an archive of 300 recordings of 6 MB, a log of 1,000,000 entries (1.8 GB and 450 MB in the temporary folder); 50 seals a
 * second for 20 s beside the calls.
 */
import { spawnSync } from 'node:child_process';
import { createHash, hash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { EntryBody } from '../../src/evidence/entry.ts';
import { entryHash, formatEntry } from '../../src/evidence/entry.ts';
import {
  certificatePath,
  checkpointPath,
  entryFilePath,
  formatEntryFile,
  genesisPath,
} from '../../src/evidence/layout.ts';
import { formatCheckpoint } from '../../src/evidence/checkpoint.ts';
import { leafHash } from '../../src/evidence/merkle.ts';
import {
  inclusionRanges,
  isConsistent,
  consistencyRanges,
  rootFromInclusion,
} from '../../src/evidence/merkle-proof.ts';
import { MerkleTree } from '../../src/evidence/merkle-tree.ts';
import { certificateFingerprint } from '../../src/evidence/signature.ts';
import { seal } from '../../src/jobs/seal.ts';
import { inParallel } from '../../verify-cli/in-parallel.ts';
import { ArchiveBuilder, makeSigner } from '../support/evidence-archive.ts';
import { startPostgres } from '../support/postgres.ts';
import { SealingRoom } from '../support/sealing-room.ts';
import { ROOT } from '../support/recorder-process.ts';
import { benchBeside } from './seals-beside-calls.ts';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const since = (start: number): number => (performance.now() - start) / 1000;
const key = makeSigner();
const scratch = mkdtempSync(join(tmpdir(), 'sealtape-bench-'));

// ---- seals -----------------------------------------------------------------------------------------------------------

/** Recordings that come to be sealed at the same time: the workers of the queue. */
const AT_ONCE = 8;

async function benchSeals(name: string, room: SealingRoom, count: number): Promise<void> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push(await room.recordCall(1, Date.now()));
  const turns: { readonly held: number; readonly seals: number }[] = [];
  const alone = room.chain.exclusively.bind(room.chain);
  room.chain.exclusively = (work) =>
    alone(async (turn) => {
      const start = performance.now();
      const size = turn.head.size;
      const result = await work(turn);
      const seals = turn.head.size - size;
      if (seals > 0) turns.push({ held: performance.now() - start, seals });
      return result;
    });
  const start = performance.now();
  await inParallel(ids, AT_ONCE, (id) => seal(id, room.deps));
  const seconds = since(start);
  const each = turns.flatMap(({ held, seals }) => Array.from({ length: seals }, () => held / seals));
  const at = (values: readonly number[], share: number): string =>
    ([...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0).toFixed(1);
  const held = turns.map((turn) => turn.held);
  say(
    `${name.padEnd(11)} ${each.length} seals in ${turns.length} turns: chain held ${at(each, 0.5)} ms a seal (median), ${at(each, 0.95)} ms (95 %); ` +
      `a turn ${at(held, 0.5)} ms, ${at(held, 0.95)} ms; ${(count / seconds).toFixed(0)} seals/s   [goals 15 ms, 50/s]`,
  );
  await room.dispose();
}

// ---- a day's archive -------------------------------------------------------------------------------------------------

async function benchArchive(recordings: number, megabytes: number): Promise<void> {
  const root = join(scratch, 'archive');
  const builder = new ArchiveBuilder(key);
  builder.audio = (seed) => {
    const block = createHash('sha512').update(`${seed}`).digest();
    return Buffer.alloc(megabytes * 1_000_000, block);
  };
  const write = (): void => {
    for (const [path, bytes] of builder.files) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), bytes);
      if (path.endsWith('.wav')) builder.files.delete(path);
    }
  };
  for (let n = 0; n < recordings; n++) {
    await builder.call('2026/11/23/');
    write();
  }
  builder.addProofs(await builder.checkpoint());
  builder.finish();
  write();
  const octets = recordings * megabytes;
  const hashing = (): number => {
    const start = performance.now();
    const command = `find '${root}' -type f -print0 | xargs -0 -n 16 -P ${availableParallelism()} sha256sum >/dev/null`;
    if (spawnSync('sh', ['-c', command]).status !== 0) throw new Error('sha256sum failed');
    return since(start);
  };
  const verifying = (): number => {
    const start = performance.now();
    const done = spawnSync(process.execPath, [join(ROOT, 'dist/verify-cli/main.js'), root]);
    if (done.status !== 0) throw new Error(done.stdout.toString());
    return since(start);
  };
  hashing();
  const rounds = [1, 2, 3].map(() => ({ sums: hashing(), verify: verifying() }));
  const best = (kind: 'sums' | 'verify'): number => Math.min(...rounds.map((round) => round[kind]));
  say(
    `archive     ${recordings} recordings, ${octets} MB, best of 3: sha256sum ${(octets / best('sums')).toFixed(0)} MB/s, ` +
      `sealtape-verify ${(octets / best('verify')).toFixed(0)} MB/s = ${((100 * best('sums')) / best('verify')).toFixed(0)} %   [goal 80 %]`,
  );
}

// ---- a long log ------------------------------------------------------------------------------------------------------

const ORIGIN = 'bank.example/siprec/fra1/rec01/e1';
const PER_FILE = 256;

function bodyOf(index: number): EntryBody {
  if (index === 0)
    return {
      type: 'genesis',
      installation: 'fra1',
      productVersion: '0.1.0',
      policyHash: '0'.repeat(64),
      cert: certificateFingerprint(key.certificatePem),
      predecessor: '-',
      reason: 'new',
    };
  const rec = `0193f0c2-7a10-7cde-b5c1-${String(Math.ceil(index / 3)).padStart(12, '0')}`;
  const any = hash('sha256', rec, 'hex');
  if (index % 3 === 1) return { type: 'open', rec, policy: 'all@1' };
  if (index % 3 === 2)
    return {
      type: 'recording',
      rec,
      open: index - 1,
      status: 'complete',
      hash: any,
      sig: any,
      retain: 'wphg-5y 2031-11-23',
    };
  return { type: 'access', rec, kind: 'play', actor: any, purpose: 'control' };
}

interface WrittenLog {
  readonly root: string;
  readonly tree: MerkleTree;
  readonly leaves: readonly string[];
}

async function writeLog(size: number): Promise<WrittenLog> {
  const put = (path: string, bytes: Uint8Array): void => {
    const file = join(scratch, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  };
  const tree = new MerkleTree();
  const leaves: string[] = [];
  let prev = '0'.repeat(64);
  let file: Buffer[] = [];
  for (let index = 0; index < size; index++) {
    const time = new Date(1_795_459_000_000 + index * 300).toISOString();
    const mono = `7f3a9c21:${index}`;
    const header = { origin: ORIGIN, index, prev, time, mono, clock: 'synced +0.4ms', key: key.signer.key };
    const entry = formatEntry(header, bodyOf(index));
    prev = entryHash(entry);
    const leaf = leafHash(entry);
    leaves.push(leaf);
    tree.append(leaf);
    if (index === 0) put(genesisPath(ORIGIN), entry);
    file.push(entry);
    if (file.length < PER_FILE && index < size - 1) continue;
    put(entryFilePath(ORIGIN, index), formatEntryFile(file));
    file = [];
  }
  put(certificatePath(ORIGIN, key.certificatePem), Buffer.from(key.certificatePem));
  const root = tree.root(size);
  const text = formatCheckpoint(ORIGIN, size, Buffer.from(root, 'hex').toString('base64'));
  put(checkpointPath(ORIGIN, size, 'txt'), text);
  put(checkpointPath(ORIGIN, size, 'sig'), await key.signer.sign(text));
  return { root, tree, leaves };
}

/** Makes and checks the proofs that one recording in three entries needs, and some between states; returns how many. */
function proveAll({ root, tree, leaves }: WrittenLog): number {
  const size = tree.size;
  let proofs = 0;
  for (let index = 2; index < size; index += 3, proofs++) {
    const path = inclusionRanges(index, size).map(({ from, to }) => tree.range(from, to));
    if (rootFromInclusion({ index, hash: leaves[index] ?? '' }, size, path) !== root)
      throw new Error(`proof of ${index}`);
  }
  for (const old of [1, 1000, Math.floor(size / 2), size - 1]) {
    const path = consistencyRanges(old, size).map(({ from, to }) => tree.range(from, to));
    if (!isConsistent({ size: old, root: tree.root(old) }, { size, root }, path))
      throw new Error(`consistency with ${old}`);
  }
  return proofs;
}

async function benchChain(size: number): Promise<void> {
  const written = await writeLog(size);
  const start = performance.now();
  const verifier = [join(ROOT, 'dist/verify-cli/main.js'), '--json', join(scratch, 'evidence')];
  const done = spawnSync(process.execPath, verifier, { maxBuffer: 1e9 });
  const chain = since(start);
  const report = JSON.parse(done.stdout.toString()) as { logs?: { covered: number }[] };
  const covered = report.logs?.[0]?.covered;
  if (covered !== size) throw new Error(`the log was verified up to ${covered}`);
  const proving = performance.now();
  const proofs = proveAll(written);
  const proved = since(proving);
  say(
    `log         ${size} entries: chain, tree and checkpoint ${chain.toFixed(1)} s (${((chain * 1e6) / size).toFixed(1)} µs an entry), ` +
      `${proofs} inclusion proofs made and checked ${proved.toFixed(1)} s, together ${(chain + proved).toFixed(1)} s   [goal 60 s a million]`,
  );
}

const { values } = parseArgs({
  options: {
    seals: { type: 'string', default: '200' },
    recordings: { type: 'string', default: '300' },
    megabytes: { type: 'string', default: '6' },
    entries: { type: 'string', default: '1000000' },
    only: { type: 'string' },
    calls: { type: 'string', default: '0' },
    rate: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '20' },
  },
});

/** Both databases, one after the other. */
async function benchBoth(calls: number): Promise<void> {
  const plan = { calls, sealsPerSecond: Number(values.rate), seconds: Number(values.seconds) };
  if (values.only !== 'PostgreSQL') await benchBeside({ ...plan, name: 'SQLite', database: {} }, say);
  if (values.only === 'SQLite') return;
  const postgres = await startPostgres();
  try {
    const connection = await postgres.createDatabase('bench');
    await benchBeside({ ...plan, name: 'PostgreSQL', database: { client: 'pg', connection } }, say);
  } finally {
    await postgres.remove();
  }
}

say(
  `${cpus()[0]?.model ?? arch()}, ${availableParallelism()} cores, Node ${process.version}, load ${loadavg()[0]?.toFixed(1) ?? ''}`,
);
try {
  const beside = Number(values.calls);
  if (beside > 0) await benchBoth(beside);
  const wants = (part: string): boolean =>
    beside > 0 ? false : values.only === undefined || values.only === part;
  if (wants('seal')) {
    await benchSeals('SQLite', await SealingRoom.open(key.signer), Number(values.seals));
    const postgres = await startPostgres();
    try {
      const connection = await postgres.createDatabase('bench');
      await benchSeals(
        'PostgreSQL',
        await SealingRoom.open(key.signer, { kind: 'pg', connection }),
        Number(values.seals),
      );
    } finally {
      await postgres.remove();
    }
  }
  if (wants('verify')) await benchArchive(Number(values.recordings), Number(values.megabytes));
  if (wants('chain')) await benchChain(Number(values.entries));
} finally {
  rmSync(scratch, { recursive: true });
}
