import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { DeliveryLane } from '../../src/jobs/delivery-lane.ts';
import { PermanentUploadError } from '../../src/jobs/destination.ts';
import type { DeliveryRow } from '../../src/jobs/ports.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const { signal } = new AbortController();
const AWAY = new Error('UNREACHABLE: no route to host');

/** A log of deliveries to one destination, and a destination that takes what a test lets it. */
class Yard {
  readonly rows: DeliveryRow[] = [];
  /** What was begun, with seconds since the start. */
  readonly tried: [string, number][] = [];
  readonly arrived: string[] = [];
  /** Undefined: it arrives. */
  fault: (recording: string) => unknown = () => undefined;
  woken = 0;
  readonly #start = Date.now();

  constructor(...names: readonly string[]) {
    for (const name of names) this.add(name);
  }

  add(recording: string, row: Partial<DeliveryRow> = {}): void {
    const common = {
      destination: 'nas',
      state: 'waiting',
      attempts: 0,
      updatedAt: 0,
      permanent: false,
    } as const;
    this.rows.push({ ...common, recording, ...row });
  }

  open(parallel = 2, pass?: () => Promise<void>): DeliveryLane {
    return new DeliveryLane('nas', {
      parallel,
      ...(pass !== undefined && { pass }),
      due: (_destination, limit) =>
        Promise.resolve(
          this.rows
            .filter(({ state, dueAt = 0 }) => state !== 'delivered' && dueAt <= Date.now())
            .slice(0, limit),
        ),
      upload: async ({ recording }) => {
        this.tried.push([recording, (Date.now() - this.#start) / 1000]);
        await Promise.resolve();
        const fault = this.fault(recording);
        if (fault !== undefined) throw fault as Error;
        this.arrived.push(recording);
        this.#set(recording, { state: 'delivered' });
      },
      noteFailure: ({ recording }, _error, dueAt) => {
        this.#set(recording, { state: 'failed', dueAt });
        return Promise.resolve();
      },
      wake: () => {
        this.woken++;
      },
      now: Date.now,
    });
  }

  #set(recording: string, change: Partial<DeliveryRow>): void {
    const at = this.rows.findIndex((row) => row.recording === recording);
    const row = this.rows[at];
    if (row !== undefined) this.rows[at] = { ...row, ...change };
  }
}

/** Takes every turn there is, as many at a time as the lane gives. */
async function workOff(lane: DeliveryLane): Promise<void> {
  for (;;) {
    const turns = await Promise.all(Array.from({ length: 4 }, () => lane.turn(signal)));
    if (turns.every((turn): turn is undefined => turn === undefined)) return;
  }
}

/** As the reconciler does, once a second. */
async function workFor(lane: DeliveryLane, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    jest.advanceTimersByTime(1000);
    await workOff(lane);
  }
}

const names = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `r${n}`);

describe('a destination that takes everything', () => {
  test('gets the oldest first, no more than it takes at a time', async () => {
    const yard = new Yard(...names(5));
    const lane = yard.open(2);
    const first = await Promise.all([lane.turn(signal), lane.turn(signal), lane.turn(signal)]);
    expect(first.map((turn) => turn?.recording)).toEqual(['r0', 'r1', undefined]);
    await workOff(lane);
    expect(yard.arrived).toEqual(names(5));
  });

  test('sets aside for an hour what is the fault of one recording', async () => {
    const yard = new Yard(...names(4));
    yard.fault = (recording) =>
      recording === 'r1' ? new PermanentUploadError('name-taken', 'DIFFERENT: x') : undefined;
    const lane = yard.open();
    await workOff(lane);
    expect(yard.arrived).toEqual(['r0', 'r2', 'r3']);
    await workFor(lane, 3700);
    expect(yard.tried.filter(([recording]) => recording === 'r1').map(([, at]) => at)).toEqual([0, 3600]);
  });
});

