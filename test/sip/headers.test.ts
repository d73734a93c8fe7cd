import { describe, expect, test } from '@jest/globals';
import type { SipRequest } from '../../src/sip/drachtio.ts';
import { localAddress, warning } from '../../src/sip/headers.ts';

test('a warning can neither break out of its header nor grow without end', () => {
  expect(warning('192.0.2.1', 'a "quoted\\ text\r\nBYE é')).toEqual({
    Warning: `399 192.0.2.1 "a 'quoted' text?BYE ?"`,
  });
  expect(warning('', 'x'.repeat(1000))['Warning']?.length).toBeLessThan(200);
});

describe('localAddress', () => {
  test.each([
    ['192.0.2.1:5060', '192.0.2.1'],
    ['[2001:db8::1]:5060', '2001:db8::1'],
    ['2001:db8::1:5060', '2001:db8::1'],
    ['::ffff:192.0.2.1:5060', '192.0.2.1'],
    [undefined, ''],
  ])('%s gives %s', (receivedOn, address) => {
    expect(localAddress({ receivedOn } as SipRequest)).toBe(address);
  });
});
