import { describe, expect, it } from '@jest/globals';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { Keystream } from '../../../src/media/srtp/keystream.ts';
import { packetCipher } from '../../../src/media/srtp/packet-cipher.ts';
import { DerivedKeys } from '../../../src/media/srtp/session-keys.ts';
import { hmacStates, HMAC_STATE_WORDS, sha1Blocks, SHA1_START } from '../../../src/media/srtp/sha1.ts';
import { SrtpReceiver } from '../../../src/media/srtp/srtp-receiver.ts';
import { SrtpSender } from '../../../src/media/srtp/srtp-sender.ts';
import { SrtpSpace } from '../../../src/media/srtp/srtp-space.ts';
import { suiteOf, type SuiteName } from '../../../src/media/srtp/suites.ts';
import { ENGINES, hex } from './engines.ts';

const MASTER = hex('E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6');

/** What HMACs under an authentication key begin with. */
function statesOf(key: string): Int32Array {
  const states = new Int32Array(HMAC_STATE_WORDS);
  hmacStates(hex(key), states);
  return states;
}

describe('key derivation', () => {
  it('gives the session keys of RFC 3711 B.3', () => {
    const { rtp } = new DerivedKeys(suiteOf('AES_CM_128_HMAC_SHA1_80'), MASTER);
    expect(rtp.key).toEqual(hex('C61E7A93744F39EE10734AFE3FF7A087'));
    expect(rtp.salt).toEqual(hex('30CBBC08863D8C85D49DB34A9AE1'));
    expect(rtp.states).toEqual(statesOf('CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4'));
  });

  it('gives the session keys of RFC 6188 7.3 for AES-256', () => {
    const master = hex(`f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6
      3b04803de51ee7c96423ab5b78d2`);
    const { rtp } = new DerivedKeys(suiteOf('AES_256_CM_HMAC_SHA1_80'), master);
    expect(rtp.key).toEqual(hex('5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4'));
    expect(rtp.salt).toEqual(hex('fa31791685ca444a9e07c6c64e93'));
    expect(rtp.states).toEqual(statesOf('fd9c32d39ed5fbb5a9dc96b30818454d1313dc05'));
  });
});

it('refuses a master key that is too short for its suite', () => {
  expect(() => new DerivedKeys(suiteOf('AES_256_CM_HMAC_SHA1_80'), MASTER)).toThrow(RangeError);
});

