import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openBench } from './bench.ts';
import { openAnyBench, type AnyBench } from './any-server.ts';
import {
  audioLine,
  COMPLETE,
  multipart,
  plainMetadata,
  plainSdp,
  recordingSession,
  sdpOf,
  TRANSFER,
  TWO_LINES,
} from './recording-client.ts';

let bench: AnyBench;

beforeEach(async () => {
  bench = await openAnyBench();
});

afterEach(async () => {
  await bench.close();
});

const directions = (sdp: string): readonly string[] => sdp.match(/^a=(?:recvonly|inactive)$/gm) ?? [];
const version = (sdp: string): string => /^o=\S+ \d+ (\d+) /m.exec(sdp)?.[1] ?? '';

describe('a recorded call', () => {
  test.each(['udp', 'tcp'] as const)(
    'is answered with plain SDP, acknowledged and ended over %s (UAS-13, UAS-14, UAS-15, UAS-16)',
    async (protocol) => {
      const client = await bench.client(protocol);
      const ok = await client.invite();
      expect(ok.status).toBe(200);
      expect(ok.headers.get('content-type')).toBe('application/sdp');
      expect(ok.headers.get('contact')).toMatch(
        protocol === 'tcp'
          ? /^<sip:srs@127\.0\.0\.1:\d+;transport=tcp>;\+sip\.srs$/
          : /^<sip:srs@127\.0\.0\.1:\d+>;\+sip\.srs$/,
      );
      expect(ok.headers.get('server')).toBe('Sealtape/test');
      expect(ok.headers.get('allow')).toContain('UPDATE');
      expect(ok.headers.get('supported')).toContain('timer');
      expect(ok.headers.get('accept')).toContain('application/rs-metadata+xml');
      expect(ok.headers.has('require')).toBe(false);
      expect(ok.body.split('\r\n').slice(2)).toEqual([
        's=-',
        'c=IN IP4 127.0.0.1',
        't=0 0',
        ...['1', '2'].flatMap((label, index) => [
          `m=audio ${20_000 + 2 * index} RTP/AVP 8 101`,
          'a=rtpmap:8 PCMA/8000',
          'a=rtpmap:101 telephone-event/8000',
          'a=fmtp:101 0-15',
          `a=label:${label}`,
          'a=recvonly',
        ]),
        '',
      ]);
      const { call } = bench.recorder;
      await call.until(({ notes }) => notes.includes('acknowledged'));
      expect(bench.application.calls).toBe(1);
      expect((await client.bye()).status).toBe(200);
      expect(await call.ended()).toEqual(['bye']);
      expect(bench.application.calls).toBe(0);
      expect(bench.recorder.refusals).toEqual([]);
    },
  );

  test('tells the recorder where it comes from and who speaks', async () => {
    const client = await bench.client();
    await client.invite();
    const { facts, description, localAddress } = bench.recorder.call.offered;
    expect(facts).toEqual({
      callId: client.callId,
      trunk: 'loopback',
      transport: 'udp',
      remoteAddress: '127.0.0.1',
      remotePort: Number(client.peer.address.split(':')[1]),
      pbxSoftware: 'test-client/1.0',
    });
    expect(localAddress).toBe('127.0.0.1');
    expect(description).toMatchObject({
      metadataStatus: 'complete',
      caller: { number: 'anna' },
      callee: { number: 'bert' },
      callerLine: 0,
      calleeLine: 1,
    });
  });

  test('is recorded without metadata, named by its From header', async () => {
    const client = await bench.client();
    const ok = await client.invite({ headers: { Require: 'siprec' }, ...plainSdp(TWO_LINES) });
    expect(ok.status).toBe(200);
    expect(bench.recorder.call.offered.description).toMatchObject({
      metadataStatus: 'absent',
      caller: { name: 'Client', number: '+15550100', source: 'From header of the recording session' },
    });
  });

  test('is recorded though its metadata cannot be read (META-7)', async () => {
    const client = await bench.client();
    const ok = await client.invite(recordingSession(TWO_LINES, COMPLETE.replace('</participant>', '')));
    expect(ok.status).toBe(200);
    const { description } = bench.recorder.call.offered;
    expect(description.metadataStatus).toBe('invalid');
    expect(description.warnings).toEqual([expect.stringContaining('metadata unreadable')]);
  });

  test('takes the audio lines and rejects the others with port 0 (SDP-2, RTP-13)', async () => {
    const client = await bench.client();
    const ok = await client.invite(
      recordingSession(sdpOf('m=video 5000 RTP/AVP 96\r\na=label:9\r\n', audioLine('1'), audioLine('2'))),
    );
    expect(ok.body.match(/^m=.*$/gm)).toEqual([
      'm=video 0 RTP/AVP 96',
      'm=audio 20002 RTP/AVP 8 101',
      'm=audio 20004 RTP/AVP 8 101',
    ]);
  });

  test.each([
    ['chosen by nobody', '1800', 'timer', '1800;refresher=uac'],
    ['chosen by the client', '1800;refresher=uac', 'siprec, timer', '1800;refresher=uac'],
    ['left to us, which the SIP server takes over', '1800;refresher=uas', 'timer', '1800;refresher=uas'],
    ['of a client without timers (TMR-4)', '1800', 'siprec', undefined],
  ])('answers a session timer %s (TMR-2, TMR-3)', async (_title, expires, supported, answered) => {
    const client = await bench.client();
    const session = recordingSession();
    const ok = await client.invite({
      ...session,
      headers: { ...session.headers, 'Session-Expires': expires, Supported: supported },
    });
    expect(ok.headers.get('session-expires')).toBe(answered);
    expect(ok.headers.get('require')).toBe(answered?.endsWith('uac') === true ? 'timer' : undefined);
  });

  test.each([
    ['203.0.113.5', 'c=IN IP4 203.0.113.5', '127.0.0.1'],
    ['2001:db8::5', 'c=IN IP6 2001:db8::5', '2001:db8::5'],
  ])(
    'uses the configured media address %s; the ports are of its family',
    async (mediaAddress, line, bound) => {
      const other = await openBench({ mediaAddress });
      try {
        const ok = await (await other.client()).invite();
        expect(ok.body).toContain(line);
        expect(other.recorder.call.offered.localAddress).toBe(bound);
      } finally {
        await other.close();
      }
    },
  );
});

