import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SILENCE } from '../../src/media/g711.ts';
import { encode } from '../../src/media/g711-encoder.ts';
import type { KnownKeys } from '../../src/media/line-security.ts';
import { threadSrtp } from '../../src/media/srtp/load-engine.ts';
import type { SrtpKeying } from '../../src/media/srtp/keying.ts';
import type { SuiteName } from '../../src/media/srtp/suites.ts';
import { SrtpSender } from '../../src/media/srtp/srtp-sender.ts';
import { joined, keyTone, quiet } from '../support/keypad.ts';
import { aLine, deliverTogether, EngineHarness } from './engine-harness.ts';
import { octets, rtp } from './rtp-builder.ts';

/** One packet of a sender that mostly keeps to its pace, and of a network that mostly keeps the order. */
interface Step {
  readonly sequence: number;
  readonly clock: number;
  readonly length: number;
  readonly type: number;
  readonly ssrc: number;
  readonly marker: boolean;
  /** Somebody changed it on its way, where it is encrypted. */
  readonly forged: boolean;
}

const mostly = <T>(usual: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 14, arbitrary: fc.constant(usual) }, other);

const step = fc.record<Step>({
  sequence: mostly(1, fc.integer({ min: -3, max: 5 })),
  clock: mostly(160, fc.integer({ min: -480, max: 900 })),
  length: mostly(160, fc.constantFrom(0, 80, 159, 240)),
  type: mostly(8, fc.constantFrom(0, 13, 18, 101)),
  ssrc: mostly(1, fc.constant(2)),
  marker: fc.boolean(),
  forged: mostly(false, fc.constant(true)),
});

/**
 * What is taken in at once, after a pause of the line or not, and how long the network held it back, in ms. `rekeyed`: a re-offer brought new keys
 * before, and the client uses them from the middle of the sweep on.
 */
interface Sweep {
  readonly steps: readonly Step[];
  readonly paused: boolean;
  readonly source: string;
  readonly heldBack: number;
  readonly rekeyed: boolean;
}

const sweep = fc.record<Sweep>({
  steps: fc.array(step, { minLength: 1, maxLength: 14 }),
  paused: mostly(false, fc.constant(true)),
  source: mostly<string>('192.0.2.1:4000', fc.constant('192.0.2.1:4002')),
  heldBack: mostly(0, fc.constantFrom(500, 2_000, 2_600, 5_000)),
  rekeyed: mostly(false, fc.constant(true)),
});

interface Datagram {
  readonly at: number;
  readonly bytes: Buffer;
}

/** The keys of a client; what is made of them is wiped, so they come anew each time. */
const keying = (suite: SuiteName, octet: number): SrtpKeying => ({
  suite,
  masters: [
    { bytes: new Uint8Array(suite === 'AEAD_AES_128_GCM' ? 28 : 30).fill(octet), mki: Uint8Array.of(7) },
  ],
});

function encrypted(by: SrtpSender, packet: Buffer, forged: boolean): Buffer {
  const bytes = Buffer.alloc(packet.length + by.overhead);
  packet.copy(bytes);
  by.protect(bytes, packet.length);
  if (forged) bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  return bytes;
}

/** Keys for the first half of a sweep, and for the second; none in clear. */
type Keys = readonly [first: SrtpSender, second: SrtpSender] | undefined;

/** The datagrams of one sender, sweep by sweep; `now` is when they are taken in. */
function sender(): (steps: readonly Step[], now: number, keys: Keys) => Datagram[] {
  let [sequence, clock] = [65_500, 0xffff_f000];
  return (steps, now, keys) =>
    steps.map((each, index) => {
      const by = keys?.[index * 2 < steps.length ? 0 : 1];
      sequence = (sequence + each.sequence) & 0xffff;
      clock = (clock + each.clock) >>> 0;
      const bytes = rtp({
        payloadType: each.type,
        sequenceNumber: sequence,
        timestamp: clock,
        ssrc: each.ssrc,
        payload: octets(clock, each.length),
      });
      if (each.marker) bytes.writeUInt8(bytes.readUInt8(1) | 0x80, 1);
      const datagram = by === undefined ? bytes : encrypted(by, bytes, each.forged);
      return { at: now - (steps.length - index) * 20, bytes: datagram };
    });
}

