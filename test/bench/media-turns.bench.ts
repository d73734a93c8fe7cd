/*
 * What a packet costs the media side of several built checkouts, measured by turns: a machine drifts by more within minutes than most
 * changes make. Of each checkout the media thread runs in a process of its own, without signalling, beside a receiver that only counts; one
 * source of load serves them one after the other, round after round, with calls opened anew for each turn. A figure is CPU microseconds
 * a packet; the ratio is to the counting receiver of the same round.
 *
 *   npm run bench:media-turns -- [--calls N] [--seconds S] [--rounds R] [--spool DIR] NAME:DIR …
 *
 * DIR: a checkout after `npm run build`. Default: 1,000 calls, four seconds, five rounds, spool in /dev/shm. After each turn's calls have been opened three
 * seconds pass before anything is measured.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LoadProcess } from './load-process.ts';
import { MediaSubject } from './media-subject.ts';

/** The first packets of a call are looked at one by one, and nothing is final before 2 s. */
const WARM_UP_MS = 3_000;
const COUNTING = 'counting';
const LINES_A_CALL = 2;

interface Plan {
  readonly calls: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly spool: string;
  readonly checkouts: readonly { readonly name: string; readonly dir: string }[];
}

/** CPU microseconds a packet in one turn. */
interface Turn {
  readonly thread: number;
  readonly process: number;
}

async function takeTurn(subject: MediaSubject, load: LoadProcess, { calls, seconds }: Plan): Promise<Turn> {
  const ports = await subject.open();
  ports.forEach((port, stream) => {
    load.aim(stream, port);
  });
  await delay(WARM_UP_MS);
  const before = await subject.done();
  await delay(seconds * 1000);
  const after = await subject.done();
  for (let stream = 0; stream < calls * LINES_A_CALL; stream += 1) load.aim(stream, undefined);
  await subject.close();
  const micros = (from: number, to: number): number => ((to - from) * 1e6) / (after.packets - before.packets);
  return { thread: micros(before.thread, after.thread), process: micros(before.process, after.process) };
}

/** Median, and least and most in brackets. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.round((sorted.length - 1) * part)] ?? NaN).toFixed(2);
  return `${at(0.5)} (${at(0)} to ${at(1)})`;
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

function tell(turns: ReadonlyMap<string, readonly Turn[]>): void {
  const measure = turns.get(COUNTING) ?? [];
  const [first = COUNTING] = turns.keys();
  const over = (name: string, other: string): readonly number[] =>
    (turns.get(name) ?? []).map(({ thread }, round) => thread / (turns.get(other)?.[round]?.thread ?? NaN));
  say(`median (least to most) of ${measure.length} rounds:`);
  for (const [name, taken] of turns) {
    const thread = spread(taken.map((turn) => turn.thread));
    const whole = spread(taken.map((turn) => turn.process));
    say(
      `  ${name.padEnd(12)} thread ${thread} us, process ${whole} us, x ${spread(over(name, COUNTING))} ${COUNTING}, x ${spread(over(name, first))} ${first}`,
    );
  }
}

async function main(plan: Plan): Promise<void> {
  say(
    `${plan.calls} calls of two lines, turns of ${plan.seconds} s; load ${loadavg()[0]?.toFixed(1) ?? '?'}`,
  );
  const spool = await mkdtemp(join(plan.spool, 'sealtape-turns-'));
  // Reports go where somebody listens and nobody reads.
  const sink = createSocket('udp4').bind(0, '127.0.0.1');
  await once(sink, 'listening');
  const reports = `127.0.0.1:${sink.address().port}`;
  const load = await LoadProcess.idle(plan.calls * LINES_A_CALL);
  const subjects = new Map<string, MediaSubject>();
  const turns = new Map<string, Turn[]>();
  try {
    for (const { name, dir } of [...plan.checkouts, { name: COUNTING, dir: undefined }]) {
      const checkout = dir === undefined ? undefined : resolve(dir);
      const its = { calls: plan.calls, checkout, spool: join(spool, name), reports };
      subjects.set(name, await MediaSubject.start(its));
      turns.set(name, []);
    }
    for (let round = 0; round < plan.rounds; round += 1) {
      for (const [name, subject] of subjects) turns.get(name)?.push(await takeTurn(subject, load, plan));
      const told = [...turns].map(([name, taken]) => `${name} ${taken.at(-1)?.thread.toFixed(2) ?? ''}`);
      say(`  round ${round + 1}: ${told.join(', ')}`);
    }
    tell(turns);
  } finally {
    for (const subject of subjects.values()) subject.stop();
    await load.stop();
    sink.close();
    await rm(spool, { recursive: true, force: true });
  }
}

function planOf(args: readonly string[]): Plan {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      calls: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '5' },
      spool: { type: 'string', default: '/dev/shm' },
    },
  });
  const number = (text: string): number => {
    if (!/^[1-9]\d{0,4}$/.test(text)) throw new Error(`not a number: ${text}`);
    return Number(text);
  };
  const checkouts = positionals.map((text) => {
    const [, name, dir] = /^([\w-]+):(.+)$/.exec(text) ?? [];
    if (name === undefined || dir === undefined) throw new Error(`not NAME:DIR: ${text}`);
    return { name, dir };
  });
  if (checkouts.length === 0) throw new Error('no checkout named');
  const [calls, seconds, rounds] = [values.calls, values.seconds, values.rounds].map(number);
  return { calls: calls ?? 0, seconds: seconds ?? 0, rounds: rounds ?? 0, spool: values.spool, checkouts };
}

await main(planOf(process.argv.slice(2)));
