import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { newBranch, newCall, type RawPeer } from './raw-peer.ts';
import { SDP, startTestServer, until } from './test-server.ts';

const CALLS = 100;
const BEFORE = 20;
/** Far longer than all that a finished transaction may hold together, and than what else grows meanwhile. */
const PADDING = `${'a=x-padding:'.padEnd(200, 'x')}\r\n`.repeat(150);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heap(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

async function play(peer: RawPeer, calls: number): Promise<void> {
  for (let done = 0; done < calls; done++) {
    const call = newCall();
    await peer.setUp(call, { body: SDP + PADDING });
    await peer.hangUp(call);
  }
}

test('over UDP a finished call leaves its answers and no message for the 32 s that its transactions linger', async () => {
  const site = await startTestServer({ timers: {} });
  try {
    await site.application((srf) => {
      srf.invite((req, res) => {
        srf.createUAS(req, res, { localSdp: SDP }, (error) => {
          if (error !== null) throw new Error(String(error));
        });
      });
    });
    const peer = await site.open('udp');
    await play(peer, BEFORE);
    const before = heap();
    await play(peer, CALLS);
    expect(site.server.counters()).toMatchObject({ dialogs: 0, serverTransactions: 2 * (BEFORE + CALLS) });
    expect((heap() - before) / CALLS).toBeLessThan(PADDING.length);
  } finally {
    await site.close();
  }
});

test('of finished transactions the oldest are forgotten when there are too many, and calls go on', async () => {
  const site = await startTestServer({ timers: {}, limits: { finishedTransactions: 5 } });
  try {
    await site.application((srf) => {
      srf.invite((req, res) => {
        srf.createUAS(req, res, { localSdp: SDP }, () => undefined);
      });
    });
    const peer = await site.open('udp');
    const calls = Array.from({ length: 6 }, newCall);
    for (const call of calls) await peer.setUp(call);
    expect(site.server.counters()).toMatchObject({ dialogs: 6, serverTransactions: 5 });
    for (const call of calls.slice(1)) await peer.hangUp(call);
    const [last = newCall()] = calls;
    const branch = newBranch();
    last.cseq += 1;
    peer.request('BYE', last, { branch });
    await peer.next(/^SIP\/2\.0 200/);
    expect(site.server.counters()).toMatchObject({ dialogs: 0, serverTransactions: 5 });
    // What was answered last is still known when it comes again.
    peer.request('BYE', last, { branch });
    await until(() => site.server.counters().retransmissions === 1);
  } finally {
    await site.close();
  }
});

test('an INVITE that comes again when it was forgotten is no new one; what belongs to no call is forgotten first', async () => {
  const site = await startTestServer({ timers: { t1: 60_000 }, limits: { finishedTransactions: 2 } });
  try {
    await site.application((srf) => {
      srf.invite((req, res) => {
        srf.createUAS(req, res, { localSdp: SDP }, () => undefined);
      });
    });
    const peer = await site.open('udp');
    const [call, branch] = [newCall(), newBranch()];
    peer.request('INVITE', call, { body: SDP, branch });
    await peer.next(/^SIP\/2\.0 200/);
    for (let asked = 0; asked < 3; asked++) {
      peer.request('OPTIONS', newCall());
      await peer.next(/^SIP\/2\.0 503/);
    }
    // The OPTIONS went, not the INVITE.
    peer.request('INVITE', call, { body: SDP, branch });
    await until(() => site.server.counters().retransmissions === 1);
    for (let begun = 0; begun < 2; begun++) await peer.setUp(newCall());
    await until(() => site.server.counters().requests === 9);
    const { responses } = site.server.counters();
    peer.request('INVITE', call, { body: SDP, branch });
    await until(() => site.server.counters().requests === 10);
    expect(site.server.counters()).toMatchObject({ retransmissions: 1, responses, dialogs: 3 });
  } finally {
    await site.close();
  }
});

test('when too many requests are unanswered the end of a call is taken all the same, and the end of what is unanswered (UAS-19)', async () => {
  const site = await startTestServer({ limits: { pendingTransactions: 1 } });
  try {
    await site.application((srf) => {
      srf.invite((req, res) => {
        if (req.get('Call-ID') === unanswered.callId) return;
        srf.createUAS(req, res, { localSdp: SDP }, () => undefined);
      });
    });
    const unanswered = newCall();
    const [peer, other] = [await site.open('udp'), await site.open('udp')];
    const call = newCall();
    await peer.setUp(call);
    const branch = newBranch();
    other.request('INVITE', unanswered, { body: SDP, branch });
    await until(() => site.server.counters().requests === 3);
    other.request('INVITE', newCall(), { body: SDP });
    expect(await other.next(/^SIP\/2\.0 503/)).toContain('Retry-After: 5\r');
    await peer.hangUp(call);
    expect(site.server.counters()).toMatchObject({ dialogs: 0 });
    other.request('CANCEL', unanswered, { branch });
    await other.next(/^SIP\/2\.0 487/);
    await other.setUp(newCall());
  } finally {
    await site.close();
  }
});
