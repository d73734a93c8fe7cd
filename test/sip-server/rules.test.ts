import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type Srf from 'drachtio-srf';
import { headerOf, newCall, newBranch, toTagOf, type RequestOptions } from './raw-peer.ts';
import { SDP, SHORT_TIMERS, startTestServer, until, type TestServer } from './test-server.ts';

let site: TestServer;
let dialogs: Srf.Dialog[];
let heard: string[];
/** 64·T1 = 6.4 s: no transaction ends because the machine is slow. Where one has to end, `SHORT_TIMERS`. */
const CALM_TIMERS = { ...SHORT_TIMERS, t1: 100, t2: 200, t4: 200 };
/** INVITEs to this user are left unanswered. */
const UNANSWERED = 'X-Leave: yes';

beforeEach(() => startSite(CALM_TIMERS));

async function startSite(timers: typeof SHORT_TIMERS): Promise<void> {
  dialogs = [];
  // Of this test alone: an application of the test before may still be closing.
  const mine: string[] = [];
  heard = mine;
  site = await startTestServer({ timers });
  await site.application((srf) => {
    srf.invite((req, res) => {
      mine.push('INVITE');
      req.on('cancel', () => mine.push('cancel'));
      if (req.has('X-Leave')) return;
      if (req.has('X-Refuse')) {
        res.send(486);
        return;
      }
      srf.createUAS(req, res, { localSdp: SDP }, (error, dialog) => {
        if (error !== null) {
          mine.push(`error ${String(error)}`);
          return;
        }
        dialogs.push(dialog);
        dialog.on('destroy', (msg: unknown, reason?: string) =>
          mine.push(`destroy ${reason ?? 'no reason'}`),
        );
        for (const event of ['modify', 'info', 'update', 'ack'] as const)
          dialog.on(event as 'modify', (inner: Srf.SrfRequest, answer: Srf.SrfResponse) => {
            mine.push(event);
            if (event !== 'ack') answer.send(200, event === 'modify' ? { body: SDP } : {});
          });
      });
    });
    srf.use('options', (req: Srf.SrfRequest, res: Srf.SrfResponse) => {
      mine.push('OPTIONS');
      if (!req.has('X-Leave')) res.send(200);
    });
  });
}

afterEach(async () => {
  expect(site.logged.filter((each) => each.level === 'error')).toEqual([]);
  await site.close();
});

