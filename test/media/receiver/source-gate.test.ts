import { expect, test } from '@jest/globals';
import { MediaError } from '../../../src/media/media-error.ts';
import { SourceGate } from '../../../src/media/receiver/source-gate.ts';

/** Asks with a key of its own for every source, as a receiver gives them. */
function asking(gate: SourceGate): (source: string) => boolean {
  const keys: string[] = [];
  return (source) => {
    if (!keys.includes(source)) keys.push(source);
    return gate.admits(keys.indexOf(source) + 1, () => source);
  };
}

test('RTP-8: lets every source of the networks in, also when they take turns, and nobody else', () => {
  const gate = new SourceGate(['192.0.2.0/24', '203.0.113.7', '2001:db8::/32', 'fe80::/10']);
  const admits = asking(gate);
  for (let round = 0; round < 3; round++) {
    expect(['192.0.2.1:4000', '192.0.2.200:9', '203.0.113.7:1'].map(admits)).toEqual([true, true, true]);
    expect(['[2001:db8::5]:4000', '[fe80::1%2]:4000'].map(admits)).toEqual([true, true]);
    expect(['203.0.113.8:1', '[2001:db9::5]:4000', '192.0.3.1:4000'].map(admits)).toEqual([
      false,
      false,
      false,
    ]);
  }
  expect(gate.foreign).toBe(9);
  expect(gate.strangers).toEqual(['203.0.113.8:1', '[2001:db9::5]:4000', '192.0.3.1:4000']);
});

test('a re-offer adds networks, and a stranger of before may be let in', () => {
  const gate = new SourceGate(['192.0.2.1']);
  const admits = asking(gate);
  expect([admits('192.0.2.1:4000'), admits('192.0.2.9:4000')]).toEqual([true, false]);
  gate.allow(['192.0.2.9']);
  expect([admits('192.0.2.9:4000'), admits('192.0.2.1:4000')]).toEqual([true, true]);
});

test('lists ten strangers of a flood and counts all', () => {
  const gate = new SourceGate(['192.0.2.1']);
  for (let key = 1; key <= 500; key++) expect(gate.admits(key, () => `198.51.100.1:${key}`)).toBe(false);
  expect([gate.foreign, gate.strangers.length]).toEqual([500, 10]);
});

test('without networks everybody is let in; what is no network is refused', () => {
  expect(asking(new SourceGate(undefined))('198.51.100.1:1')).toBe(true);
  expect(() => new SourceGate(['sbc.example'])).toThrow(MediaError);
});
