import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openBench } from './bench.ts';
import { recordingSession, RecordingClient } from './recording-client.ts';

const noise = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom(
    '\r\n',
    '\r\n\r\n',
    ':',
    ';',
    '"',
    '<',
    '>',
    '|',
    '--test-boundary',
    'm=audio 1 RTP/AVP 0',
    '</recording>',
    '\0',
  ),
);

/** Pieces cut out of or put into a request, by ten-thousandths of its length. */
const edits = fc.array(fc.tuple(fc.noBias(fc.nat(9999)), fc.nat(30), noise), {
  minLength: 1,
  maxLength: 5,
});

/** Content-Length is put right again: a body shorter than it says never gets past the SIP server. */
function damage(text: string, changes: readonly (readonly [number, number, string])[]): string {
  const damaged = changes.reduce((before, [where, cut, extra]) => {
    const from = Math.floor((where / 10_000) * before.length);
    return before.slice(0, from) + extra + before.slice(from + cut);
  }, text);
  const body = damaged.slice(damaged.indexOf('\r\n\r\n') + 4);
  return damaged.replace(/^Content-Length: \d+/m, `Content-Length: ${Buffer.byteLength(body)}`);
}

test('damaged INVITEs end as one recording or one refusal each, and the next good call is recorded', async () => {
  const bench = await openBench();
  try {
    const { peer } = await bench.client();
    const good = await bench.client();
    for (const [index, changes] of fc.sample(edits, { numRuns: 300, seed: 20_261_123 }).entries()) {
      peer.send(damage(new RecordingClient(peer).compose('INVITE', recordingSession()), changes));
      // No more under way than a socket buffer holds.
      if (index % 20 === 0) await good.request('OPTIONS');
    }
    expect((await good.invite()).status).toBe(200);
    const { calls, refusals } = bench.recorder;
    expect(calls.length).toBeGreaterThan(50);
    expect(refusals.length).toBeGreaterThan(20);
    expect(refusals.map(({ reason }) => reason)).not.toContain('500');
    const ids = [
      ...calls.map(({ offered }) => offered.facts.callId),
      ...refusals.map(({ callId }) => callId),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(bench.application.calls).toBe(calls.length);
  } finally {
    await bench.close();
  }
});
