import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isRtcp, parseRtp, readRtp, RtpPacket } from '../../src/media/rtp-packet.ts';
import { rtp } from './rtp-builder.ts';

const FAULTS = ['RTP_TOO_SHORT', 'RTP_BAD_VERSION', 'RTP_BAD_LENGTH'];
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('parseRtp', () => {
  test.each([
    [
      'PCMA',
      '8008 0001 000000a0 deadbeef d5d5',
      { payloadType: 8, marker: false, sequenceNumber: 1, timestamp: 160 },
      'd5d5',
    ],
    [
      'the marker',
      '8088 ffff fffffffe 00000001 01',
      { payloadType: 8, marker: true, sequenceNumber: 65_535, timestamp: 4_294_967_294 },
      '01',
    ],
    ['an empty payload', '8000 0001 00000000 00000001', { payloadType: 0, ssrc: 1 }, ''],
    ['two contributing sources', '8200 0001 00000000 00000001 0000000a 0000000b 55', { ssrc: 1 }, '55'],
    ['a header extension of one word', '9000 0001 00000000 00000001 bede0001 10ff0000 55', {}, '55'],
    ['an empty header extension', '9000 0001 00000000 00000001 bede0000 55', {}, '55'],
    ['padding of three octets', 'a000 0001 00000000 00000001 5566 000003', {}, '5566'],
    [
      'sources, extension and padding together',
      'b100 0001 00000000 00000001 0000000a bede0001 00000000 77 0002',
      {},
      '77',
    ],
    ['padding and nothing else', 'a000 0001 00000000 00000001 0002', {}, ''],
  ])('reads %s', (_name, hex, fields, payload) => {
    const datagram = bytes(hex);
    const packet = parseRtp(datagram);
    expect(packet).toMatchObject(fields);
    expect(datagram.subarray(packet.payloadStart, packet.payloadEnd).toString('hex')).toBe(payload);
  });

  test.each([
    ['an empty datagram', '', 'RTP_TOO_SHORT'],
    ['eleven octets', '8008 0001 000000a0 deadbe', 'RTP_TOO_SHORT'],
    ['version 1', '4088 0001 000000a0 deadbeef', 'RTP_BAD_VERSION'],
    ['a STUN request', '0001 0000 2112a442 00000000 00000000 00000000', 'RTP_BAD_VERSION'],
    ['sources that are not there', '8f00 0001 00000000 00000001 55', 'RTP_BAD_LENGTH'],
    ['an extension cut off in its header', '9000 0001 00000000 00000001 bede', 'RTP_TOO_SHORT'],
    [
      'an extension longer than the packet',
      '9000 0001 00000000 00000001 bede0002 00000000',
      'RTP_BAD_LENGTH',
    ],
    ['padding longer than the payload', 'a088 0001 000000a0 deadbeef ff', 'RTP_BAD_LENGTH'],
    ['padding of no octets', 'a088 0001 000000a0 deadbeef 5500', 'RTP_BAD_LENGTH'],
  ])('refuses %s', (_name, hex, code) => {
    expect(() => parseRtp(bytes(hex))).toThrow(expect.objectContaining({ code }));
  });

  test('throws nothing but its own error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (octets, version) => {
        const datagram = Buffer.from(octets);
        if (version && datagram[0] !== undefined) datagram[0] = 0x80 | (datagram[0] & 0x3f);
        try {
          const { payloadStart, payloadEnd } = parseRtp(datagram);
          expect(payloadStart).toBeLessThanOrEqual(payloadEnd);
          expect(payloadEnd).toBeLessThanOrEqual(datagram.length);
        } catch (error) {
          expect(FAULTS).toContain((error as { code?: string }).code);
        }
      }),
      { numRuns: 5000 },
    );
  });
});

test('readRtp looks at its part of the slab only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(20), fc.nat(20), (payload, before, after) => {
      const datagram = rtp({ payload, sequenceNumber: 77 });
      const slab = Buffer.concat([Buffer.alloc(before, 0xff), datagram, Buffer.alloc(after, 0xff)]);
      const packet = new RtpPacket();
      expect(readRtp(slab, before, before + datagram.length, packet)).toBeUndefined();
      expect(packet.sequenceNumber).toBe(77);
      expect([...slab.subarray(packet.payloadStart, packet.payloadEnd)]).toEqual([...payload]);
      expect(readRtp(slab, before, before + 11, packet)).toBe('RTP_TOO_SHORT');
    }),
  );
});

test.each([
  [63, false],
  [64, true],
  [72, true],
  [95, true],
  [96, false],
])('payload type %i is taken for RTCP: %s', (payloadType, wanted) => {
  expect(isRtcp(payloadType)).toBe(wanted);
});
