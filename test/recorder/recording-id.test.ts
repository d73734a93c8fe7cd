import { expect, test } from '@jest/globals';
import { newRecordingId } from '../../src/recorder/recording-id.ts';

test('ids are version 7, sort by time and differ in their last eight digits', () => {
  const now = Date.UTC(2026, 10, 23, 18, 45, 30, 123);
  const ids = Array.from({ length: 1000 }, (_, index) => newRecordingId(now + index));
  for (const id of ids)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids.map((id) => id.slice(-8))).size).toBe(1000);
  expect(ids[0]?.slice(0, 13)).toBe('01a209ba-3d8b');
});
