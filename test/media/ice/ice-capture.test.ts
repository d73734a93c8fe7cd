import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { CaptureLine } from '../../../src/media/capture.ts';
import type { IceTerms } from '../../../src/media/ice/ice-line.ts';
import { aLine, EngineHarness } from '../engine-harness.ts';
import { octets } from '../rtp-builder.ts';
import { iceCheck, type CheckFields } from './check-builder.ts';

const PORT = 20_000;
const HOME = '192.0.2.1:4000';
const TERMS: IceTerms = { ufrag: 'ours', password: 'our-password-of-22-chars', theirUfrag: 'them' };

let harness: EngineHarness;
beforeEach(async () => {
  harness = await EngineHarness.create();
});
afterEach(() => harness.dispose());

const iceLine = (more: Partial<CaptureLine> = {}): CaptureLine => ({
  ...aLine(0, 'mixed'),
  sources: ['192.0.2.0/24', '2001:db8::/32'],
  ice: TERMS,
  ...more,
});

/** What comes back for a check: the kind of answer, `error 487` with its code. */
function check(fields: Partial<CheckFields> = {}, source = HOME, port = PORT): readonly string[] {
  harness.receiver.sent.length = 0;
  const message = iceCheck({
    username: `${TERMS.ufrag}:${TERMS.theirUfrag}`,
    password: TERMS.password,
    ...fields,
  });
  harness.receiver.deliver(port, harness.wall, message, source);
  return harness.receiver.sent.map(({ datagram, to, port: from }) => {
    expect(to).toBe(source);
    expect(from).toBe(port);
    expect(datagram.subarray(4, 20)).toEqual(message.subarray(4, 20));
    if (datagram.readUInt16BE(0) === 0x0101) return 'success';
    return `error ${(datagram[26] ?? 0) * 100 + (datagram[27] ?? 0)}`;
  });
}

const say = (from: number, count: number): void => {
  for (let index = from; index < from + count; index += 1) {
    const packet = { sequenceNumber: index, timestamp: index * 160, ssrc: 7 };
    harness.send(PORT, harness.elapsed + 20, { ...packet, payload: octets(index * 160, 160) });
  }
};

describe('a line with ICE (RFC 8445 §2.5)', () => {
  test('answers checks of the client and no others, and counts none of them as audio or as a fault', async () => {
    await harness.engine.open(harness.request([iceLine()]));
    expect(check()).toEqual(['success']);
    expect(check({}, '[2001:db8::5]:4000')).toEqual(['success']);
    expect(check({ password: 'somebody-elses-password' })).toEqual(['error 401']);
    expect(check({ username: 'ours:other' })).toEqual(['error 401']);
    expect(check({ unsigned: true })).toEqual(['error 400']);
    expect(check({ role: 'controlled' })).toEqual(['error 487']);
    expect(check({ extra: 0x0031 })).toEqual(['error 420']);
    expect(check({}, '198.51.100.1:4000')).toEqual([]);
    say(0, 50);
    const result = await harness.close();
    expect(result.legs[0]).toMatchObject({
      received: 50,
      rejected: 0,
      sources: [HOME],
      connectivity: 'ICE, checked, nothing chosen',
    });
    expect(result.legs[0]).not.toHaveProperty('foreign');
  });

  test('without ICE agreed on nobody answers, and nothing is said of it', async () => {
    await harness.engine.open(harness.request([iceLine({ ice: undefined })]));
    expect(check()).toEqual([]);
    say(0, 10);
    expect((await harness.close()).legs[0]).not.toHaveProperty('connectivity');
  });

  test('says that no check came, which is why such a client sent nothing', async () => {
    await harness.engine.open(harness.request([iceLine()]));
    harness.advanceTo(1000);
    expect((await harness.close()).legs[0]).toMatchObject({ connectivity: 'ICE, no check came' });
  });

  test('reports go where the client has chosen, each component by itself', async () => {
    await harness.engine.open(
      harness.request([iceLine({ rtcp: { mux: false, target: '192.0.2.200:9001' } })]),
    );
    expect(check({ nominates: true })).toEqual(['success']);
    expect(check({ nominates: true }, '192.0.2.1:4007', PORT + 1)).toEqual(['success']);
    harness.receiver.sent.length = 0;
    for (let index = 0; index < 10; index += 1) say(index * 50, 50);
    expect(new Set(harness.receiver.sent.map(({ port, to }) => `${port} ${to}`))).toEqual(
      new Set([`${PORT + 1} 192.0.2.1:4007`]),
    );
    expect((await harness.close()).legs[0]).toMatchObject({ connectivity: `ICE, ${HOME} chosen` });
  });

  test('a restart takes new words; the old ones hold for the pair in use, and choose nothing any more', async () => {
    await harness.engine.open(harness.request([iceLine()]));
    expect(check({ nominates: true })).toEqual(['success']);
    const again = { ...TERMS, ufrag: 'new', theirUfrag: 'them2' };
    await harness.engine.change({ id: 'rec1', at: harness.wall, lines: [iceLine({ ice: again })] });
    expect(check({ nominates: true }, '192.0.2.9:1')).toEqual(['success']);
    expect(check({ username: 'new:them2', nominates: true }, '192.0.2.8:1')).toEqual(['success']);
    expect((await harness.close()).legs[0]).toMatchObject({ connectivity: 'ICE, 192.0.2.8:1 chosen' });
  });

  test('a sound check is a sign of life of a silent client, and no other is', async () => {
    await harness.engine.open(harness.request([iceLine()]));
    say(0, 5);
    harness.advanceTo(20_000);
    check({ password: 'somebody-elses-password' });
    harness.advanceTo(30_000);
    expect(await harness.engine.silence('rec1')).toBeGreaterThan(28_000);
    check();
    harness.advanceTo(31_000);
    expect(await harness.engine.silence('rec1')).toBeLessThanOrEqual(1100);
    expect((await harness.close()).legs[0]).toMatchObject({ received: 5, rejected: 0 });
  });

  test('a flood of checks is answered a hundred times a second', async () => {
    await harness.engine.open(harness.request([iceLine()]));
    let answered = 0;
    for (let index = 0; index < 500; index += 1) answered += check().length;
    expect(answered).toBe(100);
    harness.advanceTo(1500);
    expect(check()).toEqual(['success']);
  });

  test('a successor on the same ports goes on with it', async () => {
    await harness.engine.open(harness.request([iceLine()]));
    expect(check({ nominates: true })).toEqual(['success']);
    await harness.engine.succeed('rec1', { ...harness.request([iceLine()]), id: 'next' });
    expect(check({ nominates: true })).toEqual(['success']);
    await harness.engine.close('rec1', harness.wall);
    const next = await harness.engine.close('next', harness.wall);
    expect(next.legs[0]).toMatchObject({ connectivity: `ICE, ${HOME} chosen` });
  });
});
