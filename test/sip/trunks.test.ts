import { describe, expect, test } from '@jest/globals';
import { Trunks } from '../../src/sip/trunks.ts';

const trunks = new Trunks([
  { name: 'everyone', from: ['0.0.0.0/0'], mode: 'strict' },
  { name: 'site', from: ['192.0.2.0/24', '2001:db8::/32'], mode: 'compat' },
  { name: 'sbc', from: ['192.0.2.7'], mode: 'compat' },
]);

describe('Trunks', () => {
  test.each([
    ['192.0.2.7', 'sbc'],
    ['::ffff:192.0.2.7', 'sbc'],
    ['192.0.2.8', 'site'],
    ['198.51.100.1', 'everyone'],
    ['2001:db8::5', 'site'],
    ['2001:db9::5', undefined],
    ['not an address', undefined],
    ['', undefined],
  ])('the most specific network decides: %s is on %s', (address, name) => {
    expect(trunks.find(address)?.name).toBe(name);
  });

  test.each(['192.0.2.0/33', '192.0.2.0/x', '192.0.2/24', '2001:db8::/129', 'host.example'])(
    'refuses %s as a network',
    (text) => {
      expect(() => new Trunks([{ name: 'x', from: [text], mode: 'compat' }])).toThrow(RangeError);
    },
  );
});
