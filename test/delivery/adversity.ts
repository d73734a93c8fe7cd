import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PermanentUploadError, type Destination, type Upload } from '../../src/jobs/destination.ts';
import { startCuttingProxy, type Cut, type CuttingProxy } from '../support/cutting-proxy.ts';
import { LONG } from '../support/long-run.ts';
import { never, uploadOf, type DestinationSubject } from './conformance.ts';

/** A destination whose server, and the line to it, can fail. */
export interface AdverseSubject extends Omit<DestinationSubject, 'destination'> {
  /** One more recorder that writes to the same target; to another port it goes through something. Closed with the subject. */
  readonly open: (port?: number) => Destination;
  /** Where the server listens; undefined for a folder. */
  readonly port?: number;
  /** An outage: what is stored stays. */
  /** Length of the files whose transfer is broken. */
  readonly octets?: number;
  readonly stop?: () => Promise<void>;
  readonly start?: () => Promise<void>;
}

/** Long enough to be cut anywhere. */
const BIG = 1_500_000;

const STAGES: readonly (readonly [string, Cut['direction'], number])[] = [
  ['before anything came through', 'up', 0],
  ['while it is being greeted', 'down', 0.002],
  ['at the beginning of the file', 'up', 0.05],
  ['in the middle of the file', 'up', 0.5],
  ['near the end of the file', 'up', 0.97],
  ['in the middle of the answers', 'down', 0.5],
  ['near the end of the answers', 'down', 0.9],
];

/** What every destination must survive; each kind calls this with a real server. `long`: part of the long tests only. */
export function describeAdversity(
  name: string,
  create: () => Promise<AdverseSubject>,
  when: 'always' | 'long' = 'always',
): void {
  (when === 'always' || LONG ? describe : describe.skip)(`adversity: ${name}`, () => {
    let subject: AdverseSubject;

    beforeEach(async () => {
      subject = await create();
    });
    afterEach(async () => {
      await subject.remove();
    });
    const whole = async (path: string, bytes: Buffer): Promise<boolean> =>
      (await subject.read(path))?.equals(bytes) === true;

    test('keeps names of 255 octets and of all languages', async () => {
      const destination = subject.open();
      const names = [`${'ü'.repeat(125)}x.wav`, 'Größe – 10 € (Kopie) & ñ ß 録音 #1 %41+.wav'];
      expect(Buffer.byteLength(names[0] ?? '')).toBe(255);
      for (const each of names) {
        const path = `Müller & Söhne/${each}`;
        await destination.put(uploadOf(path, Buffer.from(each)), never);
        expect((await subject.read(path))?.toString()).toBe(each);
        expect(await destination.stat({ path }, never)).toMatchObject({ size: Buffer.byteLength(each) });
      }
      const listed = await destination.list('Müller & Söhne', never);
      expect(listed.map(({ path }) => path.split('/')[1])).toEqual([...names].sort());
      for (const { path } of listed) expect(await destination.remove({ path }, never)).toBe(true);
      expect(await destination.list('Müller & Söhne', never)).toEqual([]);
    });

    test('serves two recorders at once: what both store is there once, what each stores is not mixed up', async () => {
      const [one, two] = [subject.open(), subject.open()];
      const shared = [1, 2, 3].map((n) => ({ path: `d/${n}.wav`, bytes: randomBytes(80_000) }));
      const puts = shared.flatMap(({ path, bytes }) =>
        [one, two].map((each) => each.put(uploadOf(path, bytes), never)),
      );
      const logs = [one, two].map(async (each, index) => {
        for (const length of [10, 20, 30])
          await each.extend(uploadOf(`evidence/${index}/e.txt`, Buffer.alloc(length, `${index}`)), never);
      });
      const other = randomBytes(80_000);
      const contested = await Promise.allSettled([
        one.put(uploadOf('d/x.wav', other), never),
        two.put(uploadOf('d/x.wav', randomBytes(80_000)), never),
      ]);
      await Promise.all([...puts, ...logs]);
      for (const { path, bytes } of shared) expect(await whole(path, bytes)).toBe(true);
      for (const index of [0, 1])
        expect((await subject.read(`evidence/${index}/e.txt`))?.toString()).toBe(`${index}`.repeat(30));
      expect(contested.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const lost = contested.find((each) => each.status === 'rejected');
      expect(lost?.reason).toMatchObject({ name: 'PermanentUploadError', fault: 'name-taken' });
      expect(await subject.list('d')).toEqual(['1.wav', '2.wav', '3.wav', 'x.wav']);
    });

    describeLine(() => subject, whole);
    describeOutage(() => subject, whole);
  });
}

type IsWhole = (path: string, bytes: Buffer) => Promise<boolean>;

/** Failures of a line or a server pass by themselves: the queue must not give up for one. */
async function mayFail(promise: Promise<unknown>): Promise<void> {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === 'rejected') expect(result.reason).not.toBeInstanceOf(PermanentUploadError);
}

