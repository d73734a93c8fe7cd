import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type Srf from 'drachtio-srf';
import { headerOf, newBranch, newCall, toTagOf, type Call, type RawPeer } from './raw-peer.ts';
import { SDP, SHORT_TIMERS, startTestServer, until, type TestServer } from './test-server.ts';

let site: TestServer;
let heard: string[];
let dialogs: Srf.Dialog[];
/** Sent with the 200 of the application. */
let headers: Record<string, string>;

async function start(lenient: boolean): Promise<void> {
  // Of this test alone: an application of the test before may still be closing.
  const mine: string[] = [];
  heard = mine;
  dialogs = [];
  headers = {};
  site = await startTestServer({ timers: { ...SHORT_TIMERS, second: 50 }, lenient: () => lenient });
  await site.application((srf) => {
    srf.invite((req, res) => {
      mine.push('INVITE');
      req.on('cancel', () => mine.push('cancel'));
      if (req.has('X-Leave')) return;
      srf.createUAS(req, res, { localSdp: SDP, headers }, (_error, dialog) => {
        dialogs.push(dialog);
        dialog.on('destroy', (_message: unknown, reason?: string) => mine.push(reason ?? 'destroy'));
        for (const event of ['modify', 'update'] as const)
          dialog.on(event as 'modify', (inner: Srf.SrfRequest, answer: Srf.SrfResponse) => {
            mine.push(event);
            if (!inner.has('X-Leave')) answer.send(200, { body: SDP });
          });
      });
    });
  });
}

afterEach(async () => {
  expect(site.logged.filter((each) => each.level === 'error')).toEqual([]);
  await site.close();
});

const LEAVE = { headers: ['X-Leave: yes'] };

async function callFrom(peer: RawPeer): Promise<Call> {
  const call = newCall();
  await peer.setUp(call);
  return call;
}

