import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  composeError,
  composeSuccess,
  isAuthentic,
  readBindingRequest,
} from '../../../src/media/ice/stun-message.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replace(/\s/g, ''), 'hex');

/** RFC 5769 §2.1, and the password of its section 2. */
const REQUEST = bytes(`
  0001 0058 2112a442 b7e7a701bc34d686fa87dfae
  8022 0010 5354554e207465737420636c69656e74
  0024 0004 6e0001ff
  8029 0008 932ff9b151263b36
  0006 0009 6576746a3a68367659202020
  0008 0014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
  8028 0004 e57a3bcf`);
const PASSWORD = 'VOkJxbRl1RmTxUk/WvJxBt';

const request = (): NonNullable<ReturnType<typeof readBindingRequest>> => {
  const read = readBindingRequest(REQUEST);
  if (read === undefined) throw new Error('the request cannot be read');
  return read;
};

describe('a check (RFC 5769)', () => {
  test('is read, and authentic under its password alone', () => {
    expect(request()).toMatchObject({
      username: 'evtj:h6vY',
      isControlled: true,
      usesCandidate: false,
      unknown: [],
    });
    expect(isAuthentic(request(), PASSWORD)).toBe(true);
    expect(isAuthentic(request(), `${PASSWORD}x`)).toBe(false);
  });

  test('is nothing when one bit of it is wrong', () => {
    for (let at = 0; at < REQUEST.length; at += 1) {
      // Another attribute in place of the fingerprint is no damage.
      if (at >= REQUEST.length - 8 && at < REQUEST.length - 6) continue;
      const damaged = Buffer.from(REQUEST);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(readBindingRequest(damaged)).toBeUndefined();
    }
  });

  test.each([
    ['an indication (keep-alive)', '0011 0000 2112a442 000000000000000000000000'],
    ['an answer', '0101 0000 2112a442 000000000000000000000000'],
    ['the old protocol without cookie', '0001 0000 00000000 000000000000000000000000'],
    ['an attribute longer than the message', '0001 0004 2112a442 000000000000000000000000 0006 0001'],
    ['half an attribute', '0001 0002 2112a442 000000000000000000000000 0006'],
    ['nothing', ''],
  ])('is not: %s', (_name, hex) => {
    expect(readBindingRequest(bytes(hex))).toBeUndefined();
  });

  test('attributes that would have to be understood are named, those above 0x8000 are not', () => {
    const message = bytes('0001 0008 2112a442 000000000000000000000000 0031 0000 c057 0000');
    expect(readBindingRequest(message)?.unknown).toEqual([0x31]);
  });

  test('what stands behind the integrity counts for nothing', () => {
    const covered = bytes('0001 001c 2112a442 000000000000000000000000');
    const message = Buffer.concat([covered, bytes('0008 0014'), Buffer.alloc(20), bytes('0025 0000')]);
    expect(readBindingRequest(message)).toMatchObject({ integrityAt: 20, usesCandidate: false });
  });

  test('reads any octets or refuses them, and throws nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (octets) => {
        const message = Buffer.concat([bytes('0001 0000 2112a442'), Buffer.alloc(12), octets]);
        message.writeUInt16BE(message.length - 20, 2);
        const read = readBindingRequest(message);
        expect(read === undefined || isAuthentic(read, PASSWORD)).not.toBe(undefined);
      }),
    );
  });
});

describe('the answer', () => {
  test.each([
    // RFC 5769 §2.2, §2.3.
    ['192.0.2.1', '0020 0008 0001 a147 e112a643'],
    ['2001:db8:1234:5678:11:2233:4455:6677', '0020 0014 0002 a147 0113a9faa5d3f179bc25f4b5bed2b9d9'],
  ])('says where the check came from: %s', (address, mapped) => {
    const answer = composeSuccess(request(), { address, port: 32_853 }, PASSWORD);
    expect(answer.readUInt16BE(0)).toBe(0x0101);
    expect(answer.subarray(4, 20)).toEqual(REQUEST.subarray(4, 20));
    expect(answer.subarray(20, 20 + bytes(mapped).length)).toEqual(bytes(mapped));
    expect(isSound(answer)).toBe(true);
  });

  test('an error is signed where the client has shown that it knows the password', () => {
    const refused = composeError(request(), 487, PASSWORD);
    expect(refused.readUInt16BE(0)).toBe(0x0111);
    expect(refused.toString('latin1')).toContain('Role Conflict');
    expect([...refused.subarray(24, 28)]).toEqual([0, 0, 4, 87]);
    expect(isSound(refused)).toBe(true);
    const unknown = composeError(request(), 401);
    expect(unknown.includes(bytes('0008 0014'))).toBe(false);
  });

  test('says which attributes it does not understand', () => {
    const message = bytes('0001 0004 2112a442 000000000000000000000000 0031 0000');
    const read = readBindingRequest(message);
    expect(read && composeError(read, 420, PASSWORD).includes(bytes('000a 0002 0031'))).toBe(true);
  });

  /** Read as a request, which differs in the type alone, its sums have to be right. */
  const isSound = (answer: Buffer): boolean => {
    // The integrity covers the type, so it is looked at in place.
    const length = answer.length;
    return (
      answer.readUInt16BE(2) === length - 20 &&
      answer.readUInt16BE(length - 8) === 0x8028 &&
      answer.readUInt16BE(length - 32) === 0x0008 &&
      isAuthentic(
        {
          message: answer,
          username: '',
          integrityAt: length - 32,
          isControlled: false,
          usesCandidate: false,
          unknown: [],
        },
        PASSWORD,
      )
    );
  };
});