describe('outside dialogs', () => {
  test.each<[string, string, RequestOptions, number]>([
    ['INVITE without Contact', 'INVITE', { without: ['Contact'] }, 400],
    ['INVITE with Contact *', 'INVITE', { contact: 'Contact: *' }, 400],
    ['INVITE with an empty Contact', 'INVITE', { contact: 'Contact:' }, 400],
    ['INVITE with a Contact without host', 'INVITE', { contact: 'Contact: <sip:user@>' }, 400],
    ['INVITE with two Contacts', 'INVITE', { contact: 'Contact: <sip:a@b>, <sip:c@d>' }, 400],
    ['INVITE without To', 'INVITE', { without: ['To'] }, 0],
    ['INVITE whose CSeq names BYE', 'INVITE', { cseq: '1 BYE' }, 400],
    ['OPTIONS whose CSeq is no number', 'OPTIONS', { cseq: 'x OPTIONS' }, 400],
    ['INVITE whose body is too short', 'INVITE', { without: ['Content-Length'], headers: ['l: 10'] }, 400],
    ['INVITE with To tag (DLG-2)', 'INVITE', { toTag: 'stray' }, 481],
    ['INFO with To tag', 'INFO', { toTag: 'stray' }, 481],
    ['BYE', 'BYE', { toTag: 'stray' }, 481],
    ['BYE without To tag', 'BYE', {}, 481],
    ['UPDATE', 'UPDATE', {}, 481],
    ['CANCEL of nothing', 'CANCEL', {}, 481],
    ['an unknown method', 'FROBNICATE', {}, 501],
    ['a known method nobody routed', 'MESSAGE', {}, 503],
    ['OPTIONS', 'OPTIONS', {}, 200],
    ['OPTIONS without Max-Forwards (SIG-11)', 'OPTIONS', { without: ['Max-Forwards'] }, 200],
    [
      'OPTIONS with a header line that is none',
      'OPTIONS',
      { headers: ['what is this', 'Supported:', 'X-\u007f: 1'] },
      200,
    ],
    ['OPTIONS with an RFC 2543 branch', 'OPTIONS', { branch: '1' }, 200],
    [
      'INVITE with an unterminated Contact',
      'INVITE',
      { contact: 'Contact: <sip:n@127.0.0.1:5999;+sip.src' },
      200,
    ],
    [
      'INVITE with an addr-spec Contact',
      'INVITE',
      { contact: 'Contact: sip:n@127.0.0.1:5999;+sip.src' },
      200,
    ],
    ['INVITE with Contact and stray comma', 'INVITE', { contact: 'Contact: <sip:n@127.0.0.1:5999>,' }, 200],
    ['INVITE with a Route of a non-numeric port', 'INVITE', { headers: ['Route: <sip:a:b;lr>'] }, 200],
    ['INVITE with two Session-IDs', 'INVITE', { headers: ['Session-ID: a', 'Session-ID: b'] }, 200],
  ])('%s', async (_name, method, options, status) => {
    const peer = await site.open('udp');
    const call = newCall();
    peer.request(method, call, options);
    if (status === 0) {
      // Not answerable; the next request shows that nothing was sent before.
      peer.request('OPTIONS', newCall());
      await peer.next(/./);
      expect(peer.received).toEqual([expect.stringMatching(/^SIP\/2\.0 200 [\s\S]*CSeq: 1 OPTIONS/)]);
      expect(site.server.counters().malformed).toBe(1);
      return;
    }
    const answer = await peer.next(/^SIP\/2\.0 [2-6]/);
    expect(answer).toMatch(new RegExp(`^SIP/2\\.0 ${status} `));
    expect(toTagOf(answer)).toBeDefined();
    expect(headerOf(answer, 'Via')).toContain(`;rport=${peer.port};received=127.0.0.1`);
  });

  test.each([
    ['Call-ID with a bar', 'Call-ID: ', 'Call-ID: a|'],
    ['From without tag', /;tag=[^\r]*/, ''],
    ['From tag with a bar', ';tag=', ';tag=|'],
  ])('INVITE with %s gets 400 and never reaches the application', async (_name, from, to) => {
    const peer = await site.open('tcp');
    peer.send(peer.compose('INVITE', newCall()).replace(from, to));
    expect(await peer.next(/^SIP\/2\.0 [2-6]/)).toMatch(/^SIP\/2\.0 400/);
    expect(heard).toEqual([]);
  });

  test('From and To go back as received, Record-Route one per line', async () => {
    const peer = await site.open('udp');
    const call = newCall();
    peer.request('INVITE', call, { headers: ['Record-Route: <sip:p1;lr>, <sip:p2;lr>', 'Timestamp: 54'] });
    expect(await peer.next(/^SIP\/2\.0 100/)).toContain('Timestamp: 54\r\n');
    expect(headerOf(peer.received[0] ?? '', 'To')).toBe('<sip:srs@recorder.example>');
    const ok = await peer.next(/^SIP\/2\.0 200/);
    expect(ok).toContain('Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n');
    expect(headerOf(ok, 'From')).toBe(`"Caller" <sip:+4930@peer.example>;tag=${call.fromTag}`);
    expect(ok).toContain('Content-Type: application/sdp\r\n');
  });

  test('an INVITE on two ways is recorded once', async () => {
    const peer = await site.open('udp');
    const call = newCall();
    peer.request('INVITE', call, { headers: [UNANSWERED] });
    await peer.next(/^SIP\/2\.0 100/);
    peer.request('INVITE', call, { headers: [UNANSWERED] });
    expect(await peer.next(/^SIP\/2\.0 /)).toMatch(/^SIP\/2\.0 482/);
    expect(heard).toEqual(['INVITE']);
  });

  test('a Call-ID and From tag in use are refused for a second dialog', async () => {
    const peer = await site.open('udp');
    const call = newCall();
    await peer.setUp(call);
    peer.request('INVITE', { ...call, toTag: undefined, cseq: 9 });
    expect(await peer.next(/^SIP\/2\.0 [2-6]/)).toMatch(/^SIP\/2\.0 400/);
    expect(site.server.counters().dialogs).toBe(1);
  });
});

