import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { clipOf } from '../../src/media/clip.ts';
import { memberKey } from '../../src/rules/call-to-decide.ts';
import type { GroupLogins } from '../../src/sip/group-calls.ts';
import { openAnyBench, type AnyBench } from './any-server.ts';
import { audioLine, plainSdp, sdpOf } from './recording-client.ts';

let bench: AnyBench;
const pressed: string[] = [];

/** `100` belongs to sales and nobody else. */
const logins: GroupLogins = {
  hasGroup: (group) => group === 'sales',
  press: (group, callers, key) => {
    const member = callers.map(memberKey).find((name) => name === '100');
    pressed.push(`${group} ${key} ${member ?? 'nobody'}`);
    if (member === undefined) return Promise.resolve('refused');
    return Promise.resolve(key === 'logout' ? 'logged-out' : 'logged-in');
  },
};

beforeEach(async () => {
  pressed.length = 0;
  bench = await openAnyBench({ logins });
});

afterEach(() => bench.close());

/** Calls as a phone does and hears what is played until the recorder hangs up. */
async function press(
  key: string,
  headers: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly status: number; readonly sdp: string; readonly heard: readonly Buffer[] }> {
  const socket = createSocket('udp4');
  const heard: Buffer[] = [];
  socket.on('message', (packet) => heard.push(packet));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const client = await bench.client();
  const answer = await client.request('INVITE', {
    uri: `sip:${key}@127.0.0.1`,
    headers: { Contact: `<sip:phone@${client.peer.address}>`, ...headers },
    ...plainSdp(sdpOf(audioLine('1', 'sendrecv', socket.address().port))),
  });
  if (answer.status === 200) {
    client.ack();
    const bye = await client.peer.receive(({ startLine }) => startLine.startsWith('BYE '));
    const [via, from, to, cseq] = ['via', 'from', 'to', 'cseq'].map((name) => bye.headers.get(name) ?? '');
    client.peer.send(
      `SIP/2.0 200 OK\r\nVia: ${via ?? ''}\r\nFrom: ${from ?? ''}\r\nTo: ${to ?? ''}\r\nCall-ID: ${client.callId}\r\nCSeq: ${cseq ?? ''}\r\nContent-Length: 0\r\n\r\n`,
    );
  }
  socket.close();
  return { status: answer.status, sdp: answer.body, heard };
}

test('a function key logs its user in, confirms with tones, hangs up, and leaves no recording', async () => {
  const { status, sdp, heard } = await press('sales-login', {
    'P-Asserted-Identity': '<sip:100@pbx.example>',
  });
  expect(status).toBe(200);
  expect(sdp).toMatch(/^m=audio \d+ RTP\/AVP 8\r\na=rtpmap:8 PCMA\/8000\r\n(?:.*\r\n)*a=sendonly\r\n$/m);
  expect(pressed).toEqual(['sales login 100']);
  expect(bench.recorder.calls).toEqual([]);
  expect(heard.length).toBeGreaterThan(30);
  const sequences = heard.map((packet) => packet.readUInt16BE(2));
  expect(sequences.map((each) => each - (sequences[0] ?? 0))).toEqual(sequences.map((_, at) => at));
  expect(heard.every((packet) => packet.length === 172 && (packet.readUInt8(1) & 0x7f) === 8)).toBe(true);
  // Not silence: something is heard.
  expect(new Set(heard.flatMap((packet) => [...packet.subarray(12)])).size).toBeGreaterThan(20);
});

test('where there are words for it they are heard, and tones where there are none', async () => {
  await bench.close();
  const words = Buffer.from(Array.from({ length: 800 }, (_, at) => at % 251));
  bench = await openAnyBench({
    logins,
    spoken: (what, law) => Promise.resolve(what === 'logged-in' ? clipOf(law, words) : undefined),
  });
  const payloads = ({ heard }: { readonly heard: readonly Buffer[] }): Buffer =>
    Buffer.concat(heard.map((packet) => packet.subarray(12)));
  const asserted = { 'P-Asserted-Identity': '<sip:100@pbx.example>' };
  expect(payloads(await press('sales-login', asserted)).equals(words)).toBe(true);
  expect(payloads(await press('sales-logout', asserted)).length).toBeGreaterThan(5000);
  expect(pressed).toEqual(['sales login 100', 'sales logout 100']);
});

test('the asserted identity counts before From, and From without one', async () => {
  await press('sales-toggle', { 'P-Asserted-Identity': '<tel:100>', From: '<sip:7@127.0.0.1>;tag=client' });
  await press('sales-logout', { From: '<sip:100@127.0.0.1>;tag=client' });
  const stranger = await press('sales-login', {
    'P-Asserted-Identity': '<sip:7@pbx.example>',
    From: '<sip:100@127.0.0.1>;tag=client',
  });
  expect(pressed).toEqual(['sales toggle 100', 'sales logout 100', 'sales login nobody']);
  // Who is no member hears so.
  expect(stranger.status).toBe(200);
  expect(stranger.heard.length).toBeGreaterThan(20);
});

test('an address that is no group of ours is an ordinary call, and no recording session', async () => {
  expect((await press('support-login', {})).status).toBe(488);
  expect(pressed).toEqual([]);
});
