import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EventApplier } from '../../src/jobs/apply-events.ts';
import { Chain, emptyHead } from '../../src/jobs/chain.ts';
import { Policy } from '../../src/recorder/policy.ts';
import { Recorder } from '../../src/recorder/recorder.ts';
import { RuleSet } from '../../src/rules/rule-set.ts';
import { openDatabase, type Database } from '../../src/store/database.ts';
import { openJournal, type Journal } from '../../src/store/journal.ts';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { openPolicyFile } from '../../src/store/policy-file.ts';
import { PolicyQueries } from '../../src/store/policy-queries.ts';
import { RecordingQueries } from '../../src/store/recording-queries.ts';
import { openSpool, type Spool } from '../../src/store/spool.ts';
import type { RecordingCall } from '../../src/recorder/call.ts';
import type { Decision } from '../../src/rules/decision.ts';
import { aCall, aDescription } from '../support/recorder-fakes.ts';
import { SpeakingMedia } from '../support/speaking-media.ts';

const CALLS = 2000;
const NODE = 'test/rec01';
const MORNING = Date.UTC(2026, 10, 23, 7);
/** One call a quarter of a minute: a day of a little more than eight hours. */
const EVERY = 15_000;
const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url));

const RULES = RuleSet.parse({
  country: 'DE',
  default: 'refuse',
  rules: [
    { id: 'private', when: { number: ['+49170*'] }, record: false },
    { id: 'sales', when: { group: ['sales'] }, record: true, mayStop: true },
    { id: 'board', when: { user: ['900-909'] }, record: true, legs: 'caller' },
  ],
});
const NIGHT = RuleSet.parse({ ...RULES, rules: RULES.rules.filter(({ id }) => id !== 'board') });

interface Done {
  readonly callId: string;
  readonly at: number;
  readonly decision: Decision;
  readonly loggedIn: readonly string[];
  readonly payload: string;
}

let folder: string;
let database: Database;
let journal: Journal;
let spool: Spool;
let now = MORNING;
const done: Done[] = [];
/** Recordings that somebody tried to stop. */
const tried = new Set<string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealtape-day-'));
  database = await openDatabase({ kind: 'sqlite', file: join(folder, 'sealtape.db') }, MIGRATIONS);
  await database.migrate();
  journal = await openJournal(join(folder, 'journal'));
  spool = await openSpool(folder);
  await liveOneDay();
});

afterAll(async () => {
  spool.close();
  await journal.close();
  await database.close();
  await rm(folder, { recursive: true });
});

/** Everything from the decision to the database is the product's; only sockets and the clock are ours. */
async function liveOneDay(): Promise<void> {
  const store = new SqlLogStore(database, { node: NODE });
  const origin = 'test.example/siprec/test/rec01/e1';
  const clock = () => ({
    time: new Date(now).toISOString(),
    mono: `0000abcd:${now - MORNING}`,
    clock: 'unsynced',
  });
  const chain = new Chain(emptyHead(origin), {
    key: 'ab'.repeat(32),
    clock,
    resume: async () => (await store.head(origin)) ?? emptyHead(origin),
  });
  const applier = new EventApplier({
    journal,
    store,
    chain,
    actorSecret: Buffer.alloc(32, 7),
    onEnded: () => undefined,
    log: () => undefined,
  });
  const media = new SpeakingMedia();
  const recorder = new Recorder({
    media,
    journal,
    folders: spool,
    now: () => now,
    log: () => undefined,
    minFreeBytes: 0,
  });
  const policy = await Policy.open({
    file: openPolicyFile(folder),
    state: (event) => recorder.state(event),
    now: () => now,
    timeZone: 'Europe/Berlin',
    configured: undefined,
  });
  await policy.replaceRules(RULES, 'admin');
  for (const member of ['101', '102', '103'])
    await policy.changeMembership('sales', member, { change: 'added', actor: 'admin' });
  for (let count = 0; count < CALLS; count++) {
    now = MORNING + count * EVERY;
    if (count % 50 === 7) await policy.toggle('sales', `10${1 + (Math.floor(count / 50) % 3)}`, 'phone');
    if (count === 1500) await policy.replaceRules(NIGHT, 'admin');
    await oneCall(count, { recorder, policy, media });
  }
  await applier.settled();
  await applier.stop();
}

async function oneCall(
  count: number,
  on: { readonly recorder: Recorder; readonly policy: Policy; readonly media: SpeakingMedia },
): Promise<void> {
  const user = ['101', '102', '103', '104', '900'][count % 5] ?? '';
  const number = count % 7 === 3 ? `+49170${1_000_000 + count}` : `+4930${5_000_000 + count}`;
  const direction = (['in', 'out', 'internal'] as const)[count % 3] ?? 'in';
  const [from, to] = direction === 'in' ? [number, user] : [user, direction === 'out' ? number : '104'];
  const party = (value: string) => ({ number: value, source: 'test', confidence: 'high' }) as const;
  const description = aDescription({ direction, caller: party(from), callee: party(to) });
  const loggedIn = Object.entries(on.policy.groups['sales'] ?? {}).flatMap(([member, { loggedInSince }]) =>
    loggedInSince === undefined ? [] : [member],
  );
  const decision = on.policy.decide({ description, trunk: 'test', at: now });
  const call = aCall({ description, decision });
  const callId = `call-${count}@day`;
  const payload = `<<spoken in ${callId}>>`;
  const recording = await on.recorder.accept({ ...call, facts: { ...call.facts, callId } });
  if (count % 11 === 0) await forward(recording, description);
  await on.media.speak(recording.id, payload);
  now += 5000;
  if (count % 13 === 5) await stop(recording, on);
  // What is said after a stop, and by whom stopping is not allowed.
  await on.media.speak(recording.id, `<<said later in ${callId}>>`);
  await recording.end('bye');
  done.push({ callId, at: now - 5000, decision, loggedIn, payload });
}