describe('repetition', () => {
  test('an unanswered INVITE that comes again gets 100 again', async () => {
    const peer = await site.open('udp');
    const invite = peer.compose('INVITE', newCall(), { headers: [UNANSWERED] });
    for (let count = 0; count < 3; count += 1) {
      peer.send(invite);
      await peer.next(/^SIP\/2\.0 100/);
    }
    expect(heard).toEqual(['INVITE']);
  });

  test('an OPTIONS that comes again is answered by its transaction', async () => {
    const peer = await site.open('udp');
    const options = peer.compose('OPTIONS', newCall());
    peer.send(options);
    const first = await peer.next(/^SIP\/2\.0 200/);
    peer.send(options);
    expect(await peer.next(/^SIP\/2\.0 200/)).toBe(first);
    expect(heard).toEqual(['OPTIONS']);
  });

  test.each(['udp', 'tcp'] as const)(
    'a 200 without ACK over %s is repeated, then the call ends with BYE',
    async (protocol) => {
      await site.close();
      await startSite(SHORT_TIMERS);
      const peer = await site.open(protocol);
      peer.request('INVITE', newCall());
      const bye = await peer.next(/^BYE/);
      // 10 + 20 + 40 + 80 … until 640 ms: eleven copies on an idle machine (states.test.ts has the steps), never fewer than some.
      const copies = peer.received.filter((each) => each.startsWith('SIP/2.0 200'));
      expect(copies.length).toBeGreaterThanOrEqual(3);
      expect(new Set(copies).size).toBe(1);
      expect(headerOf(bye, 'Reason')).toBe('SIP;cause=200;text="ACK timeout"');
      expect(headerOf(bye, 'CSeq')).toBe('2 BYE');
      peer.answer(bye, '200 OK');
      await until(() => heard.includes('destroy ACK timeout'));
      expect(site.server.counters().dialogs).toBe(0);
    },
  );

  test('an acknowledged INVITE that comes again is absorbed (SIG-12)', async () => {
    const peer = await site.open('udp');
    const call = newCall();
    const branch = newBranch();
    await peer.setUp(call, { branch });
    const before = peer.received.length;
    peer.request('INVITE', { ...call, toTag: undefined }, { branch });
    await peer.hangUp(call);
    expect(peer.received.slice(before).filter((each) => each.includes('INVITE'))).toEqual([]);
    expect(heard.filter((each) => each === 'INVITE')).toHaveLength(1);
  });

  test('a refusal is repeated over UDP until its ACK, which the application never sees', async () => {
    const peer = await site.open('udp');
    const call = newCall();
    const branch = newBranch();
    peer.request('INVITE', call, { branch, headers: ['X-Refuse: yes'] });
    await peer.next(/^SIP\/2\.0 486/);
    call.toTag = toTagOf(await peer.next(/^SIP\/2\.0 486/));
    peer.request('ACK', call, { branch });
    peer.request('OPTIONS', newCall());
    await peer.next(/^SIP\/2\.0 200/);
    const before = peer.received.length;
    await new Promise((resolve) => setTimeout(resolve, 3 * CALM_TIMERS.t2));
    expect(peer.received).toHaveLength(before);
    expect(heard).toEqual(['INVITE', 'OPTIONS']);
  });

  test('a silent application costs the peer 500, not silence', async () => {
    const peer = await site.open('udp');
    peer.request('OPTIONS', newCall(), { headers: [UNANSWERED] });
    expect(await peer.next(/^SIP\/2\.0/)).toMatch(/^SIP\/2\.0 500/);
  });
});

describe('CANCEL', () => {
  test('of a pending INVITE is answered 200, the INVITE 487, and the application hears of it', async () => {
    const peer = await site.open('udp');
    const call = newCall();
    const branch = newBranch();
    peer.request('INVITE', call, { branch, headers: [UNANSWERED] });
    await peer.next(/^SIP\/2\.0 100/);
    const cancel = peer.compose('CANCEL', call, { branch });
    peer.send(cancel);
    const ok = await peer.next(/^SIP\/2\.0 200 [\s\S]*CSeq: 1 CANCEL/);
    const terminated = await peer.next(/^SIP\/2\.0 487 [\s\S]*CSeq: 1 INVITE/);
    expect(toTagOf(ok)).toBe(toTagOf(terminated));
    peer.request('ACK', { ...call, toTag: toTagOf(terminated) }, { branch });
    peer.send(cancel);
    await peer.next(/^SIP\/2\.0 200 [\s\S]*CSeq: 1 CANCEL/);
    expect(heard).toEqual(['INVITE', 'cancel']);
  });

  test('behind the 200 gets 481 and the call stays', async () => {
    const peer = await site.open('udp');
    const call = newCall();
    const branch = newBranch();
    await peer.setUp(call, { branch });
    peer.request('CANCEL', { ...call, toTag: undefined }, { branch });
    await peer.next(/^SIP\/2\.0 481 [\s\S]*CSeq: 1 CANCEL/);
    expect(site.server.counters().dialogs).toBe(1);
    await peer.hangUp(call);
  });
});

