import { afterEach, expect, test } from '@jest/globals';
import { Sip } from '../../src/config/sip.ts';
import type { SipApplicationOptions } from '../../src/sip/application.ts';
import { openAnyBench, type AnyBench } from './any-server.ts';
import {
  audioLine,
  COMPLETE,
  plainSdp,
  recordingSession,
  sdpOf,
  TRANSFER,
  TWO_LINES,
} from './recording-client.ts';

let bench: AnyBench | undefined;

afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

async function open(
  options: Partial<SipApplicationOptions> = {},
): Promise<Pick<AnyBench, 'recorder'> & { readonly dial: () => ReturnType<AnyBench['client']> }> {
  const opened = await openAnyBench(options);
  bench = opened;
  return { recorder: opened.recorder, dial: () => opened.client() };
}

const trunk = { name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat' } as const;

test('TCP is listened on wherever UDP is, on the same port, unless somebody wants it otherwise (SIG-1)', () => {
  expect(Sip.parse({}).listen).toEqual(['udp://0.0.0.0:5060', 'tcp://0.0.0.0:5060']);
});

test.each<[string, Record<string, string>, string]>([
  ['alone', {}, 'siprec'],
  ['beside the session timer', { 'Session-Expires': '1800', Supported: 'timer' }, 'siprec, timer'],
])('a trunk that insists has siprec required in our 200, %s (UAS-15)', async (_title, headers, required) => {
  const { dial } = await open({ trunks: [{ ...trunk, requireSiprec: true }] });
  const client = await dial();
  const session = recordingSession();
  const ok = await client.invite({ ...session, headers: { ...session.headers, ...headers } });
  expect([ok.status, ok.headers.get('require')]).toEqual([200, required]);
  expect((await client.invite({ headers, ...plainSdp(TWO_LINES) })).headers.get('require')).toBe(required);
  expect((await client.request('UPDATE')).headers.get('require')).toBeUndefined();
});

test.each([
  [undefined, true],
  [false, false],
])(
  'a trunk whose rtpKeepAlive is %j has the way of its audio kept open: %j (RTP-3)',
  async (rtpKeepAlive, kept) => {
    const { dial, recorder } = await open({ trunks: [{ ...trunk, rtpKeepAlive }] });
    await (await dial()).invite();
    expect(recorder.call.offered.sources.keepAlive).toBe(kept);
  },
);

test.each([
  [undefined, true],
  ['lite', true],
  ['off', false],
] as const)('a trunk whose ice is %j answers ICE with ICE: %j', async (ice, answered) => {
  const { dial, recorder } = await open({ trunks: [{ ...trunk, ice }] });
  const words = 'a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n';
  const session = recordingSession(sdpOf(`${audioLine('1')}${words}`, `${audioLine('2')}${words}`));
  const ok = await (await dial()).invite(session);
  expect(ok.status).toBe(200);
  expect(/^a=ice-lite/m.test(ok.body)).toBe(answered);
  expect(recorder.call.offered.offer.lines.map(({ ownIce }) => ownIce !== undefined)).toEqual([
    answered,
    answered,
  ]);
});

test('what belongs between client and endpoints says nothing to a recorder (RS-7), nor does the content of a line (SDP-20)', async () => {
  const { dial, recorder } = await open();
  const client = await dial();
  const line = (label: string): string =>
    `${audioLine(label)}a=record:paused\r\na=recordpref:nopreference\r\na=content:main\r\n`;
  const session = recordingSession(sdpOf(line('1'), line('2')));
  const ok = await client.invite({
    ...session,
    headers: { ...session.headers, Supported: 'siprec, record-aware' },
  });
  expect(ok.status).toBe(200);
  expect(ok.body).not.toMatch(/a=(?:record|content)/);
  expect(recorder.call.offered.offer.lines.map(({ direction }) => direction)).toEqual([
    'sendonly',
    'sendonly',
  ]);
});

test('four lines, one of each kind and side, are four lines in the answer (SDP-17)', async () => {
  const { dial } = await open();
  const video = 'm=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=label:3\r\na=sendonly\r\n';
  const ok = await (
    await dial()
  ).invite(recordingSession(sdpOf(audioLine('1'), audioLine('2'), video, video)));
  expect(ok.body.match(/^m=\w+ (?:0 )?/gm)?.map((line) => line.trim())).toEqual([
    'm=audio',
    'm=audio',
    'm=video 0',
    'm=video 0',
  ]);
});

test.each(['RTP/AVP', 'RTP/AVPF'])('a line of the profile %s is taken as it is (RTP-4)', async (profile) => {
  const { dial } = await open();
  const sdp = sdpOf(audioLine('1')).replace('RTP/AVP', profile);
  expect((await (await dial()).invite(recordingSession(sdp))).body).toContain(` ${profile} 8 101\r\n`);
});

test('the same ids from two clients, or in two dialogs, are two recordings and no error (META-5)', async () => {
  const { dial, recorder } = await open();
  for (let each = 0; each < 2; each++) {
    const client = await dial();
    expect((await client.invite(recordingSession(TWO_LINES, COMPLETE))).status).toBe(200);
  }
  expect(recorder.calls.map(({ offered }) => offered.description.metadataStatus)).toEqual([
    'complete',
    'complete',
  ]);
  expect(recorder.calls.flatMap(({ offered }) => offered.description.warnings)).toEqual([]);
});

test('of the metadata only what the recording needs is handed on, not the document (META-13)', async () => {
  const { dial, recorder } = await open();
  const extra = '<extensiondata><health>private matter</health></extensiondata></recording>';
  await (await dial()).invite(recordingSession(TWO_LINES, COMPLETE.replace('</recording>', extra)));
  expect(recorder.call.offered.description.participants).toHaveLength(2);
  expect(JSON.stringify(recorder.call.offered.description)).not.toContain('private matter');
});

test('metadata comes in the ACK of an offer of ours, too (META-15), and with BYE', async () => {
  const { dial, recorder } = await open();
  const client = await dial();
  await client.invite();
  const { call } = recorder;
  await client.bye({ type: 'application/rs-metadata', body: TRANSFER });
  expect(await call.ended()).toEqual(['bye']);
  expect(call.descriptions).toHaveLength(1);
});

const UNKNOWN = { type: 'application/unknownformat', body: '<audio/>' };

test.each<[string, string, object, number]>([
  ['3.3.2 unkscm: a URI scheme that nobody knows', 'OPTIONS', { uri: 'nobodyKnows:opaque' }, 416],
  ['3.3.3 novelsc: a URI scheme that is not for SIP', 'OPTIONS', { uri: 'soap.beep://192.0.2.1:1' }, 416],
  ['3.3.5 bext01: extensions nobody knows', 'OPTIONS', { headers: { Require: 'nothingSupportsThis' } }, 420],
  ['3.3.6 invut: a body of an unknown type', 'INVITE', { headers: { Require: 'siprec' }, ...UNKNOWN }, 415],
  [
    '3.3.15 sdp01: an ordinary call',
    'INVITE',
    { headers: { Contact: '<sip:a@127.0.0.1>' }, ...plainSdp(TWO_LINES) },
    488,
  ],
  ['3.1.1.4 escnull: a REGISTER', 'REGISTER', {}, 405],
  ['3.1.1.11 mpart01: a MESSAGE', 'MESSAGE', { type: 'text/plain', body: 'Hello' }, 405],
])('RFC 4475 %s is refused by the application', async (_name, method, parts, status) => {
  const { dial, recorder } = await open();
  const client = await dial();
  expect((await client.request(method, parts)).status).toBe(status);
  expect(recorder.calls).toEqual([]);
  const next = await dial();
  expect((await next.invite()).status).toBe(200);
});
