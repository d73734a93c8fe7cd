import { afterEach, describe, expect, test } from '@jest/globals';
import type { SipServerLimits } from '../../src/sip-server/limits.ts';
import { newCall, TcpPeer } from './raw-peer.ts';
import { SDP, startTestServer, until, type TestServer } from './test-server.ts';

let site: TestServer;

async function start(limits: Partial<SipServerLimits> = {}): Promise<void> {
  site = await startTestServer({ limits });
  await site.application((srf) => {
    srf.use('options', (_req, res) => {
      res.send(200);
    });
    srf.invite((req, res) => {
      srf.createUAS(req, res, { localSdp: SDP }, () => undefined);
    });
  });
}

const open = (): Promise<TcpPeer> => site.open('tcp');
const ok = (callId: string): RegExp => new RegExp(`^SIP/2\\.0 200 [\\s\\S]*Call-ID: ${callId}\\r`);

afterEach(async () => {
  await site.close();
});

describe('a TCP connection', () => {
  test('takes several requests in one segment and one in many', async () => {
    await start();
    const peer = await open();
    const calls = [newCall(), newCall(), newCall()];
    peer.send(calls.map((call) => peer.compose('OPTIONS', call, { body: SDP })).join(''));
    for (const call of calls) await peer.next(ok(call.callId));

    const late = newCall();
    for (const octet of peer.compose('OPTIONS', late, { body: SDP })) peer.send(octet);
    await peer.next(ok(late.callId));
  });

  test('answers a double CRLF with one (SIG-4)', async () => {
    await start();
    const peer = await open();
    peer.send('\r\n\r\n');
    await peer.until(() => peer.stray === '\r\n');
  });

  test.each([
    ['an unreadable header', (text: string) => text.replace('CSeq: 1', 'CSeq: x'), true],
    ['a start line without URI', (text: string) => text.replace('sip:srs@recorder.example SIP', 'SIP'), true],
    ['a body without Content-Length', (text: string) => text.replace(/Content-Length.*\r\n/, ''), true],
    ['no Call-ID', (text: string) => text.replace('Call-ID', 'X-Call-ID'), false],
    ['plain rubbish', () => 'GET / HTTP/1.0\r\n\r\n', false],
  ])('survives %s in the middle of other calls', async (_name, broken, answered) => {
    await start();
    const peer = await open();
    const call = newCall();
    await peer.setUp(call);
    const other = newCall();
    peer.send(broken(peer.compose('OPTIONS', newCall(), { body: SDP })) + peer.compose('OPTIONS', other));
    if (answered) await peer.next(/^SIP\/2\.0 400/);
    await peer.next(ok(other.callId));
    await peer.hangUp(call);
    expect(site.server.counters().malformed).toBeGreaterThan(0);
    expect(peer.closed).toBe(false);
  });

  test('is answered 413 and closed when a message is over the limit', async () => {
    await start({ messageBytes: 2_000 });
    const peer = await open();
    peer.send(peer.compose('OPTIONS', newCall(), { body: 'x'.repeat(3_000) }));
    await peer.next(/^SIP\/2\.0 413/);
    await peer.until(() => peer.closed);
  });

  test('a message with too many headers gets 400 and the connection stays', async () => {
    await start({ headerCount: 20 });
    const peer = await open();
    peer.send(
      peer.compose('OPTIONS', newCall(), { headers: Array.from({ length: 20 }, (_each, n) => `X-${n}: 1`) }),
    );
    await peer.next(/^SIP\/2\.0 400/);
    const call = newCall();
    peer.request('OPTIONS', call);
    await peer.next(ok(call.callId));
  });

  test.each<[string, Partial<SipServerLimits>]>([
    ['together', { connections: 2 }],
    ['from one address', { connectionsPerAddress: 2 }],
  ])(
    'is refused beyond the number allowed %s, and allowed again when one has gone',
    async (_name, limits) => {
      await start(limits);
      const [first, second] = [await open(), await open()];
      const ask = async (peer: TcpPeer): Promise<string> => {
        const call = newCall();
        peer.request('OPTIONS', call);
        return peer.next(ok(call.callId));
      };
      await ask(first);
      await ask(second);
      const third = await open();
      await third.until(() => third.closed);
      expect(site.server.counters()).toMatchObject({ connections: 2, refusedConnections: 1 });
      first.close();
      await first.until(() => first.closed);
      while (site.server.counters().connections > 1) await ask(second);
      await ask(await open());
    },
  );

  test('is closed when idle, but not while a dialog lives on it', async () => {
    await start({ idleSeconds: 0.15 });
    const [quiet, busy] = [await open(), await open()];
    const call = newCall();
    await busy.setUp(call);
    await quiet.until(() => quiet.closed);
    expect(busy.closed).toBe(false);
    await busy.hangUp(call);
    await busy.until(() => busy.closed);
  });

  test('that brings no whole message is closed, even while octets trickle in', async () => {
    await start({ firstMessageSeconds: 0.15 });
    const [slow, honest] = [await open(), await open()];
    const call = newCall();
    honest.request('OPTIONS', call);
    await honest.next(ok(call.callId));
    const trickle = setInterval(() => {
      slow.send('x');
    }, 10);
    await slow.until(() => slow.closed);
    clearInterval(trickle);
    expect(honest.closed).toBe(false);
  });

  test('that closes before the application answers leaves no dialog behind, and the application is told', async () => {
    site = await startTestServer();
    let told: unknown;
    let answer: (() => void) | undefined;
    await site.application((srf) => {
      srf.invite((req, res) => {
        answer = () => {
          srf.createUAS(req, res, { localSdp: SDP }, (error) => {
            told = error;
          });
        };
      });
    });
    const peer = await open();
    peer.request('INVITE', newCall(), { body: SDP });
    await until(() => answer !== undefined);
    peer.close();
    await until(() => site.server.counters().connections === 0);
    answer?.();
    await until(() => told !== undefined);
    expect(String(told)).toContain('transport for response has been shutdown or closed');
    expect(site.server.counters()).toMatchObject({ dialogs: 0, serverTransactions: 0 });
  });

  test('gives its last words to the calls of others when a peer breaks off in the middle of a message', async () => {
    await start();
    const [rude, polite] = [await open(), await open()];
    rude.send(rude.compose('INVITE', newCall(), { body: SDP }).slice(0, 200));
    rude.close();
    const call = newCall();
    await polite.setUp(call);
    await polite.hangUp(call);
    expect(site.logged.filter((each) => each.level === 'error')).toEqual([]);
  });
});

test('more requests than allowed at once get 503 with Retry-After (UAS-19)', async () => {
  await start({ pendingTransactions: 0 });
  const peer = await site.open('udp');
  peer.request('OPTIONS', newCall());
  expect(await peer.next(/^SIP/)).toMatch(/^SIP\/2\.0 503 [\s\S]*Retry-After: 5\r/);
});
