import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { SipServerLimits } from '../../src/sip-server/limits.ts';
import { SourceRates, type Verdict } from '../../src/sip-server/source-rates.ts';
import { throttled } from '../../src/sip-server/throttled-log.ts';
import { newCall } from './raw-peer.ts';
import { SDP, startTestServer, until, type TestServer } from './test-server.ts';

describe('the rate of a source', () => {
  const times = (count: number, rates: SourceRates, address = '192.0.2.1'): Verdict[] =>
    Array.from({ length: count }, () => rates.take(address));

  test('is a second’s worth at once, as many refusals, then silence', () => {
    const rates = new SourceRates(2, () => 0);
    expect(times(6, rates)).toEqual(['pass', 'pass', 'refuse', 'refuse', 'drop', 'drop']);
  });

  test('comes back with time, and never to more than a second’s worth', () => {
    let now = 0;
    const rates = new SourceRates(10, () => now);
    times(40, rates);
    now = 1_500;
    expect(times(6, rates)).toEqual(['pass', 'pass', 'pass', 'pass', 'pass', 'refuse']);
    now = 3_600_000;
    expect(times(12, rates).filter((verdict) => verdict === 'pass')).toHaveLength(10);
  });

  test.each([
    ['192.0.2.1', '192.0.2.2', false],
    ['2001:db8::1', '2001:db8::ffff:2', true],
    ['2001:db8:0:1::1', '2001:db8:0:2::1', false],
    ['fe80::1', 'fe80:0:0:0:1:2:3:4', true],
    ['::1', '::2', true],
    ['::1', '1::1', false],
  ])('%s and %s share one: %s', (first, second, shared) => {
    const rates = new SourceRates(1, () => 0);
    rates.take(first);
    expect(rates.take(second)).toBe(shared ? 'refuse' : 'pass');
  });

  test('holds however many other sources there are, and remembers a bounded number', () => {
    fc.assert(
      fc.property(
        fc.array(fc.ipV4(), { minLength: 1, maxLength: 50 }),
        fc.integer({ min: 1, max: 5 }),
        (others, rate) => {
          const rates = new SourceRates(rate, () => 0);
          let passed = 0;
          for (const other of others) {
            if (rates.take('203.0.113.250') === 'pass') passed += 1;
            if (other !== '203.0.113.250') rates.take(other);
          }
          return passed === Math.min(rate, others.length);
        },
      ),
    );
    const flood = new SourceRates(1, () => 0);
    for (let n = 0; n < 20_000; n += 1) flood.take(`10.0.${n >> 8}.${n & 255}`);
    expect(flood.take('10.0.0.0')).toBe('pass'); // forgotten, not kept for ever
    expect(flood.take('10.0.78.31')).toBe('refuse');
  });
});

test('the log passes on twenty lines of a text in ten seconds and says how many were left out', () => {
  let now = 0;
  const lines: unknown[] = [];
  const log = throttled(
    (level, text, fields) => lines.push([level, text, fields]),
    () => now,
  );
  for (let n = 0; n < 100; n += 1) log('info', 'malformed', { n });
  log('info', 'another');
  expect(lines).toHaveLength(21);
  now = 10_000;
  log('info', 'malformed', { n: 100 });
  log('info', 'malformed', { n: 101 });
  expect(lines.slice(21)).toEqual([
    ['info', 'malformed', { n: 100, suppressed: 80 }],
    ['info', 'malformed', { n: 101 }],
  ]);
});

describe('a source that is too fast', () => {
  let site: TestServer;

  async function start(limits: Partial<SipServerLimits>): Promise<void> {
    site = await startTestServer({ limits });
    await site.application((srf) => {
      srf.use('options', (_req, res) => {
        res.send(200);
      });
      srf.invite((req, res) => {
        srf.createUAS(req, res, { localSdp: SDP }, (_error, dialog) => {
          dialog.on('info', (_info, response) => {
            response.send(200);
          });
        });
      });
    });
  }

  afterEach(async () => {
    await site.close();
  });

  test.each(['udp', 'tcp'] as const)(
    'over %s gets 503 with Retry-After, then nothing, and its calls go on undisturbed',
    async (protocol) => {
      await start({ messagesPerSecond: 20 });
      const peer = await site.open(protocol);
      const call = newCall();
      await peer.setUp(call, { body: SDP });
      for (let n = 0; n < 60; n += 1) peer.request('OPTIONS', newCall());
      await until(() => site.server.counters().requests >= 62);
      expect(site.server.counters().rateLimited).toBeGreaterThanOrEqual(30);
      const inCall = async (method: string): Promise<string> => {
        call.cseq += 1;
        peer.request(method, call, method === 'INVITE' ? { body: SDP } : {});
        return peer.next(new RegExp(`^SIP/2\\.0 200 [\\s\\S]*CSeq: ${call.cseq} ${method}\\r`));
      };
      for (let n = 0; n < 10; n += 1) await inCall('INFO');
      await inCall('BYE');
      const refused = peer.received.filter((message) => message.startsWith('SIP/2.0 503 '));
      expect(refused.length).toBeGreaterThan(10);
      expect(refused.length).toBeLessThan(30);
      expect(refused.every((message) => message.includes('\r\nRetry-After: 1\r'))).toBe(true);
    },
  );

  test('still may cancel what it has begun', async () => {
    site = await startTestServer({ limits: { messagesPerSecond: 3 } });
    await site.application((srf) => {
      srf.invite(() => undefined);
      srf.use('options', (_req, res) => {
        res.send(200);
      });
    });
    const peer = await site.open('udp');
    const call = newCall();
    const branch = peer.request('INVITE', call, { body: SDP });
    await peer.next(/^SIP\/2\.0 100 /);
    for (let n = 0; n < 10; n += 1) peer.request('OPTIONS', newCall());
    await until(() => site.server.counters().rateLimited > 3);
    peer.request('CANCEL', call, { branch });
    await peer.next(/^SIP\/2\.0 487 /);
  });

  test('with unreadable messages is answered 400 only within its rate', async () => {
    await start({ messagesPerSecond: 5 });
    const peer = await site.open('udp');
    for (let n = 0; n < 50; n += 1) peer.request('OPTIONS', newCall(), { cseq: 'x OPTIONS' });
    await until(() => site.server.counters().malformed === 50);
    expect(site.server.counters().rateLimited).toBeGreaterThanOrEqual(40);
    expect(site.logged.filter(({ message }) => message.includes('malformed'))).toHaveLength(20);
    await peer.next(/^SIP\/2\.0 400/);
    expect(peer.received.length).toBeLessThanOrEqual(10);
  });

  test('with new connections is refused, those it has stay', async () => {
    await start({ connectionsPerSecond: 3 });
    const first = await site.open('tcp');
    const call = newCall();
    await first.setUp(call, { body: SDP });
    const more = [await site.open('tcp'), await site.open('tcp'), await site.open('tcp')];
    const last = more[2];
    await last?.until(() => last.closed);
    expect(site.server.counters()).toMatchObject({ refusedConnections: 1 });
    await first.hangUp(call);
  });
});
