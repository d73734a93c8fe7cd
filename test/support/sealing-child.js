// @ts-check
// Seals recordings and places their proofs when it is told to, and says which of its threads works on files before: what is killed in test/jobs/seal-killed.test.ts.
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSigner } from '../../dist/src/evidence/signature.js';
import { Chain, emptyHead } from '../../dist/src/jobs/chain.js';
import { LogTree } from '../../dist/src/jobs/log-tree.js';
import { Prover, signaturesOf } from '../../dist/src/jobs/prove.js';
import { resumeChain, seal } from '../../dist/src/jobs/seal.js';
import { SealGroup } from '../../dist/src/jobs/seal-group.js';
import { openDatabase } from '../../dist/src/store/database.js';
import { SqlLogStore } from '../../dist/src/store/log-store.js';
import { openSpool } from '../../dist/src/store/spool.js';

const [, , folder = '', keys = '', origin = '', ...recordings] = process.argv;
const read = (name) => readFileSync(join(keys, name), 'utf8');
const signer = createSigner(read('key.pem'), read('cert.pem'));
const migrations = join(import.meta.dirname, '../../migrations');
const database = await openDatabase({ kind: 'sqlite', file: join(folder, 'log.db') }, migrations);
const parts = {
  store: new SqlLogStore(database, { node: 'test/rec01' }),
  files: await openSpool(folder, { threads: 1 }),
  destinations: ['archive'],
  now: Date.now,
};
const resume = async () => (await resumeChain(origin, parts)) ?? emptyHead(origin);
const clock = () => ({ time: new Date().toISOString(), mono: '7f3a9c21:1', clock: 'unsynced' });
const chain = new Chain(await resume(), { key: signer.key, clock, resume });
// Its first work starts the thread that works on the files: its id is the one that was not there before.
const threads = () => readdirSync('/proc/self/task');
const before = threads();
await parts.files.sync(recordings[0] ?? '');
process.stdout.write(`${threads().find((id) => !before.includes(id)) ?? ''}\n`);
await once(process.stdin, 'data');
const prover = new Prover({
  ...parts,
  chain,
  signer,
  treeOf: (of) => new LogTree(parts.store, of),
  signaturesOf: (row) => signaturesOf(row, [signer.certificatePem]),
});
const deps = {
  ...parts,
  group: new SealGroup(chain, parts.store),
  signer,
  installation: { name: 'test', node: 'rec01', version: '0.0.0', timeZone: 'UTC' },
  keep: () => ({ profile: 'none' }),
};
// One alone, the others together.
const [first = '', ...others] = recordings;
await seal(first, deps);
await prover.prove();
await Promise.all(others.map((recording) => seal(recording, deps)));
await prover.prove();
process.exit(0);
