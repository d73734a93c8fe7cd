import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { newCall, type Call, type RawPeer } from './raw-peer.ts';
import { SDP, startTestServer, type TestServer } from './test-server.ts';
import { INVALID, SEMANTICS } from './torture-invalid.ts';
import { DOUBLE_REQUEST, VALID } from './torture-messages.ts';

let site: TestServer;
/** A call that is up all the time, on a socket of its own. */
let live: { peer: RawPeer; call: Call };
let delivered: string[];

beforeAll(async () => {
  site = await startTestServer();
  await site.application((srf) => {
    for (const method of ['options', 'register', 'message'] as const)
      srf.use(method, (req, res) => {
        delivered.push(req.method);
        res.send(200);
      });
    srf.invite((req, res) => {
      delivered.push(req.method);
      srf.createUAS(req, res, { localSdp: SDP }, (error, dialog) => {
        if (error === null)
          dialog.on('info', (_info, response) => {
            response.send(200);
          });
      });
    });
  });
  delivered = [];
  live = { peer: await site.open('tcp'), call: newCall() };
  await live.peer.setUp(live.call, { body: SDP });
});

beforeEach(() => {
  delivered = [];
});

afterAll(async () => {
  await live.peer.hangUp(live.call);
  await site.close();
  expect(site.logged.filter(({ level }) => level === 'error')).toEqual([]);
});

/** An INFO of the running call and its 200. */
async function callStillRuns(): Promise<void> {
  live.call.cseq += 1;
  live.peer.request('INFO', live.call);
  await live.peer.next(new RegExp(`^SIP/2\\.0 200 [\\s\\S]*CSeq: ${live.call.cseq} INFO\\r`));
}

/** The same message as a request of its own for each protocol. */
const ofItsOwn = (text: string, protocol: string): string =>
  text.replace(/z9hG4bK(?=\w)/g, `z9hG4bK${protocol}`).replaceAll('Call-ID: ', `Call-ID: ${protocol}`);

/** The status of the first final response. */
async function answerTo(peer: RawPeer, text: string): Promise<number> {
  peer.send(text);
  return Number((await peer.next(/^SIP\/2\.0 [2-6]/)).slice(8, 11));
}

describe.each(['udp', 'tcp'] as const)('a torture message of RFC 4475 over %s (SIG-7)', (protocol) => {
  test.each([...VALID, ...INVALID, ...SEMANTICS])('$name', async ({ text, reaction, overTcp }) => {
    const expected = protocol === 'tcp' ? (overTcp ?? reaction) : reaction;
    const peer = await site.open(protocol);
    const message = ofItsOwn(text, protocol);
    if (expected === 'silence') peer.send(message);
    else expect(await answerTo(peer, message)).toBe(expected);
    await callStillRuns();
    await callStillRuns();
    if (expected === 'silence') expect(peer.received).toEqual([]);
    expect(delivered).toHaveLength(expected === 200 ? 1 : 0);
  });
});

test('3.1.1.8 dblreq: the second request in a datagram is left out', async () => {
  expect(await answerTo(await site.open('udp'), DOUBLE_REQUEST)).toBe(200);
  await callStillRuns();
  expect(delivered).toEqual(['REGISTER']);
});

test('3.1.1.8 dblreq: on a stream it is the next request', async () => {
  const peer = await site.open('tcp');
  peer.send(ofItsOwn(DOUBLE_REQUEST, 'tcp'));
  await peer.next(/^SIP\/2\.0 200 [\s\S]*CSeq: 1 REGISTER/);
  await peer.next(/^SIP\/2\.0 200 [\s\S]*CSeq: 1 INVITE/);
});

test('3.2.1 badbranch: two requests with nothing but the cookie are not the same request', async () => {
  const peer = await site.open('udp');
  const calls = [newCall(), newCall()];
  for (const call of calls) peer.request('OPTIONS', call, { branch: 'z9hG4bK' });
  for (const { callId } of calls)
    await peer.next(new RegExp(`^SIP/2\\.0 200 [\\s\\S]*Call-ID: ${callId}\\r`));
});

test('all forty-nine messages of RFC 4475 are here, each once', () => {
  const named = [...VALID, ...INVALID, ...SEMANTICS].map(({ name }) => name.split(' ', 1)[0]);
  const numbered = (section: string, count: number): readonly string[] =>
    Array.from({ length: count }, (_none, at) => `${section}.${at + 1}`);
  expect([...named, '3.1.1.8'].toSorted()).toEqual(
    [
      ...numbered('3.1.1', 13),
      ...numbered('3.1.2', 19),
      ...numbered('3.2', 1),
      ...numbered('3.3', 15),
      ...numbered('3.4', 1),
    ].toSorted(),
  );
});
