import { expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { env } from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseEntry } from '../../src/evidence/entry.ts';
import { Policy } from '../../src/recorder/policy.ts';
import { Statements } from '../../src/recorder/statements.ts';
import { openJournal } from '../../src/store/journal.ts';
import { openPolicyFile } from '../../src/store/policy-file.ts';
import { PolicyQueries } from '../../src/store/policy-queries.ts';
import { killAt } from '../support/killed-at.ts';
import { SealingRoom } from '../support/sealing-room.ts';

const DIST = pathToFileURL(join(import.meta.dirname, '../../dist')).href;
/** Changes rules and groups when it is told to, and says that it is ready before. */
const CHILD = String.raw`
import { once } from 'node:events';
import { join } from 'node:path';
import { Policy } from '${DIST}/src/recorder/policy.js';
import { Statements } from '${DIST}/src/recorder/statements.js';
import { RuleSet } from '${DIST}/src/rules/rule-set.js';
import { openJournal } from '${DIST}/src/store/journal.js';
import { openPolicyFile } from '${DIST}/src/store/policy-file.js';

const [, folder = ''] = process.argv;
const journal = await openJournal(join(folder, 'journal'));
const statements = new Statements({ journal, now: Date.now, log: () => undefined });
const policy = await Policy.open({
  file: openPolicyFile(folder),
  state: (event) => statements.state(event),
  now: Date.now,
  timeZone: 'UTC',
  configured: undefined,
});
process.stdout.write('ready\n');
await once(process.stdin, 'data');
await policy.replaceRules(RuleSet.parse({ default: 'refuse' }), 'anna');
await policy.changeMembership('sales', '20', { change: 'added', actor: 'anna' });
await policy.changeMembership('sales', '20', { change: 'logged-in', actor: 'phone' });
await policy.changeMembership('sales', '20', { change: 'removed', actor: 'anna' });
process.exit(0);
`;
/**
 * The file and its folder, at each change before it is stated and behind that: on entering the second a change holds and is not stated, on
 * entering the third it is stated and the file says that it may not be.
 */
const CALL = 'fsync';
const MOST = 100;

/** Changes rules and groups in another process that is killed when it enters its n-th system call; false when it was done before. */
async function changesKilledAt(n: number, folder: string): Promise<boolean> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', CHILD, folder], {
    env: { ...env, UV_THREADPOOL_SIZE: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return killAt(child, { call: CALL, n }, ['-f', '-p', String(child.pid)]);
}

/** What the next start finds in force, having stated what it must. */
async function nextStart(folder: string): Promise<Policy> {
  const journal = await openJournal(join(folder, 'journal'));
  const statements = new Statements({ journal, now: Date.now, log: () => undefined });
  const policy = await Policy.open({
    file: openPolicyFile(folder),
    state: (event) => statements.state(event),
    now: Date.now,
    timeZone: 'UTC',
    configured: undefined,
  });
  await journal.close();
  return policy;
}

async function expectStatedOnce(policy: Policy, room: SealingRoom): Promise<void> {
  await room.applier.settled();
  const rows = await room.store.entries(room.origin, 0, 1000);
  const changes = rows.flatMap(({ bytes }) => {
    const { body } = parseEntry(bytes);
    return body.type === 'config' && body.part === 'policy' ? [body] : [];
  });
  const { version, set } = policy.rules;
  const hash = createHash('sha256').update(JSON.stringify(set)).digest('hex');
  // Each once, each going on from the one before, and the last one is what holds.
  expect(changes).toHaveLength(version);
  expect(changes.slice(1).map(({ hashBefore }) => hashBefore)).toEqual(
    changes.slice(0, -1).map(({ hashAfter }) => hashAfter),
  );
  if (version > 0) expect(changes.at(-1)?.hashAfter).toBe(hash);

  const queries = new PolicyQueries(room.database, room.node);
  const spans = await queries.membershipSpans({ from: 0, to: Date.now() });
  const lasting = spans.filter(({ until }) => until === undefined);
  const member = policy.groups['sales']?.['20'];
  expect(lasting.map(({ kind }) => kind).toSorted()).toEqual([
    ...(member?.loggedInSince === undefined ? [] : ['logged-in']),
    ...(member === undefined ? [] : ['member']),
  ]);
  const steps = await queries.stepsOfActors({ limit: 100 });
  const stated = steps.map(({ step }) => step).filter((step) => step.startsWith('member '));
  expect(new Set(stated).size).toBe(stated.length);
}

test('whenever a process that changes rules and groups is killed, the next start has every change that holds stated once', async () => {
  for (let n = 1; n < MOST; n++) {
    const room = await SealingRoom.open();
    try {
      const { folder } = room;
      const next: { killed?: boolean; policy?: Policy } = {};
      await room.whileClosed(async () => {
        next.killed = await changesKilledAt(n, folder);
        next.policy = await nextStart(folder);
      });
      if (next.policy !== undefined) await expectStatedOnce(next.policy, room);
      if (next.killed === false) return;
    } catch (error) {
      throw new Error(`killed at call ${n}`, { cause: error });
    } finally {
      await room.dispose();
    }
  }
  throw new Error(`not done after ${MOST} calls`);
}, 300_000);
