import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type Srf from 'drachtio-srf';
import {
  agreedByPeer,
  agreedByUs,
  sessionExpires,
  sessionHeaders,
} from '../../src/sip-server/session-interval.ts';
import { parseMessage, type SipRequest, type SipResponse } from '../../src/sip-server/message.ts';
import { headerOf, newCall, type Call, type RawPeer } from './raw-peer.ts';
import { SDP, SHORT_TIMERS, startTestServer, until, type TestServer } from './test-server.ts';

/** A session of 90 seconds lives for 450 ms here. */
const SECOND = 5;

let site: TestServer;
let heard: string[];
/** What the application says about the session in its 2xx; undefined: nothing. */
let said: string | undefined;

beforeEach(async () => {
  heard = [];
  said = undefined;
  site = await startTestServer({ timers: { ...SHORT_TIMERS, second: SECOND } });
  await site.application((srf) => {
    const headers = (): Record<string, string> => (said === undefined ? {} : { 'Session-Expires': said });
    srf.invite((req, res) => {
      srf.createUAS(req, res, { localSdp: SDP, headers: headers() }, (_error, dialog) => {
        dialog.on('destroy', (_message: unknown, reason?: string) => heard.push(reason ?? ''));
        for (const event of ['modify', 'update'] as const)
          dialog.on(event as 'modify', (_inner: Srf.SrfRequest, answer: Srf.SrfResponse) => {
            heard.push(event);
            answer.send(200, { headers: headers(), ...(event === 'modify' && { body: SDP }) });
          });
      });
    });
  });
});

afterEach(async () => {
  expect(site.logged.filter((each) => each.level === 'error')).toEqual([]);
  await site.close();
});

async function callFrom(
  peer: RawPeer,
  expires: string,
  headers = ['Supported: timer', 'Allow: INVITE, UPDATE'],
): Promise<Call> {
  const call = newCall();
  await peer.setUp(call, { headers: [`Session-Expires: ${expires}`, ...headers] });
  return call;
}

const OK_OF_PEER = [
  'Session-Expires: 90;refresher=uac',
  'Require: timer',
  'Contact: <sip:moved@127.0.0.1:9>',
];