/** The user presses *1, or somebody stops it by the API; where the rule does not allow it, nothing happens. */
async function stop(recording: RecordingCall, { recorder }: { readonly recorder: Recorder }): Promise<void> {
  if (recorder.running().length > 0) tried.add(recording.id);
  if (tried.size % 2 === 0) await recorder.stop(recording.id, 'admin-token');
  else for (const key of ['*', '1']) recording.pressed(key);
  // The end of a recording that was stopped waits for nothing but its files.
  if (recorder.running().length === 0) await recording.end('bye');
}

/** A call goes on to a mobile phone that no rule would record; the decision of its beginning stays. */
const forward = (recording: RecordingCall, description: ReturnType<typeof aDescription>): Promise<unknown> =>
  recording.reoffer(aCall().offer, {
    ...description,
    callee: { number: '+491709999999', source: 'test', confidence: 'high' },
  });

test('the log answers for every call whether it was recorded, why, and by which version of the rules', async () => {
  const recordings = new Map<string, { readonly rule: string; readonly version: number }>();
  const queries = new RecordingQueries(database);
  let before: { readonly startedAt: number; readonly id: string } | undefined;
  for (;;) {
    const page = await queries.listNewest(1000, before);
    for (const { facts, decision } of page) if (decision) recordings.set(facts.callId, decision);
    before = page.at(-1);
    if (page.length < 1000) break;
  }
  const declined = new Map(
    (await new PolicyQueries(database, NODE).declinedCalls({ limit: 10_000 })).map((row) => [
      row.callId,
      row,
    ]),
  );
  expect(recordings.size + declined.size).toBe(CALLS);
  for (const { callId, decision } of done) {
    const { rule, version } = decision;
    if (decision.record) expect(recordings.get(callId)).toMatchObject({ rule, version });
    else expect(declined.get(callId)?.decision).toMatchObject({ rule, version, record: false });
  }
  // The day had some of everything, or it would prove nothing.
  const rules = new Map<string, number>();
  for (const { decision } of done) {
    const key = `${decision.rule}@${decision.version}`;
    rules.set(key, (rules.get(key) ?? 0) + 1);
  }
  for (const rule of ['private@1', 'sales@1', 'board@1', 'default@1', 'private@2', 'sales@2', 'default@2'])
    expect([rule, (rules.get(rule) ?? 0) > 20]).toEqual([rule, true]);
});

test('for every call the log shows who was logged in when it began', async () => {
  const spans = await new PolicyQueries(database, NODE).membershipSpans({ from: 0, to: now });
  const logins = spans.filter(({ kind }) => kind === 'logged-in');
  expect(logins.length).toBeGreaterThan(10);
  for (const { at, loggedIn } of done) {
    const shown = logins.filter(({ since, until }) => since <= at && (until === undefined || until > at));
    expect(shown.map(({ member }) => member).toSorted()).toEqual([...loggedIn].toSorted());
  }
});

test('no octet of a call that should not be kept is on the disk', async () => {
  const found = new Set<string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const text = await readFile(join(entry.parentPath, entry.name), 'latin1');
    for (const [, callId = ''] of text.matchAll(/<<spoken in ([^>]+)>>/g)) found.add(callId);
  }
  const kept = done.filter(({ decision }) => decision.record).map(({ callId }) => callId);
  // The same search finds what was kept, so it would have found the others.
  expect([...found].toSorted()).toEqual(kept.toSorted());
});

/** What became of an attempt to stop a recording. */
interface Attempt {
  readonly callId: string;
  readonly allowed: boolean;
  readonly shown: {
    readonly end: string | undefined;
    readonly step: string | undefined;
    readonly by: boolean;
  };
}

async function attemptOn(id: string, queries: RecordingQueries): Promise<Attempt> {
  const details = await queries.findRecording(id);
  if (details === undefined) throw new Error(`the log does not know ${id}`);
  const { decision, endReason, capture, facts } = details.recording;
  const step = details.steps.find((each) => each.step.startsWith('stop'))?.step;
  const by = /^(?:user .+|admin-token)$/.test(capture?.stopped?.actor ?? '');
  return {
    callId: facts.callId,
    allowed: decision?.mayStop === true,
    shown: { end: endReason, step, by },
  };
}

test('a stop is kept with who, how and when, only where the rule allows it, and nothing said later is on the disk', async () => {
  const [queries, said] = [new RecordingQueries(database), new Set<string>()];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const text = await readFile(join(entry.parentPath, entry.name), 'latin1');
    for (const [, callId = ''] of text.matchAll(/<<said later in ([^>]+)>>/g)) said.add(callId);
  }
  const attempts: Attempt[] = [];
  for (const id of tried) attempts.push(await attemptOn(id, queries));
  const allowed = attempts.filter((each) => each.allowed);
  const refused = attempts.filter((each) => !each.allowed);
  for (const { shown, callId } of allowed)
    expect({ ...shown, said: said.has(callId) }).toEqual({
      end: 'stopped',
      step: 'stopped',
      by: true,
      said: false,
    });
  for (const { shown, callId } of refused)
    expect({ ...shown, said: said.has(callId) }).toEqual({
      end: 'bye',
      step: 'stop refused',
      by: false,
      said: true,
    });
  expect(allowed.length).toBeGreaterThan(20);
  expect(refused.length).toBeGreaterThan(5);
});