describe('in a dialog', () => {
  test.each<[string, string, RequestOptions, string]>([
    ['re-INVITE', 'INVITE', { cseq: '2 INVITE', body: SDP }, '200'],
    ['INFO', 'INFO', { cseq: '2 INFO' }, '200'],
    ['UPDATE', 'UPDATE', { cseq: '9 UPDATE' }, '200'],
    ['OPTIONS', 'OPTIONS', { cseq: '2 OPTIONS' }, '200'],
    ['a lower CSeq', 'INFO', { cseq: '0 INFO' }, '500'],
    ['the CSeq of the INVITE', 'INFO', { cseq: '1 INFO' }, '500'],
    ['a wrong To tag (DLG-2)', 'INFO', { cseq: '2 INFO', toTag: 'other' }, '481'],
    ['BYE with a wrong To tag', 'BYE', { cseq: '2 BYE', toTag: 'other' }, '481'],
    ['BYE with a low CSeq', 'BYE', { cseq: '0 BYE' }, '200'],
    ['BYE whose CSeq names INVITE', 'BYE', { cseq: '2 INVITE' }, '200'],
    ['BYE without To tag', 'BYE', { cseq: '2 BYE', toTag: '' }, '200'],
  ])('%s', async (_name, method, options, status) => {
    const peer = await site.open('udp');
    const call = newCall();
    await peer.setUp(call);
    const ended = method === 'BYE' && status === '200';
    const sender = options.toTag === '' ? { ...call, toTag: undefined } : call;
    const { toTag, ...rest } = options;
    peer.request(method, sender, toTag === undefined || toTag === '' ? rest : options);
    // The 200 of the call itself may come again when the machine is slow.
    const answer = await peer.next(/^SIP\/2\.0 [2-6](?![\s\S]*CSeq: 1 INVITE)/);
    expect(answer).toMatch(new RegExp(`^SIP/2\\.0 ${status} `));
    expect(site.server.counters().dialogs).toBe(ended ? 0 : 1);
    expect(heard.includes('destroy normal release')).toBe(ended);
  });

  test('an ACK with wrong To tag and CSeq stops the 200 when only one dialog can be meant', async () => {
    const peer = await site.open('udp');
    const call = newCall();
    peer.request('INVITE', call);
    call.toTag = toTagOf(await peer.next(/^SIP\/2\.0 200/));
    peer.request('ACK', call, { toTag: 'wrong', cseq: '5 ACK' });
    await peer.hangUp(call);
    expect(site.server.counters().dialogs).toBe(0);
    expect(peer.received.filter((each) => each.startsWith('BYE'))).toEqual([]);
  });

  test('a second INVITE before the first is answered gets 500 with Retry-After', async () => {
    const peer = await site.open('udp');
    const call = newCall();
    await peer.setUp(call);
    // The peer may have its 200 before the application knows of it.
    await until(() => dialogs.length > 0);
    for (const dialog of dialogs)
      dialog.removeAllListeners('modify').on('modify', () => heard.push('unanswered'));
    peer.request('INVITE', call, { cseq: '2 INVITE', body: SDP });
    await peer.next(/^SIP\/2\.0 100/);
    peer.request('INVITE', call, { cseq: '3 INVITE', body: SDP });
    expect(headerOf(await peer.next(/^SIP\/2\.0 500/), 'Retry-After')).toMatch(/^\d$/);
    call.cseq = 3;
    await peer.hangUp(call);
    await peer.until(() => peer.received.some((each) => /^SIP\/2\.0 487 [\s\S]*CSeq: 2 INVITE/.test(each)));
  });

  test('two BYEs end one call once', async () => {
    const peer = await site.open('udp');
    const call = newCall();
    await peer.setUp(call);
    await peer.hangUp(call);
    call.cseq += 1;
    peer.request('BYE', call);
    await peer.next(/^SIP\/2\.0 481/);
    expect(heard.filter((each) => each === 'destroy normal release')).toHaveLength(1);
  });
});
