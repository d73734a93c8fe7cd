import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type Srf from 'drachtio-srf';
import {
  headerOf,
  newCall,
  ListeningPeer,
  type Call,
  type RawPeer,
  type RequestOptions,
} from './raw-peer.ts';
import { SDP, startTestServer, until, type TestServer } from './test-server.ts';

let site: TestServer;
let srf: Srf;
let dialogs: Srf.Dialog[];

beforeEach(async () => {
  dialogs = [];
  site = await startTestServer();
  srf = await site.application((application) => {
    application.invite((req, res) => {
      application.createUAS(req, res, { localSdp: SDP }, (_error, dialog) => dialogs.push(dialog));
    });
  });
});

afterEach(async () => {
  await site.close();
});

interface Options {
  readonly method: string;
  readonly headers?: Record<string, string>;
}

// The types of drachtio-srf ask for a whole SrfRequest where the code takes these options.
const inDialog = (dialog: Srf.Dialog, options: Options): Promise<Srf.SrfResponse> =>
  dialog.request(options as unknown as Srf.SrfRequest);
const hangUp = (dialog: Srf.Dialog): Promise<unknown> =>
  (dialog as unknown as { destroy(): Promise<unknown> }).destroy();
const outOfDialog = (uri: string, options: Options): Promise<Srf.SrfRequest> =>
  (srf as unknown as { request(uri: string, options: Options): Promise<Srf.SrfRequest> }).request(
    uri,
    options,
  );

async function callFrom(
  peer: RawPeer,
  options: RequestOptions = {},
): Promise<{ call: Call; dialog: Srf.Dialog }> {
  const call = newCall();
  await peer.setUp(call, options);
  await until(() => dialogs.length > 0);
  const [dialog] = dialogs;
  if (dialog === undefined) throw new Error('no dialog');
  return { call, dialog };
}

describe.each(['udp', 'tcp'] as const)('in a dialog over %s', (protocol) => {
  test('the application ends the call', async () => {
    const peer = await site.open(protocol);
    const { call, dialog } = await callFrom(peer);
    const ended = hangUp(dialog);
    const bye = await peer.next(/^BYE/);
    expect(bye).toMatch(/^BYE sip:src@127\.0\.0\.1:\d+/);
    expect(headerOf(bye, 'From')).toBe(`<sip:srs@recorder.example>;tag=${call.toTag ?? ''}`);
    expect(headerOf(bye, 'To')).toBe(`"Caller" <sip:+4930@peer.example>;tag=${call.fromTag}`);
    expect(headerOf(bye, 'CSeq')).toBe('2 BYE');
    expect(headerOf(bye, 'Max-Forwards')).toBe('70');
    peer.answer(bye, '200 OK');
    await ended;
    await until(() => site.server.counters().dialogs === 0);
  });

  test('a re-INVITE goes out with our Contact and its 200 is acknowledged', async () => {
    const peer = await site.open(protocol);
    const { dialog } = await callFrom(peer);
    const modified = dialog.modify(SDP.replace('4000', '4002'));
    const invite = await peer.next(/^INVITE/);
    expect(headerOf(invite, 'Contact')).toMatch(/^<sip:127\.0\.0\.1:\d+/);
    expect(invite).toContain('m=audio 4002');
    peer.answer(invite, '100 Trying');
    const ok = ['Contact: <sip:moved@127.0.0.1:9>', 'Content-Type: application/sdp'];
    peer.answer(invite, '200 OK', ok);
    const ack = await peer.next(/^ACK/);
    expect(headerOf(ack, 'CSeq')).toBe('2 ACK');
    await modified;
    peer.answer(invite, '200 OK', ok);
    expect(await peer.next(/^ACK/)).toBe(ack);
    void hangUp(dialog);
    expect(await peer.next(/^BYE/)).toMatch(/^BYE sip:moved@127\.0\.0\.1:9 SIP\/2\.0[\s\S]*CSeq: 3 BYE/);
  });

  test('a refused re-INVITE is acknowledged by the server itself', async () => {
    const peer = await site.open(protocol);
    const { dialog } = await callFrom(peer);
    const refused = dialog.modify(SDP).then(
      () => undefined,
      (error: unknown) => error,
    );
    const invite = await peer.next(/^INVITE/);
    peer.answer(invite, '491 Request Pending');
    const ack = await peer.next(/^ACK/);
    expect(headerOf(ack, 'Via')).toBe(headerOf(invite, 'Via'));
    expect(await refused).toMatchObject({ status: 491 });
    expect(site.server.counters().dialogs).toBe(1);
  });

  test.each(['OPTIONS', 'INFO', 'UPDATE'] as const)('%s is sent and answered', async (method) => {
    const peer = await site.open(protocol);
    const { dialog } = await callFrom(peer);
    const answered = inDialog(dialog, { method, headers: { 'X-Test': 'yes' } });
    const request = await peer.next(new RegExp(`^${method}`));
    expect(headerOf(request, 'X-Test')).toBe('yes');
    peer.answer(request, '200 Fine');
    expect(await answered).toMatchObject({ status: 200, reason: 'Fine' });
  });

  test('an INVITE of the peer while ours is unanswered gets 491', async () => {
    const peer = await site.open(protocol);
    const { call, dialog } = await callFrom(peer);
    dialog.modify(SDP).catch(() => undefined);
    await peer.next(/^INVITE/);
    peer.request('INVITE', call, { cseq: '2 INVITE', body: SDP });
    await peer.next(/^SIP\/2\.0 491/);
  });

  test('two BYEs that cross are both answered', async () => {
    const peer = await site.open(protocol);
    const { call, dialog } = await callFrom(peer);
    const ended = hangUp(dialog);
    const bye = await peer.next(/^BYE/);
    await peer.hangUp(call);
    peer.answer(bye, '481 Gone');
    await ended;
    expect(site.server.counters().dialogs).toBe(0);
  });
});