describe.each(['udp', 'tcp'] as const)('requests that overlap over %s', (protocol) => {
  beforeEach(() => start(true));

  test.each([
    ['re-INVITE', 're-INVITE', 'INVITE', 'INVITE', SDP],
    ['UPDATE with an offer', 're-INVITE', 'INVITE', 'UPDATE', SDP],
    ['re-INVITE', 'UPDATE with an offer', 'UPDATE', 'INVITE', SDP],
    ['UPDATE with an offer', 'UPDATE with an offer', 'UPDATE', 'UPDATE', SDP],
  ])('%s during an unanswered %s: 500 with Retry-After (DLG-4)', async (...row) => {
    const [, , first, second, body] = row;
    const peer = await site.open(protocol);
    const call = await callFrom(peer);
    peer.request(first, call, { ...LEAVE, cseq: `2 ${first}`, body });
    await until(() => heard.includes(first === 'INVITE' ? 'modify' : 'update'));
    peer.request(second, call, { cseq: `3 ${second}`, body });
    const refused = await peer.next(new RegExp(`^SIP/2\\.0 500 [\\s\\S]*CSeq: 3 ${second}`));
    expect(headerOf(refused, 'Retry-After')).toMatch(/^\d$/);
    call.cseq = 3;
    await peer.hangUp(call);
  });

  test('an UPDATE with an offer once the one before it is answered is taken', async () => {
    const peer = await site.open(protocol);
    const call = await callFrom(peer);
    for (const cseq of ['2 UPDATE', '3 UPDATE']) {
      peer.request('UPDATE', call, { cseq, body: SDP });
      await peer.next(/^SIP\/2\.0 200/);
    }
    call.cseq = 3;
    await peer.hangUp(call);
  });

  test.each(['INVITE', 'UPDATE'])(
    'an offer of the peer during our UPDATE with an offer: 491, by %s (DLG-4)',
    async (method) => {
      const peer = await site.open(protocol);
      const call = await callFrom(peer);
      await until(() => dialogs.length > 0);
      const options = { method: 'UPDATE', body: SDP } as unknown as Srf.SrfRequest;
      const answered = dialogs[0]?.request(options);
      const update = await peer.next(/^UPDATE/);
      peer.request(method, call, { cseq: `2 ${method}`, body: SDP });
      await peer.next(/^SIP\/2\.0 491/);
      peer.answer(update, '200 OK');
      await answered;
      peer.request(method, call, { cseq: `3 ${method}`, body: SDP });
      await peer.next(/^SIP\/2\.0 200/);
    },
  );

  test('gaps in CSeq are fine, a lower one is not (DLG-3)', async () => {
    const peer = await site.open(protocol);
    const call = await callFrom(peer);
    peer.request('UPDATE', call, { cseq: '77 UPDATE' });
    await peer.next(/^SIP\/2\.0 200/);
    peer.request('UPDATE', call, { cseq: '76 UPDATE' });
    await peer.next(/^SIP\/2\.0 500/);
  });

  test('the peer may change its From and To addresses, and its Contact moves our BYE (DLG-1, DLG-5)', async () => {
    const peer = await site.open(protocol);
    const call = await callFrom(peer);
    const update = peer
      .compose('UPDATE', call, { cseq: '2 UPDATE', contact: 'Contact: <sip:moved@127.0.0.1:9>' })
      .replace('sip:+4930@peer.example', 'sip:another@elsewhere.example');
    peer.send(update);
    // A repeated 200 of the INVITE may have crossed the ACK.
    await peer.next(/^SIP\/2\.0 200 [\s\S]*CSeq: 2 UPDATE/);
    await until(() => dialogs.length > 0);
    void (dialogs[0] as unknown as { destroy(): Promise<unknown> }).destroy();
    await peer.next(/^BYE sip:moved@127\.0\.0\.1:9 SIP/);
  });

  test('a BYE before the ACK ends the call once and stops the repeated 200 (DLG-8)', async () => {
    const peer = await site.open(protocol);
    const call = newCall();
    peer.request('INVITE', call);
    call.toTag = toTagOf(await peer.next(/^SIP\/2\.0 200/));
    await peer.hangUp(call);
    await until(() => heard.length === 2);
    const before = peer.received.length;
    await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_TIMERS.t2));
    expect(peer.received.length).toBe(before);
    expect(heard).toEqual(['INVITE', 'normal release']);
  });

  test('CANCEL and BYE in either order behind the 200 end one call once (DLG-8)', async () => {
    const peer = await site.open(protocol);
    const call = newCall();
    const branch = newBranch();
    await peer.setUp(call, { branch });
    peer.request('CANCEL', { ...call, toTag: undefined }, { branch });
    await peer.next(/^SIP\/2\.0 481/);
    const bye = { ...call, cseq: 2 };
    peer.request('BYE', bye);
    peer.request('BYE', { ...bye, cseq: 3 });
    await peer.next(/^SIP\/2\.0 481/);
    expect(heard).toEqual(['INVITE', 'normal release']);
  });

  test('an INVITE that is not answered until its Expires is over with 487, as if cancelled (UAS-20)', async () => {
    const peer = await site.open(protocol);
    peer.request('INVITE', newCall(), { headers: ['X-Leave: yes', 'Expires: 2'] });
    const over = await peer.next(/^SIP\/2\.0 [2-6]/);
    expect(over).toMatch(/^SIP\/2\.0 487 [\s\S]*CSeq: 1 INVITE/);
    await until(() => heard.includes('cancel'));
  });

  test('an answer in time makes Expires meaningless (UAS-20)', async () => {
    const peer = await site.open(protocol);
    const call = newCall();
    await peer.setUp(call, { headers: ['Expires: 1'] });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await peer.hangUp(call);
    expect(heard).toEqual(['INVITE', 'normal release']);
  });

  test('a merged request gets 482 (UAS-4), Timestamp comes back in 100, which has no tag (UAS-8, UAS-9)', async () => {
    const peer = await site.open(protocol);
    const call = newCall();
    peer.request('INVITE', call, { headers: ['X-Leave: yes', 'Timestamp: 54 0.5'] });
    const trying = await peer.next(/^SIP\/2\.0 100/);
    expect(headerOf(trying, 'Timestamp')).toBe('54 0.5');
    expect(toTagOf(trying)).toBeUndefined();
    peer.request('INVITE', call, LEAVE);
    expect(toTagOf(await peer.next(/^SIP\/2\.0 482/))).toBeDefined();
  });

  test('Require in CANCEL is ignored (UAS-5)', async () => {
    const peer = await site.open(protocol);
    const call = newCall();
    const branch = newBranch();
    peer.request('INVITE', call, { ...LEAVE, branch });
    await peer.next(/^SIP\/2\.0 100/);
    peer.request('CANCEL', call, { branch, headers: ['Require: what'] });
    await peer.next(/^SIP\/2\.0 200 [\s\S]*CANCEL/);
    await peer.next(/^SIP\/2\.0 487/);
  });

  test('an application that asks for it keeps a call without ACK; the header stays with us (DLG-6)', async () => {
    headers = { 'X-Sealtape-Keep-Without-Ack': 'yes' };
    const peer = await site.open(protocol);
    const call = newCall();
    peer.request('INVITE', call);
    const ok = await peer.next(/^SIP\/2\.0 200/);
    expect(ok).not.toMatch(/sealtape/i);
    call.toTag = toTagOf(ok);
    await until(() => site.logged.some(({ message }) => message.includes('no ACK came')));
    const count = peer.received.length;
    await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_TIMERS.t2));
    expect(peer.received.length).toBe(count);
    expect(site.server.counters().dialogs).toBe(1);
    await peer.hangUp(call);
    expect(heard).toEqual(['INVITE', 'normal release']);
  });
});

describe.each(['udp', 'tcp'] as const)('a peer of a strict trunk over %s', (protocol) => {
  beforeEach(() => start(false));

  test.each([
    ['without To tag', '2 BYE', undefined, '481'],
    ['with a lower CSeq', '0 BYE', 'right', '500'],
    ['whose CSeq names INVITE', '2 INVITE', 'right', '400'],
    ['with an equal CSeq', '1 BYE', 'right', '200'],
  ])('gets what the RFC says for a BYE %s (DLG-7, DLG-3)', async (...row) => {
    const [, cseq, tag, status] = row;
    const peer = await site.open(protocol);
    const call = await callFrom(peer);
    peer.request('BYE', tag === undefined ? { ...call, toTag: undefined } : call, { cseq });
    // The 200 of the INVITE may come once more, where the machine is slow.
    const answer = await peer.next(new RegExp(`^SIP/2\\.0 [2-6][^]*\r\nCSeq: ${cseq}\r\n`));
    expect(answer).toMatch(new RegExp(`^SIP/2\\.0 ${status} `));
    expect(site.server.counters().dialogs).toBe(status === '200' ? 0 : 1);
  });

  test('must acknowledge properly (DLG-6)', async () => {
    const peer = await site.open(protocol);
    const call = newCall();
    peer.request('INVITE', call);
    call.toTag = toTagOf(await peer.next(/^SIP\/2\.0 200/));
    peer.request('ACK', call, { toTag: 'wrong' });
    peer.request('ACK', call, { cseq: '5 ACK' });
    await peer.next(/^BYE/);
    await until(() => heard.includes('ACK timeout'));
  });
});
