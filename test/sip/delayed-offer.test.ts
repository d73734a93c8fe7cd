import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openAnyBench, type AnyBench } from './any-server.ts';
import type { FakeCall } from './fake-recorder.ts';
import {
  audioLine,
  COMPLETE,
  plainMetadata,
  plainSdp,
  recordingSession,
  sdpOf,
  TWO_LINES,
  type RecordingClient,
} from './recording-client.ts';
import type { Received } from './peer.ts';

let bench: AnyBench;

beforeEach(async () => {
  bench = await openAnyBench();
});

afterEach(async () => {
  await bench.close();
});

const NEAR =
  '<sip:1001@cucm.example;x-nearend;x-refci=27710001;x-nearendclusterid=ExampleCluster;x-nearenddevice=SEP001;' +
  'x-nearendaddr=1001;x-farendrefci=27710002;x-farendclusterid=ExampleCluster;x-farenddevice=SEP002;x-farendaddr=+15550199>;tag=client';

/** The INVITE of a built-in bridge: no body, no siprec, everything in the From URI. */
const nearEnd = { headers: { From: NEAR, Contact: '<sip:cucm@127.0.0.1:5060>;isFocus' } };

const ANSWER =
  'v=0\r\no=phone 1 1 IN IP4 203.0.113.7\r\ns=-\r\nc=IN IP4 203.0.113.7\r\nt=0 0\r\n' +
  'm=audio 24000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=sendonly\r\n';

async function begin(): Promise<{ client: RecordingClient; ok: Received; call: FakeCall }> {
  const client = await bench.client();
  const ok = await client.request('INVITE', nearEnd);
  return { client, ok, call: bench.recorder.call };
}

describe('an INVITE without SDP (DLG-10)', () => {
  test('gets our offer: one line that only receives, with all that can be recorded', async () => {
    const { ok, call } = await begin();
    expect(ok.status).toBe(200);
    expect(ok.headers.get('content-type')).toBe('application/sdp');
    expect(ok.body.split('\r\n').slice(2)).toEqual([
      's=-',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      'm=audio 20000 RTP/AVP 8 0 13 101',
      'a=rtpmap:8 PCMA/8000',
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:13 CN/8000',
      'a=rtpmap:101 telephone-event/8000',
      'a=fmtp:101 0-15',
      'a=label:1',
      'a=recvonly',
      '',
    ]);
    expect(call.offered.description).toMatchObject({
      profile: 'cucm-bib',
      profileSource: 'recognised by From x-nearend',
      user: { value: '1001', source: 'From x-nearendaddr (near end; who called is not signalled)' },
      pair: { side: 'near' },
    });
  });

  test('is recorded as the ACK answers: address, formats and direction are the client’s', async () => {
    const { client, call } = await begin();
    client.ack({ headers: { From: NEAR }, ...plainSdp(ANSWER) });
    await call.until(({ offers }) => offers.length === 1);
    expect(call.offers[0]?.lines).toMatchObject([
      { index: 0, label: '1', port: 24_000, address: '203.0.113.7', direction: 'sendonly' },
    ]);
    // 101 was answered without an rtpmap and means what we offered it for.
    expect(call.offers[0]?.lines[0]?.formats.map(({ encoding }) => encoding)).toEqual([
      'PCMA',
      'TELEPHONE-EVENT',
    ]);
    expect((await client.bye({ headers: { From: NEAR } })).status).toBe(200);
    expect(await call.ended()).toEqual(['bye']);
  });

  test.each([
    ['no body', {}, 'no answer to our offer'],
    ['a body that cannot be read', plainSdp('hello'), 'answer to our offer ignored'],
  ])('is recorded as offered though the ACK has %s', async (_title, parts, note) => {
    const { client, call } = await begin();
    client.ack({ headers: { From: NEAR }, ...parts });
    await call.until(({ notes }) => notes.includes(note));
    expect(call.offers).toEqual([]);
    expect(call.ends).toEqual([]);
  });

  test('a later re-INVITE with SDP is an offer like any other', async () => {
    const { client, call } = await begin();
    client.ack({ headers: { From: NEAR }, ...plainSdp(ANSWER) });
    await call.until(({ offers }) => offers.length === 1);
    const again = await client.request('INVITE', {
      headers: { From: NEAR },
      ...plainSdp(sdpOf(audioLine('1', 'inactive'))),
    });
    expect(again.body).toContain('a=inactive');
    expect(again.body).toContain('m=audio 20000 ');
  });

  test('metadata without SDP is recorded too', async () => {
    const client = await bench.client();
    const ok = await client.invite({ headers: { Require: 'siprec' }, ...plainMetadata(COMPLETE) });
    expect(ok.status).toBe(200);
    expect(bench.recorder.call.offered.description).toMatchObject({
      caller: { number: 'anna' },
      metadataStatus: 'complete',
    });
  });
});

describe('a re-INVITE without SDP (DLG-9)', () => {
  test('gets the same m-lines again and no others (SDP-18); the answer in its ACK counts', async () => {
    const client = await bench.client();
    const first = await client.invite(recordingSession());
    const again = await client.request('INVITE', {});
    expect(again.body).toBe(first.body);
    client.ack(plainSdp(sdpOf(audioLine('1'), audioLine('2', 'inactive'))));
    const { call } = bench.recorder;
    await call.until(({ offers }) => offers.length === 1);
    expect(call.offers[0]?.lines.map(({ label, direction }) => [label, direction])).toEqual([
      ['1', 'sendonly'],
      ['2', 'inactive'],
    ]);
  });

  test('an ACK to an answer of ours is no answer', async () => {
    const client = await bench.client();
    await client.request('INVITE', recordingSession());
    client.ack(plainSdp(TWO_LINES));
    const { call } = bench.recorder;
    await call.until(({ notes }) => notes.includes('acknowledged'));
    await client.bye();
    await call.ended();
    expect(call.offers).toEqual([]);
  });
});
