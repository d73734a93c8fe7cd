import { describe, expect, test } from '@jest/globals';
import { PermanentUploadError } from '../../src/jobs/destination.ts';
import { DeliveryLanes } from '../../src/jobs/delivery-lanes.ts';
import type { DeliveryRow } from '../../src/jobs/ports.ts';

const { signal } = new AbortController();

/** Deliveries that wait for one destination that takes two at a time. */
class Quay {
  now = 0;
  woken = 0;
  fault: (recording: string) => Error | undefined = () => undefined;
  /** What is left to do when the files are copied. */
  rest: (recording: string) => Promise<void> = () => Promise.resolve();
  readonly lanes: DeliveryLanes;
  #rows: DeliveryRow[] = [];

  constructor(count: number) {
    const common = { destination: 'nas', attempts: 0, updatedAt: 0, permanent: false } as const;
    this.#rows = Array.from({ length: count }, (_, n) => ({
      ...common,
      recording: `r${n}`,
      state: 'waiting',
    }));
    const without = (recording: string): void => {
      this.#rows = this.#rows.filter((row) => row.recording !== recording);
    };
    this.lanes = new DeliveryLanes({
      parallel: new Map([['nas', 2]]),
      due: (_destination, limit) => Promise.resolve(this.#rows.slice(0, limit)),
      upload: async ({ recording }, _signal, onCopied) => {
        const fault = this.fault(recording);
        if (fault !== undefined) throw fault;
        onCopied();
        await this.rest(recording);
        without(recording);
      },
      noteFailure: ({ recording }) => {
        without(recording);
        return Promise.resolve();
      },
      wake: () => {
        this.woken++;
      },
      now: () => this.now,
    });
  }
}

describe('jobs of a queue', () => {
  test('go on while there is something due, and are asked for no more often than they are needed', async () => {
    const { lanes } = new Quay(5);
    const asked = ['r0', 'r1', 'r2'].map((recording) => lanes.jobsFor(recording));
    expect(asked).toEqual([
      [{ recording: 'r0', destination: 'nas' }],
      [{ recording: 'r1', destination: 'nas' }],
      [],
    ]);
    expect(await lanes.deliver('nas', signal)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4']);
    expect([lanes.wants('nas'), lanes.wants('nas')]).toEqual([true, false]);
    expect(await lanes.deliver('nas', signal)).toEqual([]);
  });

  test('that the queue has lost are not counted on for long', () => {
    const quay = new Quay(1);
    expect([quay.lanes.wants('nas'), quay.lanes.wants('nas'), quay.lanes.wants('nas')]).toEqual([
      true,
      true,
      false,
    ]);
    quay.now = 5001;
    expect(quay.lanes.wants('nas')).toBe(true);
  });

  test('begin with the next when the files of one are copied, up to a number that is not in the log yet', async () => {
    const quay = new Quay(12);
    const begun: string[] = [];
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    quay.rest = (recording) => {
      begun.push(recording);
      return finished;
    };
    const job = quay.lanes.deliver('nas', signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const names = Array.from({ length: 12 }, (_, n) => `r${n}`);
    expect(begun).toEqual(names.slice(0, 8));
    finish();
    expect(await job).toEqual(names);
    expect(quay.woken).toBe(0);
  });

  test('end some time, and have the rest asked for', async () => {
    const quay = new Quay(130);
    expect(await quay.lanes.deliver('nas', signal)).toHaveLength(100);
    expect(quay.woken).toBe(1);
    expect(await quay.lanes.deliver('nas', signal)).toHaveLength(30);
    expect(quay.woken).toBe(1);
  });

  test('fail with what kept a recording from arriving; those behind it are asked for when the destination takes them', async () => {
    const quay = new Quay(3);
    quay.fault = (recording) =>
      recording === 'r1' ? new PermanentUploadError('name-taken', 'DIFFERENT: x') : undefined;
    await expect(quay.lanes.deliver('nas', signal)).rejects.toThrow('DIFFERENT');
    expect(quay.woken).toBe(1);
    expect(await quay.lanes.deliver('nas', signal)).toEqual(['r2']);
  });

  test('are not asked for while the destination rests', async () => {
    const quay = new Quay(2);
    quay.fault = () => new Error('UNREACHABLE: x');
    await expect(quay.lanes.deliver('nas', signal)).rejects.toThrow('UNREACHABLE');
    expect(quay.lanes.wants('nas')).toBe(false);
    expect(quay.woken).toBe(0);
    quay.lanes.close();
  });
});