function describeLine(of: () => AdverseSubject, whole: IsWhole): void {
  let proxy: CuttingProxy | undefined;
  afterEach(async () => {
    await proxy?.close();
    proxy = undefined;
  });

  test('survives a line that is cut, at every stage: nothing half, nothing for a person, all there in the end', async () => {
    const { port, open, list, octets = BIG } = of();
    if (port === undefined) return;
    proxy = await startCuttingProxy(port);
    const bytes = randomBytes(octets);
    proxy.arm();
    // Connections of one recorder are used again; a new one for each stage begins at the greeting.
    await open(proxy.port).put(uploadOf('d/uncut.wav', bytes), never);
    const { up, down } = proxy.moved;
    expect(up).toBeGreaterThan(octets);
    const broken: string[] = [];
    for (const [stage, direction, share] of STAGES) {
      const destination = open(proxy.port);
      const path = `d/${stage}.wav`;
      proxy.arm({ direction, after: Math.floor({ up, down }[direction] * share) });
      await mayFail(destination.put(uploadOf(path, bytes), never));
      if (proxy.cuts > 0) broken.push(stage);
      proxy.arm();
      const there = await of().read(path);
      expect([stage, there === undefined || there.equals(bytes)]).toEqual([stage, true]);
      await destination.put(uploadOf(path, bytes), never);
      expect([stage, await whole(path, bytes)]).toEqual([stage, true]);
    }
    expect(broken).toEqual(STAGES.map(([stage]) => stage));
    expect(await list('d')).toEqual(['uncut.wav', ...STAGES.map(([stage]) => `${stage}.wav`)].sort());
  });
}

function describeOutage(of: () => AdverseSubject, whole: IsWhole): void {
  /** Gives some octets, has the server restarted, gives the rest. */
  const restarting = (bytes: Buffer, restart: () => Promise<void>): Upload => {
    let restarted = false;
    return uploadOf('d/a.wav', bytes, {
      open: (from = 0) =>
        Readable.from(
          (async function* () {
            for (let at = from; at < bytes.length; at += 100_000) {
              if (!restarted && at > bytes.length / 2) {
                restarted = true;
                await restart();
              }
              yield bytes.subarray(at, at + 100_000);
            }
          })(),
          { objectMode: false },
        ),
    });
  };

  test('survives a restart of the server in mid-upload, and finishes after it with the same connections', async () => {
    const { stop, start, open, list, octets = BIG } = of();
    if (stop === undefined || start === undefined) return;
    const destination = open();
    const bytes = randomBytes(octets);
    let restarted: Promise<void> | undefined;
    const interrupted = restarting(bytes, () => (restarted ??= stop().then(start)));
    await mayFail(destination.put(interrupted, never));
    await restarted;
    await destination.put(uploadOf('d/a.wav', bytes), never);
    expect(await whole('d/a.wav', bytes)).toBe(true);
    expect(await list('d')).toEqual(['a.wav']);
  });

  test('while the server is away it fails at once and passes when it is back', async () => {
    const { stop, start, open } = of();
    if (stop === undefined || start === undefined) return;
    const destination = open();
    await destination.put(uploadOf('d/a.wav', Buffer.from('a')), never);
    await stop();
    try {
      for (const attempt of [
        () => destination.put(uploadOf('d/b.wav', Buffer.from('b')), never),
        () => destination.stat({ path: 'd/a.wav' }, never),
        () => destination.remove({ path: 'd/a.wav' }, never),
      ])
        await expect(attempt()).rejects.toMatchObject({ name: 'DeliveryError' });
    } finally {
      await start();
    }
    await destination.put(uploadOf('d/b.wav', Buffer.from('b')), never);
    expect(await of().list('d')).toEqual(['a.wav', 'b.wav']);
  });
}
