/*
 * What a call costs the recorders of several built checkouts, or one with other options for Node, measured by turns: a machine drifts by more within
 * minutes than most changes make. Each runs all the time and is given the same load as the others, round after round. A figure is CPU microseconds a call
 * of the process and its children: while the calls come, and with what it does for them afterwards.
 *
 *   npm run bench:sip-turns -- [--calls N] [--rounds R] [--tcp] NAME:DIR[,OPTION…] …
 *
 * DIR: a checkout after `npm run build`. Default: 1,500 calls a turn over UDP, eight rounds, after two that do not count. No more than three at once: one that
 * rests for five seconds is told to mind memory (docs/decisions/026), and begins its next turn slowly.
 */
import { loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Transport } from './sip-caller.ts';
import { load, megabytes, settled, spentBy, startRecorder, type Running } from './sip-subject.ts';

/** Rounds in which V8 still compiles. */
const WARM_UP_ROUNDS = 2;

interface Entrant {
  readonly name: string;
  readonly checkout: string;
  readonly execArgv: readonly string[];
}

interface Plan {
  readonly calls: number;
  readonly rounds: number;
  readonly transport: Transport;
  readonly entrants: readonly Entrant[];
}

/** CPU microseconds a call in one turn. */
interface Turn {
  readonly during: number;
  readonly main: number;
  readonly allInAll: number;
}

async function takeTurn(running: Running, { calls, transport }: Plan): Promise<Turn> {
  const before = spentBy(running.pid);
  await load({ transport, port: running.port[transport], calls, rate: 0 });
  const ended = spentBy(running.pid);
  await settled(running);
  const after = spentBy(running.pid);
  const micros = (seconds: number): number => (seconds * 1e6) / calls;
  return {
    during: micros(ended.all - before.all),
    main: micros(ended.main - before.main),
    allInAll: micros(after.all - before.all),
  };
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and its standard error. */
function spread(values: readonly number[], digits: number): string {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  const error = Math.sqrt(squares / Math.max(1, values.length - 1) / values.length);
  return `${middle.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

function tell(turns: ReadonlyMap<string, readonly Turn[]>, memory: ReadonlyMap<string, number>): void {
  const [first = []] = turns.values();
  say(
    `mean ± standard error of ${first.length} rounds, us a call and the ratio to the first of the same round:`,
  );
  for (const [name, taken] of turns) {
    const over = (of: (turn: Turn) => number): string => {
      const ratios = taken.map((turn, round) => of(turn) / of(first[round] ?? turn));
      return spread(ratios, 3);
    };
    const micros = (of: (turn: Turn) => number): string => spread(taken.map(of), 0);
    const during = micros((turn) => turn.during);
    const main = micros((turn) => turn.main);
    say(
      `  ${name.padEnd(12)} during ${during} (main thread ${main}), x ${over((turn) => turn.during)}; all in all x ${over((turn) => turn.allInAll)}; ${memory.get(name) ?? 0} MB`,
    );
  }
}

async function playRound(recorders: ReadonlyMap<string, Running>, plan: Plan): Promise<Map<string, Turn>> {
  const taken = new Map<string, Turn>();
  for (const [name, running] of recorders) taken.set(name, await takeTurn(running, plan));
  return taken;
}

async function main(plan: Plan): Promise<void> {
  say(`${plan.calls} calls a turn over ${plan.transport}; load ${loadavg()[0]?.toFixed(1) ?? '?'}`);
  const recorders = new Map<string, Running>();
  const turns = new Map<string, Turn[]>();
  try {
    for (const { name, checkout, execArgv } of plan.entrants) {
      recorders.set(name, await startRecorder({ checkout, execArgv }));
      turns.set(name, []);
    }
    for (let round = 1 - WARM_UP_ROUNDS; round <= plan.rounds; round += 1) {
      const taken = await playRound(recorders, plan);
      if (round < 1) continue;
      for (const [name, turn] of taken) turns.get(name)?.push(turn);
      say(
        `  round ${round}: ${[...taken].map(([name, { during }]) => `${name} ${during.toFixed(0)}`).join(', ')}`,
      );
    }
    tell(turns, new Map([...recorders].map(([name, { pid }]) => [name, megabytes(pid)])));
  } finally {
    for (const running of recorders.values()) await running.stop();
  }
}

function planOf(args: readonly string[]): Plan {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      calls: { type: 'string', default: '1500' },
      rounds: { type: 'string', default: '8' },
      tcp: { type: 'boolean', default: false },
    },
  });
  const entrants = positionals.map((text): Entrant => {
    const [name = '', place = ''] = text.split(/:(.*)/s);
    const [dir, ...execArgv] = place.split(',');
    if (name === '' || dir === undefined || dir === '')
      throw new Error(`NAME:DIR[,OPTION…] is wanted, not ${text}`);
    return { name, checkout: resolve(dir), execArgv };
  });
  if (entrants.length === 0) throw new Error('which checkouts? NAME:DIR …');
  return {
    calls: Number(values.calls),
    rounds: Number(values.rounds),
    transport: values.tcp ? 'tcp' : 'udp',
    entrants,
  };
}

await main(planOf(process.argv.slice(2)));
