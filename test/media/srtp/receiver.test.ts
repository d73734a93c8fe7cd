import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import type { SrtpKeying } from '../../../src/media/srtp/keying.ts';
import { threadSrtp } from '../../../src/media/srtp/load-engine.ts';
import { SrtpReceiver } from '../../../src/media/srtp/srtp-receiver.ts';
import { newMasterKey, SrtpSender } from '../../../src/media/srtp/srtp-sender.ts';
import { SrtpSpace } from '../../../src/media/srtp/srtp-space.ts';
import type { SuiteName } from '../../../src/media/srtp/suites.ts';
import { ENGINES, hex } from './engines.ts';

const SUITE = 'AES_CM_128_HMAC_SHA1_80';

const keyingOf = (suite: SuiteName = SUITE, ...mkis: readonly string[]): SrtpKeying => ({
  suite,
  masters:
    mkis.length === 0
      ? [{ bytes: newMasterKey(suite) }]
      : mkis.map((mki) => ({ bytes: newMasterKey(suite), mki: hex(mki) })),
});

interface Sealed {
  readonly clear: Buffer;
  readonly packet: Buffer;
  readonly name: string;
}

const UNAUTHENTIC = -1;
const REPLAYED = -2;
const MALFORMED = -3;

it('uses the OpenSSL of the Node binary here, once a thread', () => {
  expect(threadSrtp().engine.kind).toBe('openssl');
  expect(threadSrtp()).toBe(threadSrtp());
});

