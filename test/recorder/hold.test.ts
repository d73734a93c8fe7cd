import { expect, test } from '@jest/globals';
import { Hold } from '../../src/recorder/hold.ts';
import { parseSdp, type SessionOffer } from '../../src/siprec/sdp.ts';
import { aDescription } from '../support/recorder-fakes.ts';

/** One audio line for each address; `undefined` leaves its `c=` out. */
const offerAt = (...addresses: readonly (string | undefined)[]): SessionOffer =>
  parseSdp(
    [
      'v=0',
      ...addresses.flatMap((address, index) => [
        `m=audio ${40_000 + 2 * index} RTP/AVP 8`,
        ...(address === undefined ? [] : [`c=IN ${address.includes(':') ? 'IP6' : 'IP4'} ${address}`]),
      ]),
    ].join('\r\n'),
  );

const person = (id: string, ...sends: readonly string[]) => ({ id, sends });

test('SDP-14: a line that goes from its address to 0.0.0.0 or :: is held until it has one again, whatever the other lines do', () => {
  const hold = new Hold(offerAt('192.0.2.1', '2001:db8::1'));
  hold.offered(offerAt('0.0.0.0', '2001:db8::1'));
  expect(hold.held).toBe(true);
  hold.offered(offerAt('192.0.2.9', '::'));
  expect(hold.held).toBe(true);
  hold.offered(offerAt('192.0.2.9', '2001:db8::1'));
  expect(hold.held).toBe(false);
});

test('SDP-19: an address that was never given, or never was one, holds nobody', () => {
  const hold = new Hold(offerAt('0.0.0.0', undefined));
  expect(hold.held).toBe(false);
  hold.offered(offerAt('0.0.0.0', '0.0.0.0'));
  expect(hold.held).toBe(false);
  hold.offered(offerAt('192.0.2.1', undefined));
  hold.offered(offerAt('0.0.0.0', undefined));
  expect(hold.held).toBe(true);
});

test('SDP-14: a line that is switched off is not held', () => {
  const hold = new Hold(offerAt('192.0.2.1'));
  hold.offered(parseSdp('v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 0 RTP/AVP 8\r\n'));
  expect(hold.held).toBe(false);
});

test('PAUSE-2: hold by metadata and hold by address each end by what began them', () => {
  const talking = aDescription({ participants: [person('a', '1'), person('b', '2')] });
  const held = aDescription({ participants: [person('a', '1'), person('b')] });
  const hold = new Hold(offerAt('192.0.2.1'));
  hold.described(talking, held);
  expect(hold.held).toBe(true);
  hold.offered(offerAt('0.0.0.0'));
  hold.described(held, talking);
  expect(hold.held).toBe(true);
  hold.offered(offerAt('192.0.2.1'));
  expect(hold.held).toBe(false);
});