test('over UDP an unanswered request is repeated and ends with 408', async () => {
  const peer = await site.open('udp');
  const { dialog } = await callFrom(peer);
  expect(await inDialog(dialog, { method: 'OPTIONS' })).toMatchObject({ status: 408 });
  const copies = peer.received.filter((each) => each.startsWith('OPTIONS'));
  expect(copies.length).toBeGreaterThanOrEqual(6);
  expect(new Set(copies).size).toBe(1);
});

test('over UDP the packet source is used, whatever the Contact says', async () => {
  const peer = await site.open('udp');
  const { dialog } = await callFrom(peer, { contact: 'Contact: <sip:inside@10.255.255.1:5099>' });
  void hangUp(dialog);
  expect(await peer.next(/^BYE/)).toMatch(/^BYE sip:inside@10\.255\.255\.1:5099 /);
});

test('with a Record-Route requests go to the first route', async () => {
  const peer = await site.open('udp');
  const proxy = await site.open('udp');
  const { dialog } = await callFrom(peer, {
    headers: [`Record-Route: <sip:${proxy.hostPort};lr>, <sip:p2.example;lr>`],
  });
  void hangUp(dialog);
  const bye = await proxy.next(/^BYE/);
  expect(bye).toContain(`Route: <sip:${proxy.hostPort};lr>\r\nRoute: <sip:p2.example;lr>\r\n`);
});

test('when the TCP connection is gone a new one is opened to the Contact', async () => {
  const listener = await ListeningPeer.open();
  const peer = await site.open('tcp');
  const { dialog } = await callFrom(peer, {
    contact: `Contact: <sip:src@${listener.hostPort};transport=tcp>`,
  });
  peer.close();
  await until(() => site.server.counters().connections === 0);
  void hangUp(dialog);
  listener.answer(await listener.next(/^BYE sip:src@127/), '200 OK');
  await until(() => site.server.counters().dialogs === 0);
  listener.close();
});

test('a peer that refuses connections gives 503 at once, and the dialog goes with it', async () => {
  const peer = await site.open('tcp');
  const { dialog } = await callFrom(peer, { contact: 'Contact: <sip:src@127.0.0.1:1;transport=tcp>' });
  peer.close();
  await until(() => site.server.counters().connections === 0);
  expect(await inDialog(dialog, { method: 'OPTIONS' })).toMatchObject({ status: 503 });
  await hangUp(dialog);
  await until(() => site.server.counters().dialogs === 0);
});

test('a connection lost in mid-request gives 503 at once', async () => {
  const peer = await site.open('tcp');
  const { dialog } = await callFrom(peer);
  const answered = inDialog(dialog, { method: 'INFO' });
  await peer.next(/^INFO/);
  peer.close();
  expect(await answered).toMatchObject({ status: 503 });
});

describe('outside dialogs', () => {
  test.each([
    ['udp', ''],
    ['tcp', ';transport=tcp'],
  ] as const)(
    'OPTIONS over %s is sent with From, To, Call-ID and CSeq of ours',
    async (protocol, parameter) => {
      const received: RawPeer = protocol === 'udp' ? await site.open('udp') : await ListeningPeer.open();
      const request = await outOfDialog(`sip:peer@${received.hostPort}${parameter}`, {
        method: 'OPTIONS',
        headers: { 'X-P': '1', Contact: '<sip:me@localhost>' },
      });
      const answered = new Promise((resolve) => {
        request.on('response', resolve);
      });
      const options = await received.next(/^OPTIONS/);
      expect(headerOf(options, 'From')).toMatch(/^<sip:127\.0\.0\.1:\d+>;tag=\w+$/);
      expect(headerOf(options, 'To')).toBe(`<sip:peer@${received.hostPort}${parameter}>`);
      expect(headerOf(options, 'CSeq')).toBe('1 OPTIONS');
      expect(headerOf(options, 'Contact')).toMatch(/^<sip:me@127\.0\.0\.1:\d+>$/);
      received.answer(options, '200 OK');
      expect(await answered).toMatchObject({ status: 200 });
      received.close();
    },
  );
});
