import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openAnyBench, type AnyBench } from './any-server.ts';

let bench: AnyBench;

beforeEach(async () => {
  bench = await openAnyBench();
});

afterEach(async () => {
  await bench.close();
});

test.each([
  ['application/dtmf-relay', 'Signal= *\r\nDuration=160\r\n', ['*']],
  ['application/dtmf-relay', 'Signal=11\r\nDuration=160\r\n', ['#']],
  ['application/dtmf;charset=utf-8', '1', ['1']],
  ['application/dtmf', 'Signal=5', ['5']],
  ['application/dtmf', 'nonsense', []],
  ['text/plain', '1', []],
])('hears keys in an INFO with %s and %j', async (type, body, keys) => {
  const client = await bench.client();
  await client.invite();
  const answer = await client.request('INFO', { type, body });
  expect(answer.status).toBe(200);
  expect((await client.bye()).status).toBe(200);
  await bench.recorder.call.ended();
  expect(bench.recorder.call.keys).toEqual(keys);
});