describe.each(ENGINES)('%s engine', (_name, make) => {
  const engine = make();
  const space = new SrtpSpace(engine);

  const streamOf = (key: string, salt: string): Keystream =>
    new Keystream(space, { key: hex(key), salt: hex(salt) }, 0);

  it('makes the key stream of RFC 3711 B.2', () => {
    engine.work.bytes.fill(0, 0, 48);
    streamOf('2B7E151628AED2A6ABF7158809CF4F3C', 'F0F1F2F3F4F5F6F7F8F9FAFBFCFD').apply(0, 0, 48);
    expect(engine.work.bytes.subarray(0, 48)).toEqual(
      hex(`E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
        41E95B3BB0A2E8DD477901E4FCA894C0`),
    );
  });

  it('makes the key stream of RFC 6188 7.2 for AES-256', () => {
    engine.work.bytes.fill(0, 0, 32);
    const key = '57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98';
    streamOf(key, 'f0f1f2f3f4f5f6f7f8f9fafbfcfd').apply(0, 0, 32);
    expect(engine.work.bytes.subarray(0, 32)).toEqual(
      hex('92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac'),
    );
  });

  it('protects a packet as the vectors of RFC 3711 keys have it', () => {
    const clear = hex('800f1234decafbadcafebabe abababababababababababababababab');
    const packet = Buffer.concat([clear, Buffer.alloc(10)]);
    const keying = { suite: 'AES_CM_128_HMAC_SHA1_80', masters: [{ bytes: MASTER }] } as const;
    expect(new SrtpSender(space, keying).protect(packet, clear.length)).toBe(38);
    expect(packet).toEqual(
      hex('800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb'),
    );
    const receiver = new SrtpReceiver(space, keying);
    expect(receiver.open(packet, 0, 38, 0)).toBe(28);
    expect(receiver.clear.subarray(0, 28)).toEqual(clear);
  });

  it('protects and opens the RTP packets of RFC 7714 16.1 and 16.2', () => {
    const clear = hex(`8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e697320
      64697669736120696e207061727465732074726573`);
    const vectors = [
      [
        'AEAD_AES_128_GCM',
        16,
        'f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce',
      ],
      [
        'AEAD_AES_256_GCM',
        32,
        '32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13',
      ],
    ] as const;
    for (const [name, bytes, sealed] of vectors) {
      const key = Buffer.from(Array.from({ length: bytes }, (_none, at) => at));
      const keys = { key, salt: hex('517569642070726f2071756f'), states: new Int32Array(0) };
      const cipher = packetCipher(space, suiteOf(name), { rtp: keys, rtcp: keys });
      const source = cipher.source(0x5501a0b2);
      engine.work.bytes.set(clear);
      source.sealRtp(0xf17b, { text: 12, end: clear.length });
      expect(engine.work.bytes.toString('hex', 12, clear.length + 16)).toBe(sealed);
      expect(source.openRtp(0xf17b, { text: 12, end: clear.length })).toBe(true);
      expect(engine.work.bytes.subarray(0, clear.length)).toEqual(clear);
    }
  });

  it('protects and opens the RTCP packet of RFC 7714 17.1', () => {
    const clear = hex(`81c8000d4d61727 3 4e54503 14e545032 52545020 0000042a 0000e930
      4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef`);
    const keys = {
      key: Buffer.from(Array.from({ length: 16 }, (_none, at) => at)),
      salt: hex('517569642070726f2071756f'),
      states: new Int32Array(0),
    };
    const cipher = packetCipher(space, suiteOf('AEAD_AES_128_GCM'), { rtp: keys, rtcp: keys });
    const end = clear.length + 20;
    engine.work.bytes.set(clear);
    engine.work.bytes.writeUInt32BE(0x800005d4, end - 4);
    cipher.sealRtcp(0x4d617273, 0x800005d4, end);
    expect(engine.work.bytes.toString('hex', 8, end)).toBe(
      '63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa458' +
        '96cf4d2fc5abf87245d9eade800005d4',
    );
    expect(cipher.openRtcp(0x4d617273, 0x800005d4, end)).toBe(true);
    expect(engine.work.bytes.subarray(0, clear.length)).toEqual(clear);
  });

  it('authenticates texts of every length as node:crypto does', () => {
    const key = randomBytes(20);
    const states = new Int32Array(HMAC_STATE_WORDS);
    hmacStates(key, states);
    const text = randomBytes(400);
    for (let length = 0; length <= 400; length += 1) {
      engine.work.bytes.set(text.subarray(0, length));
      engine.sign(states, length);
      const digest = Buffer.alloc(20);
      engine.digest.forEach((word, at) => digest.writeInt32BE(word, at * 4));
      expect(digest).toEqual(createHmac('sha1', key).update(text.subarray(0, length)).digest());
    }
  });

  const SUITES: readonly SuiteName[] = [
    'AES_CM_128_HMAC_SHA1_80',
    'AES_CM_128_HMAC_SHA1_32',
    'AES_192_CM_HMAC_SHA1_80',
    'AES_192_CM_HMAC_SHA1_32',
    'AES_256_CM_HMAC_SHA1_80',
    'AES_256_CM_HMAC_SHA1_32',
    'AEAD_AES_128_GCM',
    'AEAD_AES_256_GCM',
  ];

  it.each(SUITES)('opens with %s what any engine protected, in sizes of every kind', (suite) => {
    const { keyBytes, saltBytes, tagBytes } = suiteOf(suite);
    const keying = { suite, masters: [{ bytes: randomBytes(keyBytes + saltBytes) }] };
    for (const [, other] of ENGINES) {
      const sender = new SrtpSender(new SrtpSpace(other()), keying);
      const receiver = new SrtpReceiver(space, keying);
      const sizes = [160, 160, 161, 0, 1, 3, 240, 320, 1400, 8, 160, 4000, 160];
      for (const [at, size] of sizes.entries()) {
        const length = 12 + size;
        const packet = Buffer.concat([randomBytes(length), Buffer.alloc(16)]);
        packet.writeUInt32BE(0x80000000 + at + 65_530, 0);
        packet.writeUInt32BE(77, 8);
        packet[0] = 0x80;
        const clear = Buffer.from(packet.subarray(0, length));
        const end = sender.protect(packet, length);
        expect(end).toBe(length + tagBytes);
        expect(receiver.open(packet, 0, end, 0)).toBe(length);
        expect(receiver.clear.subarray(0, length)).toEqual(clear);
      }
      sender.destroy();
      receiver.destroy();
    }
  });
});

it('computes SHA-1 over several blocks', () => {
  const text = randomBytes(119);
  const padded = Buffer.concat([text, Buffer.alloc(9)]);
  padded[119] = 0x80;
  padded.writeUInt32BE(119 * 8, 124);
  const state = Int32Array.from(SHA1_START);
  sha1Blocks(state, padded, 2);
  const digest = Buffer.alloc(20);
  state.forEach((word, at) => digest.writeInt32BE(word, at * 4));
  expect(digest).toEqual(createHash('sha1').update(text).digest());
});
