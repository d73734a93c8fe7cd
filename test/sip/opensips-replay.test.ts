import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openBench, type Bench } from './bench.ts';
import type { Peer, Received } from './peer.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await openBench();
});

afterEach(async () => {
  await bench.close();
});

interface Captured {
  readonly method: string;
  readonly cseq: string;
  readonly callId: string;
  readonly text: string;
}

/** The requests OpenSIPS sent, in order. */
function requestsOf(name: string): readonly Captured[] {
  const file = readFileSync(
    new URL(`../../fixtures/siprec/opensips/opensips-${name}.txt`, import.meta.url),
    'utf8',
  );
  return file
    .split(/^==== /m)
    .filter((section) => /^\S+ RECEIVED/.test(section))
    .map((section) => section.slice(section.indexOf('\n') + 1))
    .filter((text) => !text.startsWith('SIP/2.0'))
    .map((text) => ({
      method: /^[A-Z]+/.exec(text)?.[0] ?? '',
      cseq: /^CSeq: (.*)$/m.exec(text)?.[1] ?? '',
      callId: /^Call-ID: (.*)$/m.exec(text)?.[1] ?? '',
      text,
    }));
}

/** Sends a captured request as if from here: our Via, the To tag we were given, CRLF, true length. */
function resend(peer: Peer, { text }: Captured, toTag: string): void {
  const blank = text.indexOf('\n\n');
  const body = text
    .slice(blank + 2)
    .replace(/(?<=--OSS-unique-boundary-42--)\s*$/, '\n')
    .replace(/^\s+$/, '')
    .replaceAll('\n', '\r\n');
  const head = text
    .slice(0, blank)
    .replace(/^Via: SIP\/2\.0\/\S+ [^;]+/m, `Via: SIP/2.0/${peer.protocol.toUpperCase()} ${peer.address}`)
    .replace(/^(To: <[^>]*>)(;tag=.*)?$/m, (_line, to: string, tag?: string) =>
      tag === undefined ? to : `${to};tag=${toTag}`,
    )
    .replace(/^Content-Length: .*$/m, `Content-Length: ${Buffer.byteLength(body)}`)
    .replaceAll('\n', '\r\n');
  peer.send(`${head}\r\n\r\n${body}`);
}

async function replay(name: string): Promise<readonly Received[]> {
  const { peer } = await bench.client(name.endsWith('tcp') ? 'tcp' : 'udp');
  const answers: Received[] = [];
  let toTag = '';
  for (const captured of requestsOf(name)) {
    resend(peer, captured, toTag);
    if (captured.method === 'ACK') continue;
    const answer = await peer.final(captured.cseq);
    toTag = /;tag=(.*)$/.exec(answer.headers.get('to') ?? '')?.[1] ?? toTag;
    answers.push(answer);
  }
  return answers;
}

const labels = (sdp: string): readonly string[] => sdp.match(/(?<=^a=label:).*$/gm) ?? [];
const directions = (sdp: string): readonly string[] => sdp.match(/^a=(?:recvonly|inactive)$/gm) ?? [];

describe('calls that OpenSIPS really made', () => {
  test.each([
    ['basic-udp', ['1', '0'], 1],
    ['basic-tcp', ['1', '0'], 1],
    ['codec-first-udp', ['1', '0'], 1],
    ['hold-udp', ['1', '0'], 3],
    ['rtpe12-basic-udp', ['0', '1'], 1],
    ['rtpe12-pause-udp', ['0', '1'], 3],
    ['rtpe12-hold-pause-udp', ['0', '1'], undefined],
  ])('%s is one recording from INVITE to BYE', async (name, order, invites) => {
    const answers = await replay(name);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const answered = answers.filter(({ body }) => body !== '');
    expect(answered.map(({ body }) => labels(body))).toEqual(answered.map(() => order));
    if (invites !== undefined) expect(answered).toHaveLength(invites);
    for (const { body } of answered) expect(body.match(/^a=fmtp:101 0-15$/gm)).toHaveLength(2);
    const { call } = bench.recorder;
    expect(await call.ended()).toEqual(['bye']);
    expect(call.offered.description).toMatchObject({
      metadataStatus: 'complete',
      caller: { name: 'Alice A', number: 'alice' },
      callee: { name: 'Bob B', number: 'bob' },
      callerLine: order.indexOf('1'),
      calleeLine: order.indexOf('0'),
    });
    expect(bench.recorder.refusals).toEqual([]);
  });

  test('a pause makes both lines inactive and a resume opens them again', async () => {
    const answers = await replay('rtpe12-pause-udp');
    expect(answers.map(({ body }) => directions(body))).toEqual([
      ['a=recvonly', 'a=recvonly'],
      ['a=inactive', 'a=inactive'],
      ['a=recvonly', 'a=recvonly'],
      [],
    ]);
  });

  test('fail-over after a 503 comes as a new call', async () => {
    const [first, second] = requestsOf('failover-503-udp').filter(({ method }) => method === 'INVITE');
    if (first === undefined || second === undefined) throw new Error('capture is shorter than expected');
    expect(first.callId).not.toBe(second.callId);
    const { peer } = await bench.client();
    bench.recorder.ready = { ready: false, reason: 'draining' };
    resend(peer, first, '');
    expect((await peer.final(first.cseq)).status).toBe(503);
    bench.recorder.ready = { ready: true };
    resend(peer, second, '');
    expect((await peer.receive(({ status }) => status === 200)).headers.get('call-id')).toBe(second.callId);
    expect(bench.recorder.refusals).toEqual([
      expect.objectContaining({ callId: first.callId, reason: '503' }),
    ]);
    expect(bench.recorder.call.offered.facts.callId).toBe(second.callId);
  });
});
