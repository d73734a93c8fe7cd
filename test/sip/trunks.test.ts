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

  test('what is remembered of one address changes nothing for it or others, however many ask', () => {
    for (let round = 0; round < 2; round += 1)
      for (let index = 0; index < 1500; index += 1) {
        const address = `203.0.${index >> 8}.${index & 255}`;
        expect([address, trunks.find(address)?.name]).toEqual([address, 'everyone']);
        expect(trunks.find('192.0.2.7')?.name).toBe('sbc');
        expect(trunks.find('2001:db9::5')).toBeUndefined();
      }
  });

  test.each(['192.0.2.0/33', '192.0.2.0/x', '192.0.2/24', '2001:db8::/129', 'host.example'])(
    'refuses %s as a network',
    (text) => {
      expect(() => new Trunks([{ name: 'x', from: [text], mode: 'compat' }])).toThrow(RangeError);
    },
  );
});