describe.each(['udp', 'tcp'] as const)('session timers over %s', (protocol) => {
  test('a client that does not refresh gets a BYE a third before the end, and the application hears why (TMR-5)', async () => {
    said = '90;refresher=uac';
    const peer = await site.open(protocol);
    const from = Date.now();
    await callFrom(peer, '90;refresher=uac');
    const bye = await peer.next(/^BYE/);
    expect(Date.now() - from).toBeGreaterThanOrEqual(59 * SECOND);
    expect(headerOf(bye, 'Reason')).toBe('SIP;cause=200;text="Session timer expired"');
    await until(() => heard.includes('Session timer expired'));
    expect(site.server.counters().dialogs).toBe(0);
  });

  test.each(['UPDATE', 'INVITE'])('a refresh by %s prolongs the session', async (method) => {
    said = '90;refresher=uac';
    const peer = await site.open(protocol);
    const call = await callFrom(peer, '90;refresher=uac');
    for (let count = 0; count < 4; count += 1) {
      await new Promise((resolve) => setTimeout(resolve, 25 * SECOND));
      call.cseq += 1;
      peer.request(method, call, {
        headers: ['Session-Expires: 90;refresher=uac', 'Supported: timer'],
        ...(method === 'INVITE' && { body: SDP }),
      });
      await peer.next(/^SIP\/2\.0 200/);
      if (method === 'INVITE') peer.request('ACK', call);
    }
    expect(heard).toEqual(Array(4).fill(method === 'INVITE' ? 'modify' : 'update'));
    await peer.hangUp(call);
    expect(peer.received.filter((each) => each.startsWith('BYE'))).toEqual([]);
  });

  test('an UPDATE answered without Session-Expires ends the watch', async () => {
    said = '90;refresher=uac';
    const peer = await site.open(protocol);
    const call = await callFrom(peer, '90;refresher=uac');
    said = undefined;
    call.cseq += 1;
    peer.request('UPDATE', call);
    await peer.next(/^SIP\/2\.0 200/);
    await new Promise((resolve) => setTimeout(resolve, 120 * SECOND));
    expect(site.server.counters().dialogs).toBe(1);
    await peer.hangUp(call);
  });

  test('left to us, the server refreshes at half time by UPDATE without body, again and again (TMR-3, TMR-5)', async () => {
    const peer = await site.open(protocol);
    const call = newCall();
    const ok = await peer.setUp(call, {
      headers: ['x: 90;refresher=uas', 'Supported: timer', 'Allow: INVITE, UPDATE'],
    });
    expect(headerOf(ok, 'Session-Expires')).toBe('90;refresher=uas');
    for (const cseq of [2, 3]) {
      const update = await peer.next(/^UPDATE/);
      expect(headerOf(update, 'CSeq')).toBe(`${cseq} UPDATE`);
      expect(headerOf(update, 'Session-Expires')).toBe('90;refresher=uac');
      expect(headerOf(update, 'Supported')).toBe('timer');
      expect(headerOf(update, 'Contact')).toMatch(/^<sip:127\.0\.0\.1:\d+/);
      expect(headerOf(update, 'Content-Length')).toBe('0');
      peer.answer(update, '200 OK', OK_OF_PEER);
    }
    expect(heard).toEqual([]);
    await peer.hangUp(call);
  });

  test('a client without UPDATE is refreshed by re-INVITE with our last SDP, which we acknowledge', async () => {
    const peer = await site.open(protocol);
    const call = await callFrom(peer, '90;refresher=uas', ['Supported: timer']);
    const invite = await peer.next(/^INVITE/);
    expect(invite).toContain('m=audio 4000 RTP/AVP 8');
    expect(headerOf(invite, 'Content-Type')).toBe('application/sdp');
    peer.answer(invite, '200 OK', OK_OF_PEER);
    expect(headerOf(await peer.next(/^ACK sip:moved@127\.0\.0\.1:9/), 'CSeq')).toBe('2 ACK');
    peer.answer(await peer.next(/^INVITE/), '200 OK', OK_OF_PEER);
    await peer.next(/^ACK/);
    await peer.hangUp(call);
  });

  test.each([
    ['405 Method Not Allowed', [], /^INVITE/],
    ['422 Session Interval Too Small', ['Min-SE: 120'], /^UPDATE [\s\S]*Session-Expires: 120;refresher=uac/],
    ['500 Server Internal Error', [], /^UPDATE/],
    ['491 Request Pending', [], /^UPDATE/],
  ])('a refresh answered %s is tried again and the call stays', async (status, headers, again) => {
    const peer = await site.open(protocol);
    const call = await callFrom(peer, '90;refresher=uas');
    peer.answer(await peer.next(/^UPDATE/), status, headers);
    peer.answer(await peer.next(again), '200 OK', OK_OF_PEER);
    await peer.hangUp(call);
  });

  test.each([['481 Call/Transaction Does Not Exist'], ['408 Request Timeout']])(
    'a refresh answered %s ends the call',
    async (status) => {
      const peer = await site.open(protocol);
      await callFrom(peer, '90;refresher=uas');
      peer.answer(await peer.next(/^UPDATE/), status);
      await peer.next(/^BYE/);
      await until(() => heard.includes('Session timer expired'));
    },
  );

  test('a client that takes the refresh over in its answer is watched from then on', async () => {
    const peer = await site.open(protocol);
    await callFrom(peer, '90;refresher=uas');
    peer.answer(await peer.next(/^UPDATE/), '200 OK', ['Session-Expires: 90;refresher=uas']);
    await peer.next(/^BYE/);
  });

  test('a refresh nobody answers ends the call', async () => {
    const peer = await site.open(protocol);
    await callFrom(peer, '200;refresher=uas');
    await peer.next(/^UPDATE/);
    await peer.next(/^BYE/);
    await until(() => heard.includes('Session timer expired'));
  });

  test.each(['INVITE', 'UPDATE'])('a later %s below 90 s gets 422 with Min-SE (TMR-1)', async (method) => {
    const peer = await site.open(protocol);
    const call = newCall();
    await peer.setUp(call);
    call.cseq += 1;
    peer.request(method, call, { headers: ['Session-Expires: 89', 'Supported: timer'] });
    expect(headerOf(await peer.next(/^SIP\/2\.0 422/), 'Min-SE')).toBe('90');
    if (method === 'INVITE') peer.request('ACK', call);
    expect(heard).toEqual([]);
    await peer.hangUp(call);
  });
});