describe('a destination that is away', () => {
  test('is tried with the oldest alone after growing pauses, hourly in the end, and gets the rest in order when it is back', async () => {
    const yard = new Yard(...names(200));
    yard.fault = () => AWAY;
    const lane = yard.open(4);
    await workOff(lane);
    expect(yard.tried.map(([recording]) => recording)).toEqual(['r0', 'r1', 'r2', 'r3']);
    yard.tried.length = 0;
    await workFor(lane, 15_000);
    // From the fifth failure on one more beside it, in case the oldest itself is the fault.
    expect(yard.tried.slice(0, 6)).toEqual([
      ['r0', 1],
      ['r0', 3],
      ['r0', 7],
      ['r0', 15],
      ['r1', 15],
      ['r0', 31],
    ]);
    const tries = yard.tried.filter(([recording]) => recording === 'r0').map(([, at]) => at);
    expect(tries.slice(-4)).toEqual([811, 4411, 8011, 11_611]);
    expect(new Set(yard.tried.map(([recording]) => recording))).toEqual(new Set(['r0', 'r1']));
    yard.fault = () => undefined;
    await workFor(lane, 3600);
    expect(yard.arrived).toEqual(names(200));
    expect(yard.woken).toBeGreaterThan(0);
  });

  test('for good, by a wrong password say, is asked once an hour, and at once when somebody helped', async () => {
    const yard = new Yard(...names(3));
    yard.fault = () => new PermanentUploadError('credentials', 'DENIED: x');
    const lane = yard.open(1);
    await workFor(lane, 4000);
    expect(yard.tried).toEqual([
      ['r0', 1],
      ['r0', 3601],
    ]);
    yard.fault = () => undefined;
    lane.retry();
    await workOff(lane);
    expect(yard.arrived).toEqual(names(3));
  });

  test('is tried with one recording first after a restart', async () => {
    const yard = new Yard();
    yard.add('r0', { state: 'failed' });
    yard.add('r1');
    yard.fault = () => AWAY;
    const lane = yard.open(4);
    await workOff(lane);
    expect(yard.tried).toEqual([['r0', 0]]);
    yard.fault = () => undefined;
    await workFor(lane, 1);
    expect(yard.arrived).toEqual(['r0', 'r1']);
  });

  test('is not blamed for what was cut off by our own stop', async () => {
    const yard = new Yard('r0');
    const stop = new AbortController();
    yard.fault = () => {
      stop.abort();
      return AWAY;
    };
    const lane = yard.open();
    expect(await lane.turn(stop.signal)).toEqual({ recording: 'r0', error: AWAY });
    expect(yard.rows).toMatchObject([{ state: 'waiting' }]);
    expect(lane.failing).toBe(false);
  });
});

test('a recording that fails time and again while others arrive holds up none of them for long, nor again', async () => {
  const yard = new Yard(...names(10));
  yard.fault = (recording) => (recording === 'r2' ? AWAY : undefined);
  const lane = yard.open(1);
  await workFor(lane, 40);
  expect(yard.arrived).toEqual(['r0', 'r1', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9']);
  yard.tried.length = 0;
  for (let n = 0; n < 300; n++) {
    yard.add(`later${n}`);
    await workFor(lane, 1);
    expect(yard.arrived.at(-1)).toBe(`later${n}`);
  }
  const tries = yard.tried.filter(([recording]) => recording === 'r2').length;
  expect(tries).toBeGreaterThan(1);
  expect(tries).toBeLessThan(7);
  yard.fault = () => undefined;
  await workFor(lane, 3600);
  expect(yard.arrived).toContain('r2');
});

test('the oldest is tried once more when another has arrived in its place', async () => {
  const yard = new Yard(...names(6));
  let answers = 0;
  // The destination comes back between two tries.
  yard.fault = () => (++answers < 6 ? AWAY : undefined);
  const lane = yard.open(1);
  await workFor(lane, 40);
  expect(yard.arrived).toEqual(['r1', 'r0', 'r2', 'r3', 'r4', 'r5']);
});

test('is idle when every turn that was under way is over, whoever asked for it', async () => {
  const yard = new Yard('a');
  const lane = yard.open();
  const elsewhere = lane.turn(signal);
  expect(await lane.turn(signal)).toBeUndefined();
  await lane.idle();
  expect(yard.arrived).toEqual(['a']);
  expect(await elsewhere).toEqual({ recording: 'a' });
});

test('a turn begins when what is more urgent has let it pass, and looks only then what is due', async () => {
  const yard = new Yard();
  let letGo = (): void => undefined;
  const lane = yard.open(2, () => new Promise((resolve) => (letGo = resolve)));
  const turn = lane.turn(signal);
  await jest.advanceTimersByTimeAsync(5000);
  expect(yard.tried).toEqual([]);
  yard.add('a');
  letGo();
  expect(await turn).toEqual({ recording: 'a' });
  expect(yard.tried).toEqual([['a', 5]]);
});