describe.each(ENGINES)('receiver on the %s engine', (_name, make) => {
  const space = new SrtpSpace(make());

  /** A sender whose packets say their number. */
  class Peer {
    readonly #sender: SrtpSender;
    readonly #ssrc: number;

    constructor(keying: SrtpKeying, ssrc = 0x1234) {
      this.#sender = new SrtpSender(space, keying);
      this.#ssrc = ssrc;
    }

    /** The protected packet with an extended sequence number. */
    packet(index: number): Buffer {
      const packet = Buffer.alloc(12 + 160 + this.#sender.overhead, index & 0xff);
      packet.writeUInt16BE(0x8008, 0);
      packet.writeUInt16BE(index & 0xffff, 2);
      packet.writeUInt32BE((index * 160) % 2 ** 32, 4);
      packet.writeUInt32BE(this.#ssrc, 8);
      this.#sender.protect(packet, 172);
      return packet;
    }

    /** Sends unheard, so that the counter rolls over. */
    skipTo(index: number): this {
      for (let at = 0; at <= index; at += 0x4000) this.packet(at);
      return this;
    }

    rtcp(): Buffer {
      const compound = Buffer.alloc(28, 7);
      compound.writeUInt32BE(0x80c80006, 0);
      compound.writeUInt32BE(this.#ssrc, 4);
      return this.#sender.protectRtcp(compound);
    }
  }

  const open = (receiver: SrtpReceiver, packet: Buffer, at = 0): number =>
    receiver.open(packet, 0, packet.length, at);

  it('takes packets in any order within the window, each once', () => {
    const keying = keyingOf();
    const peer = new Peer(keying);
    const receiver = new SrtpReceiver(space, keying);
    const packets = Array.from({ length: 200 }, (_none, at) => peer.packet(1000 + at));
    const order = packets.map((_packet, at) => (at * 77) % 200);
    for (const at of order) {
      expect(open(receiver, packets[at] ?? Buffer.alloc(0))).toBe(172);
      expect(receiver.clear[100]).toBe((1000 + at) & 0xff);
    }
    for (const packet of packets) expect(open(receiver, packet)).toBe(REPLAYED);
    expect(receiver.counts).toEqual({ opened: 200, unauthentic: 0, replayed: 200, malformed: 0 });
  });

  it('follows the roll-over counter over several turns, stragglers of the turn before among them', () => {
    const keying = keyingOf();
    const peer = new Peer(keying);
    const receiver = new SrtpReceiver(space, keying);
    for (let index = 65_000; index < 300_000; index += 500) {
      const straggler = peer.packet(index - 3);
      expect(open(receiver, peer.packet(index))).toBe(172);
      expect(open(receiver, straggler)).toBe(172);
    }
  });

  it('joins a stream whose counter has rolled over before, and one whose first packets overtook each other', () => {
    const keying = keyingOf();
    const peer = new Peer(keying).skipTo(5 * 0x1_0000 + 7);
    const receiver = new SrtpReceiver(space, keying);
    expect(open(receiver, peer.packet(5 * 0x1_0000 + 8))).toBe(172);
    expect(open(receiver, peer.packet(5 * 0x1_0000 - 2))).toBe(172);
    const other = new Peer(keying, 99);
    const early = other.packet(0xffff);
    expect(open(receiver, other.packet(0x1_0000))).toBe(172);
    expect(open(receiver, early)).toBe(172);
  });

  it('finds the counter again after a turn that nobody heard, and never goes back', () => {
    const keying = keyingOf();
    const peer = new Peer(keying);
    const receiver = new SrtpReceiver(space, keying);
    const first = peer.packet(10);
    expect(open(receiver, first)).toBe(172);
    peer.skipTo(2 * 0x1_0000 + 10);
    expect(open(receiver, peer.packet(2 * 0x1_0000 + 11))).toBe(172);
    expect(open(receiver, first)).toBeLessThan(0);
    // Nearly a whole turn unheard: the number alone looks like an old one.
    peer.packet(2 * 0x1_0000 + 30_000);
    expect(open(receiver, peer.packet(2 * 0x1_0000 + 60_000))).toBe(172);
  });

  it('hears nothing under a wrong key, and spends little on it', () => {
    const receiver = new SrtpReceiver(space, keyingOf());
    const stranger = new Peer(keyingOf());
    for (let index = 0; index < 300; index += 1)
      expect(open(receiver, stranger.packet(index))).toBe(UNAUTHENTIC);
    expect(receiver.counts).toEqual({ opened: 0, unauthentic: 300, replayed: 0, malformed: 0 });
  });

  it('refuses a packet of which one bit is another, wherever it is', () => {
    for (const suite of [SUITE, 'AES_CM_128_HMAC_SHA1_32', 'AEAD_AES_128_GCM'] as const) {
      const keying = keyingOf(suite);
      const packet = new Peer(keying).packet(1);
      const receiver = new SrtpReceiver(space, keying);
      for (let bit = 16; bit < packet.length * 8; bit += 13) {
        const altered = Buffer.from(packet);
        altered[bit >>> 3] = (altered[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
        expect(open(receiver, altered)).toBeLessThan(0);
      }
      expect(open(receiver, packet)).toBe(172);
    }
  });

  it('finds the master key by the identifier a packet carries', () => {
    for (const suite of [SUITE, 'AEAD_AES_256_GCM'] as const) {
      const keying = keyingOf(suite, '00000001', '00000002');
      const [, second] = keying.masters;
      const receiver = new SrtpReceiver(space, keying);
      expect(open(receiver, new Peer(keying).packet(1))).toBe(172);
      if (second === undefined) throw new Error('two masters');
      expect(open(receiver, new Peer({ suite, masters: [second] }).packet(2))).toBe(172);
      const unknown = { suite, masters: [{ ...second, mki: hex('00000003') }] };
      expect(open(receiver, new Peer(unknown).packet(3))).toBe(UNAUTHENTIC);
    }
  });

  it('takes packets under the old key for ten seconds after the first under the new one (SRTP-4)', () => {
    const [before, after] = [keyingOf(), keyingOf()];
    const [old, fresh] = [new Peer(before), new Peer(after).skipTo(0x1_0000 + 50)];
    const receiver = new SrtpReceiver(space, before);
    for (let index = 0; index < 0x1_0000 + 40; index += 0x2000) open(receiver, old.packet(index));
    receiver.rekey(before);
    receiver.rekey(after);
    const later = (step: number): Buffer => old.packet(0x1_0000 + 40 + step);
    expect(open(receiver, later(1), 90_000)).toBe(172);
    // The counter goes on where it was.
    expect(open(receiver, fresh.packet(0x1_0000 + 60), 100_000)).toBe(172);
    expect(open(receiver, later(2), 105_000)).toBe(172);
    expect(open(receiver, fresh.packet(0x1_0000 + 61), 110_500)).toBe(172);
    expect(open(receiver, later(3), 110_600)).toBe(UNAUTHENTIC);
  });

  it('begins at counter 0 where new keys come with a new start', () => {
    const [before, after] = [keyingOf(), keyingOf('AES_256_CM_HMAC_SHA1_80')];
    const receiver = new SrtpReceiver(space, before);
    const old = new Peer(before);
    for (let index = 0; index < 0x1_0000 + 40; index += 0x2000) open(receiver, old.packet(index));
    receiver.rekey(after);
    expect(open(receiver, new Peer(after).packet(3))).toBe(172);
  });

  it('opens sender reports, each once, in clear ones too', () => {
    for (const suite of [SUITE, 'AES_CM_128_HMAC_SHA1_32', 'AEAD_AES_128_GCM'] as const) {
      const keying = keyingOf(suite, '0042');
      const receiver = new SrtpReceiver(space, keying);
      const report = new Peer(keying).rtcp();
      expect(receiver.openRtcp(report, 0, report.length)).toBe(28);
      expect(receiver.clear.toString('hex', 0, 28)).toBe(`80c8000600001234${'07'.repeat(20)}`);
      expect(receiver.openRtcp(report, 0, report.length)).toBe(REPLAYED);
      const sender = new SrtpSender(space, keying, { unencryptedRtcp: true });
      const compound = hex('80c90001 00000009');
      const clear = sender.protectRtcp(compound);
      expect(clear.subarray(0, 8)).toEqual(compound);
      expect(receiver.openRtcp(clear, 0, clear.length)).toBe(8);
      const altered = sender.protectRtcp(compound);
      altered[5] = 1;
      expect(receiver.openRtcp(altered, 0, altered.length)).toBe(UNAUTHENTIC);
    }
  });

  it('opens nothing once its keys are overwritten', () => {
    const keying = keyingOf();
    const receiver = new SrtpReceiver(space, keying);
    const peer = new Peer(keying);
    expect(open(receiver, peer.packet(1))).toBe(172);
    receiver.destroy();
    expect(open(receiver, peer.packet(2))).toBe(UNAUTHENTIC);
  });

  it('opens packets that were announced together, in whatever order, size and company they come', () => {
    const run = fc.array(
      fc.record({ number: fc.integer({ min: 65_500, max: 65_570 }), size: fc.nat(400), other: fc.boolean() }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(run, fc.integer({ min: 1, max: 30 }), (packets, announced) => {
        const keying = keyingOf();
        const sender = new SrtpSender(space, keying);
        const receiver = new SrtpReceiver(space, keying);
        const seal = (number: number, size: number, ssrc: number): Sealed => {
          const clear = randomBytes(12 + size);
          clear.writeUInt16BE(0x8008, 0);
          clear.writeUInt16BE(number & 0xffff, 2);
          clear.writeUInt32BE(ssrc, 8);
          const packet = Buffer.concat([clear, Buffer.alloc(sender.overhead)]);
          sender.protect(packet, clear.length);
          return { clear, packet, name: `${ssrc} ${number}` };
        };
        // Both know where both sources stand.
        const sealed = [seal(65_499, 160, 1), seal(65_499, 160, 2)];
        sealed.push(...packets.map(({ number, size, other }) => seal(number, size, other ? 2 : 1)));
        const seen = new Set<string>();
        sealed.forEach(({ clear, packet, name }, at) => {
          space.coming = Math.max(1, announced - at);
          const length = open(receiver, packet);
          expect(length).toBe(seen.has(name) ? REPLAYED : clear.length);
          seen.add(name);
          if (length >= 0) expect(receiver.clear.subarray(0, length)).toEqual(clear);
        });
        space.coming = 1;
      }),
      { numRuns: 200 },
    );
  });

  it('seals nothing under keys that were overwritten', () => {
    for (const suite of [SUITE, 'AEAD_AES_128_GCM'] as const) {
      const sender = new SrtpSender(space, keyingOf(suite));
      const packet = Buffer.alloc(12 + 160 + sender.overhead);
      packet.writeUInt16BE(0x8008, 0);
      sender.protect(packet, 172);
      sender.protectRtcp(Buffer.alloc(28, 0x80));
      sender.destroy();
      expect(() => sender.protect(packet, 172)).toThrow(TypeError);
      expect(() => sender.protectRtcp(Buffer.alloc(28, 0x80))).toThrow(TypeError);
    }
  });

  it('forgets a key that is about to be overwritten', () => {
    const { engine } = space;
    const [from, to] = [engine.allocate(16), engine.allocate(16)];
    const encrypted = (key: Buffer): string => {
      engine.encryptBlocks(key, from, to, 16);
      return to.bytes.toString('hex');
    };
    const key = Buffer.alloc(16, 1);
    const [one, other] = [encrypted(Buffer.alloc(16, 1)), encrypted(Buffer.alloc(16, 2))];
    expect(encrypted(key)).toBe(one);
    engine.forget(key);
    key.fill(2);
    expect(encrypted(key)).toBe(other);
    expect(other).not.toBe(one);
  });

  it('never throws and opens nothing, whatever arrives', () => {
    const receivers = [keyingOf(), keyingOf('AEAD_AES_128_GCM'), keyingOf(SUITE, '0102')].map(
      (keying) => new SrtpReceiver(space, keying),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), fc.nat(40), (noise, like, shift) => {
        const slab = Buffer.concat([randomBytes(shift), noise]);
        if (like && noise.length > 0) slab[shift] = 0x80 | ((noise[0] ?? 0) & 0x1f);
        for (const receiver of receivers) {
          expect(receiver.open(slab, shift, slab.length, 0)).toBeLessThan(0);
          expect(receiver.openRtcp(slab, shift, slab.length)).toBeLessThan(0);
        }
      }),
      { numRuns: 500 },
    );
    expect(receivers[0]?.open(Buffer.alloc(20_000, 0x80), 0, 20_000, 0)).toBe(MALFORMED);
  });
});