const request = (...headers: string[]): SipRequest =>
  parseMessage(['INVITE sip:a@b SIP/2.0', ...headers, '', ''].join('\r\n'), 100) as SipRequest;
const response = (...headers: string[]): SipResponse =>
  parseMessage(['SIP/2.0 200 OK', ...headers, '', ''].join('\r\n'), 100) as SipResponse;

describe('RFC 4028', () => {
  test.each([
    ['1800', { seconds: 1800, refresher: undefined }],
    ['1800;refresher=uac', { seconds: 1800, refresher: 'uac' }],
    ['90 ; x=y ; Refresher = "uas"', { seconds: 90, refresher: 'uas' }],
    ['90;refresher=nobody', { seconds: 90, refresher: undefined }],
    ['soon', undefined],
    ['-1', undefined],
    ['99999999999', undefined],
  ])('reads Session-Expires: %s', (value, expected) => {
    expect(sessionExpires(request(`Session-Expires: ${value}`))).toEqual(expected);
  });

  test.each([
    ['refresher=uas', 'Supported: timer', '', '1800;refresher=uas', false],
    ['refresher=uac', 'Supported: a, Timer', '', '1800;refresher=uac', true],
    ['refresher=uac', 'Require: timer', '', '1800;refresher=uac', true],
    ['refresher=uac', 'Supported: a', '', undefined, false],
    ['x=y', 'Supported: timer', '', undefined, false],
    ['refresher=uac', 'Supported: timer', 'Session-Expires: 90;refresher=uac', undefined, false],
  ])('the peer names %s with %s (TMR-2, TMR-3, TMR-4)', (...row) => {
    const [parameter, supported, given, value, requires] = row;
    const added = sessionHeaders(
      request(`Session-Expires: 1800;${parameter}`, supported),
      given === '' ? response() : response(given),
    );
    expect(added.find(({ key }) => key === 'session-expires')?.value).toBe(value);
    expect(added.some(({ key }) => key === 'require')).toBe(requires);
  });

  test.each([
    ['Session-Expires: 1800;refresher=uac', { seconds: 1800, refresher: 'peer' }],
    ['Session-Expires: 1800;refresher=uas', { seconds: 1800, refresher: 'us' }],
    ['Session-Expires: 1800', { seconds: 1800, refresher: 'peer' }],
    ['Session-Expires: 30;refresher=uac', { seconds: 90, refresher: 'peer' }],
    ['Subject: x', undefined],
  ])('our %s agrees to', (line, expected) => {
    expect(agreedByUs(request('Supported: timer'), response(line))).toEqual(expected);
  });

  test.each([
    ['Session-Expires: 1800;refresher=uac', { seconds: 1800, refresher: 'us' }],
    ['Session-Expires: 1800;refresher=uas', { seconds: 1800, refresher: 'peer' }],
    ['Session-Expires: 1800', { seconds: 1800, refresher: 'us' }],
    ['Subject: x', undefined],
  ])("the peer's %s agrees to", (line, expected) => {
    expect(agreedByPeer(response(line))).toEqual(expected);
  });
});