interface Heard {
  readonly result: unknown;
  readonly inRuns: number;
}

function deliver(
  { receiver }: EngineHarness,
  datagrams: readonly Datagram[],
  source: string,
  together: boolean,
): number {
  if (together) return deliverTogether(receiver, 20_000, datagrams, source);
  for (const { at, bytes } of datagrams) receiver.deliver(20_000, at, bytes, source);
  return 0;
}

/** The keys of an encrypted line on either side, as re-offers change them. */
class KeyedLine {
  readonly #suite: SuiteName;
  #octet = 1;
  #sender: SrtpSender;

  constructor(suite: SuiteName) {
    this.#suite = suite;
    this.#sender = this.#newSender();
  }

  /** What the present offer says; it is wiped by who takes it. */
  security(): KnownKeys {
    const [theirs, own] = [keying(this.#suite, this.#octet), keying(this.#suite, this.#octet + 1)];
    return { theirs, own, unencryptedRtcp: false };
  }

  /** The client's keys in a sweep, which may be the first with new ones. */
  keys(rekeyed: boolean): Keys {
    const before = this.#sender;
    if (rekeyed) {
      this.#octet += 2;
      this.#sender = this.#newSender();
    }
    return [before, this.#sender];
  }

  #newSender(): SrtpSender {
    return new SrtpSender(threadSrtp(), keying(this.#suite, this.#octet));
  }
}

/** Records the sweeps, with the packets of a sweep together or one by one. */
async function record(sweeps: readonly Sweep[], together: boolean, suite?: SuiteName): Promise<Heard> {
  const harness = await EngineHarness.create();
  const line = suite && new KeyedLine(suite);
  try {
    const first = { ...aLine(0, 'caller'), ...(line && { security: line.security() }) };
    await harness.engine.open(harness.request([first, aLine(1, 'callee')]));
    const datagramsOf = sender();
    let [inRuns, wasPaused] = [0, false];
    for (const { steps, paused, source, heldBack, rekeyed } of sweeps) {
      harness.advanceTo(harness.elapsed + steps.length * 20 + heldBack);
      const keys = line?.keys(rekeyed);
      const security = rekeyed ? line?.security() : line && ('unchanged' as const);
      const lines = [{ ...aLine(0, 'caller', !paused), ...(security && { security }) }];
      if (paused !== wasPaused || rekeyed)
        await harness.engine.change({ id: 'rec1', lines, at: harness.wall });
      wasPaused = paused;
      const datagrams = datagramsOf(steps, harness.wall, keys);
      inRuns += deliver(harness, datagrams, source, together);
    }
    const { files, legs } = await harness.close();
    const audio = files.map(({ path, ...file }) => ({ ...file, audio: readFileSync(path).toString('hex') }));
    return { result: { audio, legs }, inRuns };
  } finally {
    await harness.dispose();
  }
}

test.each([
  ['in clear', undefined],
  ['in counter mode, forged ones and new keys among them,', 'AES_CM_128_HMAC_SHA1_80'],
  ['in Galois/counter mode, forged ones and new keys among them,', 'AEAD_AES_128_GCM'],
] as const)(
  'packets %s that are taken in together are recorded and counted as they are one by one',
  async (_kind, suite) => {
    await fc.assert(
      fc.asyncProperty(fc.array(sweep, { minLength: 3, maxLength: 30 }), async (sweeps) => {
        const one = await record(sweeps, false, suite);
        const together = await record(sweeps, true, suite);
        expect(together.result).toEqual(one.result);
      }),
      { numRuns: 40 },
    );
  },
);

test('a call without any disturbance is taken in runs, but for its first packet, the wrap of numbers and clock included', async () => {
  const usual: Step = {
    sequence: 1,
    clock: 160,
    length: 160,
    type: 8,
    ssrc: 1,
    marker: false,
    forged: false,
  };
  const sweeps = Array.from({ length: 20 }, () => ({
    steps: Array.from({ length: 10 }, () => usual),
    paused: false,
    source: '192.0.2.1:4000',
    heldBack: 0,
    rekeyed: false,
  }));
  expect((await record(sweeps, true)).inRuns).toBe(199);
  // Encrypted ones are opened together from the first on, whichever keys they need.
  const rekeyed = sweeps.map((each, index) => ({ ...each, rekeyed: index % 5 === 2 }));
  const encrypted = await record(rekeyed, true, 'AES_CM_128_HMAC_SHA1_80');
  expect(encrypted.inRuns).toBe(200);
  expect(encrypted.result).toMatchObject({ legs: [{ received: 200, lost: 0, unauthentic: 0 }, {}] });
});

test.each([1_500, 2_600, 4_000])(
  'packets that a network held back for %i ms and then lets through at once are all kept',
  async (heldBack) => {
    const harness = await EngineHarness.create();
    const silence = SILENCE.PCMA;
    const packets = Array.from({ length: 600 }, (_none, at) =>
      octets(at * 160, 160).map((octet) => (octet === silence ? 0 : octet)),
    );
    const bytesOf = (at: number): Buffer =>
      rtp({
        payloadType: 8,
        sequenceNumber: at,
        timestamp: at * 160,
        ssrc: 1,
        payload: Buffer.from(packets[at] ?? []),
      });
    try {
      await harness.engine.open(harness.request([aLine(0, 'mixed')]));
      for (let at = 0; at < packets.length; at += 10) {
        if (at === 300) harness.advanceTo(harness.elapsed + heldBack);
        harness.advanceTo(harness.elapsed + 200);
        const datagrams = Array.from({ length: 10 }, (_none, index) => ({
          at: harness.wall,
          bytes: bytesOf(at + index),
        }));
        deliver(harness, datagrams, '192.0.2.1:4000', true);
      }
      const { files } = await harness.close();
      const [file] = files;
      const written = readFileSync(file?.path ?? '');
      const audio = written.subarray(file?.audioOffset);
      expect(audio.filter((octet) => octet !== silence)).toEqual(Buffer.concat(packets));
      expect(createHash('sha256').update(audio).digest('hex')).toBe(file?.audioSha256);
    } finally {
      await harness.dispose();
    }
  },
);

test('where keys are to be heard as tones, none is passed over in packets that are taken in together', async () => {
  const harness = await EngineHarness.create();
  const keys: string[] = [];
  harness.engine.onKey((_id, { key }) => void keys.push(key));
  const key = { milliseconds: 80 } as const;
  const dialled = joined(
    quiet(400),
    keyTone({ key: '*', ...key }),
    quiet(120),
    keyTone({ key: '1', ...key }),
    quiet(320),
  );
  const audio = encode(dialled, 'PCMA');
  try {
    await harness.engine.open({ ...harness.request([aLine(0, 'caller')]), tones: true });
    for (let from = 0, sequence = 1; from < audio.length; from += 1600, sequence += 10) {
      harness.advanceTo(harness.elapsed + 200);
      const datagrams = Array.from({ length: 10 }, (_none, index) => ({
        at: harness.wall - (10 - index) * 20,
        bytes: rtp({
          payloadType: 8,
          sequenceNumber: sequence + index,
          timestamp: from + index * 160,
          ssrc: 1,
          payload: audio.subarray(from + index * 160, from + index * 160 + 160),
        }),
      }));
      deliverTogether(harness.receiver, 20_000, datagrams);
    }
    expect(keys).toEqual(['*', '1']);
  } finally {
    await harness.dispose();
  }
});
