import { describe, expect, test } from '@jest/globals';
import { initialState, next, statusOf } from '../../src/recorder/session-state.ts';

describe('the state of a session', () => {
  test('a second BYE changes nothing', () => {
    const ending = next(initialState, { type: 'hung-up', reason: 'bye' });
    expect(ending).toMatchObject({ name: 'ending', reason: 'bye' });
    expect(next(ending, { type: 'hung-up', reason: 'shutdown' })).toBe(ending);
  });

  test('holding twice is one hold', () => {
    const paused = next(initialState, { type: 're-offered', paused: true });
    expect(next(paused, { type: 're-offered', paused: true })).toBe(paused);
    expect(next(paused, { type: 're-offered', paused: false })).toMatchObject({ paused: false });
  });

  test('a write failure is remembered to the end', () => {
    const damaged = next(initialState, { type: 'write-failed' });
    expect(next(damaged, { type: 'hung-up', reason: 'bye' })).toMatchObject({ damaged: true });
  });

  test.each([
    ['bye', false, 'complete'],
    ['replaced', false, 'complete'],
    ['shutdown', false, 'interrupted'],
    ['no-ack', false, 'interrupted'],
    ['crash', false, 'recovered'],
    ['bye', true, 'partial'],
  ] as const)('an end by %s with damage %s is %s', (reason, damaged, status) => {
    expect(statusOf(reason, damaged)).toBe(status);
  });
});
