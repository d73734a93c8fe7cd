import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { RecorderError } from '../../src/recorder/recorder-error.ts';
import { openBench } from './bench.ts';
import { openAnyBench, type AnyBench } from './any-server.ts';
import {
  audioLine,
  COMPLETE,
  multipart,
  plainSdp,
  recordingSession,
  sdpOf,
  TWO_LINES,
  type RequestParts,
} from './recording-client.ts';

let bench: AnyBench;

beforeEach(async () => {
  bench = await openAnyBench();
});

afterEach(async () => {
  await bench.close();
});

const siprec = { headers: { Require: 'siprec' } };
const plainContact = { Contact: '<sip:client@127.0.0.1:5060>' };

describe.each(['udp', 'tcp'] as const)(
  'an INVITE over %s that is turned away (siprec-interop section 3)',
  (protocol) => {
    test.each<[string, RequestParts, number, readonly [string, RegExp]]>([
      [
        'an unknown Require tag (UAS-5)',
        { ...recordingSession(), headers: { Require: 'siprec, foo, timer, bar' } },
        420,
        ['unsupported', /^foo, bar$/],
      ],
      [
        'a Require tag that is no token',
        { ...recordingSession(), headers: { Require: 'fo\u0007\u00e9o' } },
        420,
        ['unsupported', /^fo\?\?o$/],
      ],
      [
        'a request URI of another kind (UAS-3)',
        { ...recordingSession(), uri: 'http://127.0.0.1/' },
        416,
        ['server', /Sealtape/],
      ],
      [
        'a body nobody understands (UAS-6)',
        { ...siprec, type: 'application/isup', body: 'x' },
        415,
        ['accept', /^application\/sdp, .*multipart\/mixed$/],
      ],
      [
        'a multipart without boundary',
        { ...siprec, type: 'multipart/mixed', body: 'x' },
        400,
        ['warning', /without a boundary/],
      ],
      ['SDP that is none', { ...siprec, ...plainSdp('hello') }, 400, ['warning', /does not begin with v=/]],
      [
        'too many m-lines',
        { ...siprec, ...plainSdp(sdpOf(...Array<string>(40).fill(audioLine('1')))) },
        413,
        ['warning', /m-lines/],
      ],
      [
        'an offer whose answer would be too long for a drachtio-server',
        { ...siprec, ...plainSdp(sdpOf(...Array<string>(30).fill(audioLine('1')))) },
        413,
        ['warning', /too long/],
      ],
      [
        'an ordinary call (RS-3)',
        { headers: plainContact, ...plainSdp(TWO_LINES) },
        488,
        ['warning', /^399 127\.0\.0\.1 "not a recording session: no sign/],
      ],
      [
        'an ordinary call without SDP',
        { headers: plainContact },
        488,
        ['warning', /"not a recording session: no sign/],
      ],
      [
        'video alone (SDP-5)',
        recordingSession(sdpOf('m=video 4 RTP/AVP 96\r\n')),
        488,
        ['warning', /m-line 1: video is not recorded/],
      ],
      [
        'lines that are all switched off',
        recordingSession(sdpOf(audioLine('1', 'sendonly', 0))),
        488,
        ['warning', /port 0/],
      ],
      [
        'SRTP',
        recordingSession(sdpOf('m=audio 4 RTP/SAVP 8\r\n')),
        488,
        ['warning', /SRTP needs TLS signalling/],
      ],
      [
        'a session timer below 90 s (TMR-1)',
        { ...recordingSession(), headers: { Require: 'siprec', 'Session-Expires': '60' } },
        422,
        ['min-se', /^90$/],
      ],
    ])('%s', async (_title, parts, status, [header, value]) => {
      const client = await bench.client(protocol);
      const response = await client.request('INVITE', parts);
      expect(response.status).toBe(status);
      expect(response.headers.get(header)).toMatch(value);
      expect(response.headers.get('server')).toBe('Sealtape/test');
      client.ack();
      expect(bench.recorder.refusals).toEqual([
        expect.objectContaining({ reason: String(status), trunk: 'loopback', callId: client.callId }),
      ]);
      expect(bench.recorder.calls).toEqual([]);
    });

    test.each([
      ['a missing Contact', { Contact: undefined }],
      ['a From without tag', { From: '<sip:a@127.0.0.1>' }],
      ['a Contact that is no address', { Contact: '*' }],
    ])('with %s gets 400', async (_title, headers) => {
      const client = await bench.client(protocol);
      expect((await client.request('INVITE', { ...recordingSession(), headers })).status).toBe(400);
      expect(bench.recorder.calls).toEqual([]);
    });

    test('from an address on no trunk gets 403', async () => {
      const other = await openBench({
        trunks: [{ name: 'elsewhere', from: ['192.0.2.0/24'], mode: 'compat' }],
      });
      try {
        const client = await other.client(protocol);
        expect((await client.request('INVITE', recordingSession())).status).toBe(403);
        expect(other.recorder.refusals).toEqual([
          { reason: '403', detail: 'source address is on no trunk', callId: client.callId },
        ]);
      } finally {
        await other.close();
      }
    });

    test.each([
      ['+sip.src alone', { headers: {} }],
      ['the option tag alone', { headers: { ...plainContact, Require: 'siprec' } }],
    ])('on a strict trunk %s gets 488 (RS-1)', async (_title, signs) => {
      const strict = await openBench({ trunks: [{ name: 'strict', from: ['127.0.0.1'], mode: 'strict' }] });
      try {
        const client = await strict.client(protocol);
        expect((await client.request('INVITE', { ...multipart(TWO_LINES, COMPLETE), ...signs })).status).toBe(
          488,
        );
      } finally {
        await strict.close();
      }
    });

    test.each([
      ['no ports left', new RecorderError('NO_PORTS', 'all in use'), 503],
      ['a full disk', new RecorderError('DISK', 'full'), 503],
      ['a recorder that is not ready any more', new RecorderError('NOT_READY', 'draining'), 503],
      ['a media side that failed', new RecorderError('MEDIA', 'gone'), 503],
      ['an error nobody foresaw', new TypeError('x is not a function'), 500],
    ])('for %s', async (_title, failure, status) => {
      bench.recorder.failure = failure;
      const client = await bench.client(protocol);
      const response = await client.request('INVITE', recordingSession());
      expect(response.status).toBe(status);
      expect([...response.headers.values()].join()).not.toContain('is not a function');
      expect(bench.recorder.refusals).toEqual([expect.objectContaining({ reason: String(status) })]);
    });

    test('because the recorder is not ready gets 503 before anything is read (UAS-19)', async () => {
      bench.recorder.ready = { ready: false, reason: 'spool disk nearly full' };
      const client = await bench.client(protocol);
      expect((await client.request('INVITE', recordingSession())).status).toBe(503);
      expect(bench.recorder.refusals).toEqual([
        expect.objectContaining({ reason: '503', detail: 'spool disk nearly full' }),
      ]);
    });
  },
);

test('100rel in Require needs nothing from us, for there is no 18x (UAS-10, UAS-11); two tags glued together are two (RS-5)', async () => {
  for (const tags of ['siprec, 100rel', '100relsiprec']) {
    const client = await bench.client();
    const session = { ...recordingSession(), headers: { Require: tags, Supported: '100rel' } };
    expect((await client.invite(session)).status).toBe(200);
    expect(client.peer.provisional.filter((status) => status > 100)).toEqual([]);
  }
});

test('very long From and To headers do not make our answers long for a drachtio-server', async () => {
  const name = 'x'.repeat(3000);
  const client = await bench.client('tcp');
  const session = recordingSession();
  const response = await client.invite({
    ...session,
    headers: { ...session.headers, From: `"${name}" <sip:a@127.0.0.1>;tag=client` },
  });
  // The SIP server gives the peer its own From back, whatever we leave out on the way to it.
  expect(response.status).toBe(200);
  expect(response.headers.get('from')).toContain(name);
  expect((await client.bye({ headers: { From: '<sip:a@127.0.0.1>;tag=client' } })).status).toBe(200);
});

describe('OPTIONS is answered as an INVITE would be (UAS-18)', () => {
  test('200 with what we can do', async () => {
    const response = await (await bench.client()).request('OPTIONS');
    expect(response.status).toBe(200);
    expect(response.headers.get('allow')).toBe('INVITE, ACK, BYE, CANCEL, UPDATE, OPTIONS, INFO');
    expect(response.headers.get('accept')).toContain('application/rs-metadata+xml');
    expect(response.headers.get('supported')).toContain('timer');
  });

  test.each<[string, (b: AnyBench) => void, RequestParts, number]>([
    ['when the recorder is not ready', (b) => (b.recorder.ready = { ready: false, reason: 'disk' }), {}, 503],
    [
      'when draining',
      (b) => {
        b.application.drain();
      },
      {},
      503,
    ],
    ['with an unknown Require tag', () => undefined, { headers: { Require: 'foo' } }, 420],
  ])('%s', async (_title, prepare, parts, status) => {
    prepare(bench);
    expect((await (await bench.client()).request('OPTIONS', parts)).status).toBe(status);
    expect(bench.recorder.refusals).toEqual([]);
  });
});

test.each(['SUBSCRIBE', 'NOTIFY', 'MESSAGE', 'REFER', 'REGISTER'])(
  '%s outside a dialog gets 405 with Allow (UAS-2)',
  async (method) => {
    const client = await bench.client();
    const response = await client.request(method, {
      headers: { Event: 'x', 'Refer-To': '<sip:x@127.0.0.1>' },
    });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toContain('INVITE');
    expect(bench.recorder.refusals).toEqual([]);
  },
);