test.each(['udp', 'tcp'] as const)('a call over IPv6 and %s gets an IPv6 answer', async (protocol) => {
  const six = await openBench(
    { trunks: [{ name: 'six', from: ['::1/128'], mode: 'compat' }] },
    { listen: ['udp://[::1]:0', 'tcp://[::1]:0'] },
  );
  try {
    const client = await six.client(protocol);
    const ok = await client.invite();
    expect(ok.headers.get('contact')).toMatch(/^<sip:srs@\[::1\]:\d+(?:;transport=tcp)?>;\+sip\.srs$/);
    expect(ok.body).toContain('c=IN IP6 ::1\r\n');
    expect(six.recorder.call.offered).toMatchObject({
      localAddress: '::1',
      facts: { remoteAddress: '::1', trunk: 'six' },
    });
    expect((await client.bye()).status).toBe(200);
  } finally {
    await six.close();
  }
});

describe('a change during the call', () => {
  test('hold and resume keep the ports and raise the version (SDP-3, SDP-4, SDP-11, PAUSE-1)', async () => {
    const client = await bench.client();
    const first = await client.invite();
    const answers = [first.body];
    for (const direction of ['inactive', 'inactive', 'sendonly']) {
      const sdp = sdpOf(audioLine('1', direction), audioLine('2', direction, 49_172));
      const ok = await client.invite({ ...multipart(sdp, COMPLETE) });
      expect(ok.headers.get('contact')).toContain('+sip.srs');
      answers.push(ok.body);
    }
    expect(answers.map(directions)).toEqual([
      ['a=recvonly', 'a=recvonly'],
      ['a=inactive', 'a=inactive'],
      ['a=inactive', 'a=inactive'],
      ['a=recvonly', 'a=recvonly'],
    ]);
    expect(answers.map(version)).toEqual(['1', '2', '2', '3']);
    expect(new Set(answers.map((sdp) => sdp.match(/^m=audio \d+/gm)?.join())).size).toBe(1);
    expect(bench.recorder.call.offers).toHaveLength(3);
    expect(bench.recorder.calls).toHaveLength(1);
  });

  test('the same offer again is answered the same (SDP-13)', async () => {
    const client = await bench.client();
    const first = await client.invite();
    const again = await client.invite();
    expect(again.body).toBe(first.body);
  });

  test('a new line gets a port and an answer (SDP-21)', async () => {
    const client = await bench.client();
    await client.invite();
    const ok = await client.invite(plainSdp(`${TWO_LINES}${audioLine('3', 'sendonly', 49_174)}`));
    expect(ok.body.match(/^m=audio \d+|^a=label.*$/gm)).toEqual([
      'm=audio 20000',
      'a=label:1',
      'm=audio 20002',
      'a=label:2',
      'm=audio 20004',
      'a=label:3',
    ]);
  });

  test('a line the client switches off is answered with port 0 and comes back on its port (SDP-1)', async () => {
    const client = await bench.client();
    await client.invite();
    const off = await client.invite(plainSdp(sdpOf(audioLine('1'), audioLine('2', 'sendonly', 0))));
    expect(off.body.match(/^m=audio \d+/gm)).toEqual(['m=audio 20000', 'm=audio 0']);
    const on = await client.invite(plainSdp(TWO_LINES));
    expect(on.body.match(/^m=audio \d+/gm)).toEqual(['m=audio 20000', 'm=audio 20002']);
  });

  test('overlapping re-INVITEs are answered one after the other', async () => {
    const client = await bench.client('tcp');
    await client.invite();
    const hold = client.compose(
      'INVITE',
      multipart(sdpOf(audioLine('1', 'inactive'), audioLine('2', 'inactive')), COMPLETE),
    );
    const resume = client.compose('INVITE', multipart(TWO_LINES, COMPLETE));
    client.peer.send(hold);
    expect((await client.peer.final('2 INVITE')).status).toBe(200);
    // The first is never acknowledged, as OpenSIPS does it.
    client.peer.send(resume);
    const ok = await client.peer.final('3 INVITE');
    expect([ok.status, directions(ok.body)]).toEqual([200, ['a=recvonly', 'a=recvonly']]);
    expect(bench.recorder.call.ends).toEqual([]);
  });

  test('a re-INVITE without SDP is answered with what was agreed (DLG-9)', async () => {
    const client = await bench.client();
    const first = await client.invite();
    const ok = await client.invite({});
    expect([ok.status, ok.body]).toEqual([200, first.body]);
    expect(bench.recorder.call.offers).toEqual([]);
  });

  test('one that cannot be met is refused and the call goes on as it was (UAS-1)', async () => {
    const client = await bench.client();
    const first = await client.invite();
    const no = await client.request(
      'INVITE',
      plainSdp(sdpOf('m=audio 4 RTP/AVP 13\r\n', 'm=audio 6 RTP/AVP 13\r\n')),
    );
    expect(no.status).toBe(488);
    expect(no.headers.get('warning')).toMatch(/^399 127\.0\.0\.1 "m-line 1: no voice/);
    client.ack();
    expect(bench.recorder.call.notes).toContain('re-offer refused');
    expect(bench.recorder.refusals).toEqual([]);
    expect((await client.invite(plainSdp(TWO_LINES))).body).toBe(first.body);
  });

  test('UPDATE with metadata alone describes the call anew (META-12)', async () => {
    const client = await bench.client();
    await client.invite();
    const ok = await client.request('UPDATE', plainMetadata(TRANSFER));
    expect([ok.status, ok.body]).toEqual([200, '']);
    expect(bench.recorder.call.descriptions).toEqual([
      expect.objectContaining({
        caller: expect.objectContaining({ number: 'anna' }),
        callee: expect.objectContaining({ number: 'carl' }),
      }),
    ]);
  });

  test('UPDATE with SDP is answered with SDP, one without a body without', async () => {
    const client = await bench.client();
    await client.invite();
    const held = await client.request(
      'UPDATE',
      plainSdp(sdpOf(audioLine('1', 'inactive'), audioLine('2', 'inactive'))),
    );
    expect(directions(held.body)).toEqual(['a=inactive', 'a=inactive']);
    expect(held.headers.get('contact')).toContain('+sip.srs');
    const refresh = await client.request('UPDATE');
    expect([refresh.status, refresh.body]).toEqual([200, '']);
  });

  test('broken metadata in a re-INVITE is flagged and what was known is kept', async () => {
    const client = await bench.client();
    await client.invite();
    const ok = await client.invite(multipart(TWO_LINES, '<recording>'));
    expect(ok.status).toBe(200);
    expect(bench.recorder.call.descriptions).toEqual([
      expect.objectContaining({
        metadataStatus: 'invalid',
        caller: expect.objectContaining({ number: 'anna' }),
      }),
    ]);
  });

  test.each([
    ['an unknown extension', { Require: 'foo' }, 420],
    ['a session timer that is too short', { 'Session-Expires': '60' }, 422],
  ])('with %s is refused', async (_title, headers, status) => {
    const client = await bench.client();
    await client.invite();
    expect((await client.request('INVITE', { headers, ...plainSdp(TWO_LINES) })).status).toBe(status);
  });
});

describe('other requests in the dialog', () => {
  test.each([
    ['INFO', 200],
    ['OPTIONS', 200],
    ['REFER', 405],
    ['MESSAGE', 405],
    ['NOTIFY', 405],
    ['SUBSCRIBE', 405],
  ])('%s is answered %d (UAS-2)', async (method, status) => {
    const client = await bench.client();
    await client.invite();
    const response = await client.request(method, {
      headers: { 'Refer-To': '<sip:x@127.0.0.1>', Event: 'x' },
    });
    expect(response.status).toBe(status);
    if (status === 405) expect(response.headers.get('allow')).toContain('INVITE');
    expect(bench.recorder.call.ends).toEqual([]);
  });
});

describe('the end of a call', () => {
  test('metadata in the BYE is taken before the recording ends', async () => {
    const client = await bench.client();
    await client.invite();
    const { call } = bench.recorder;
    expect((await client.bye(plainMetadata(TRANSFER))).status).toBe(200);
    expect(await call.ended()).toEqual(['bye']);
    expect(call.descriptions).toEqual([
      expect.objectContaining({ callee: expect.objectContaining({ number: 'carl' }) }),
    ]);
  });

  test('a body in the BYE that cannot be read changes nothing', async () => {
    const client = await bench.client();
    await client.invite();
    await client.bye({ type: 'multipart/mixed', body: 'x' });
    const { call } = bench.recorder;
    expect(await call.ended()).toEqual(['bye']);
    expect(call.notes).toContain('body ignored');
  });

  test('a BYE waits for the re-INVITE before it', async () => {
    const client = await bench.client('tcp');
    await client.invite();
    const { call } = bench.recorder;
    let open = (): void => undefined;
    call.gate = new Promise((resolve) => {
      open = resolve;
    });
    client.peer.send(client.compose('INVITE', plainSdp(TWO_LINES)));
    expect((await client.bye()).status).toBe(200);
    expect(call.ends).toEqual([]);
    open();
    expect(await call.ended()).toEqual(['bye']);
    expect(call.offers).toHaveLength(1);
  });

  test('a CANCEL before the answer gives 487 and ends the recording as cancelled (UAS-17)', async () => {
    const client = await bench.client();
    let open = (): void => undefined;
    bench.recorder.gate = new Promise((resolve) => {
      open = resolve;
    });
    const offered = bench.recorder.offered();
    const via = `SIP/2.0/UDP ${client.peer.address};branch=z9hG4bK${client.callId}`;
    const session = recordingSession();
    client.peer.send(client.compose('INVITE', { ...session, headers: { ...session.headers, Via: via } }));
    await offered;
    client.peer.send(client.compose('CANCEL', { headers: { Via: via } }));
    expect((await client.peer.final('1 CANCEL')).status).toBe(200);
    expect((await client.peer.final('1 INVITE')).status).toBe(487);
    open();
    await new Promise(setImmediate);
    expect(await bench.recorder.call.ended()).toEqual(['cancelled']);
    expect(bench.recorder.refusals).toEqual([]);
    expect(bench.application.calls).toBe(0);
  });

  test('a BYE in the same segment as the ACK is seen', async () => {
    const client = await bench.client('tcp');
    const ok = await client.request('INVITE', recordingSession());
    expect(ok.status).toBe(200);
    client.peer.send(client.compose('ACK') + client.compose('BYE'));
    expect((await client.peer.final('2 BYE')).status).toBe(200);
    expect(await bench.recorder.call.ended()).toEqual(['bye']);
  });

  test('without an ACK the SIP server ends it and the recording is interrupted (UAS-12)', async () => {
    const quick = await openBench({}, { timers: { t1: 5, t2: 20 } });
    try {
      const client = await quick.client();
      await client.request('INVITE', recordingSession());
      expect(await quick.recorder.call.ended()).toEqual(['no-ack']);
    } finally {
      await quick.close();
    }
  });
});
