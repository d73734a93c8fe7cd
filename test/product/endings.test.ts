import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  callTo,
  callToBeCutOff,
  CALLEE,
  CALLER,
  entriesIn,
  expectIntact,
  pause,
  ProductRoom,
} from '../support/product-room.ts';
import { eventually, filesBelow, type RecorderProcess } from '../support/recorder-process.ts';
import { awaitRecordings } from '../support/sealed-recording.ts';

const room = new ProductRoom();
/** Who calls whom; nothing of it may be in an entry. */
const NUMBERS = {
  recorded: ['+4930901820', '+4989321987'],
  declined: ['+491701234567', '+4989321988'],
  silent: ['+4930901821', '+4989321989'],
  cut: ['+4930901822', '+4989321990'],
  broken: ['+4930901823', '+4989321991'],
} as const;
const REFUSED = 4;
const CALL_IDS: string[] = [];
let archive: string;

const between = (
  [caller, callee]: readonly [string, string],
  audio = { caller: CALLER, callee: CALLEE },
) => ({
  caller: { number: caller, law: 'PCMA' as const, audio: audio.caller },
  callee: { number: callee, law: 'PCMA' as const, audio: audio.callee },
});

/** Every way a call can end: recorded, kept out by a rule, without a packet, refused, broken off by a crash. */
beforeAll(async () => {
  const config = {
    rules: {
      default: 'record',
      rules: [{ id: 'private', when: { number: ['+49170*'] }, record: false }],
    },
    evidence: { checkpointSeconds: 1 },
  };
  const first = await room.start({ config });
  ({ archive } = first);
  await callTo(first, between(NUMBERS.recorded));
  await callTo(first, between(NUMBERS.declined));
  await callTo(first, between(NUMBERS.silent, { caller: Buffer.alloc(0), callee: Buffer.alloc(0) }));
  await callTo(first, { ...between(NUMBERS.broken), metadata: 'broken' });
  await callToBeCutOff(first, between(NUMBERS.cut));
  await first.kill();
  const second = await room.start({ dataDir: first.dataDir, config });
  for (let count = 0; count < REFUSED; count++) await refusedCall(second);
  await awaitRecordings(archive, 3, 60_000);
  expect(await second.stop()).toBe(0);
}, 180_000);

afterAll(() => room.close());

/** An INVITE with a body that we cannot read: refused for good. */
async function refusedCall({ udpPort }: RecorderProcess): Promise<void> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const own = `127.0.0.1:${socket.address().port}`;
  const token = `refused-${CALL_IDS.length}`;
  CALL_IDS.push(`${token}@mueller-pbx`);
  const request = (method: string, more: readonly string[] = []): Buffer =>
    Buffer.from(
      [
        `${method} sip:srs@127.0.0.1 SIP/2.0`,
        `Via: SIP/2.0/UDP ${own};branch=z9hG4bK${token};rport`,
        `From: "Erika Mueller" <sip:+4930901899@${own}>;tag=${token}`,
        'To: <sip:srs@127.0.0.1>',
        `Call-ID: ${token}@mueller-pbx`,
        `CSeq: 1 ${method}`,
        `Contact: <sip:src@${own}>`,
        'Max-Forwards: 70',
        ...more,
        '',
        '',
      ].join('\r\n'),
    );
  const body = 'spoken words';
  const headers = ['Content-Type: text/strange', `Content-Length: ${body.length}`];
  const invite = Buffer.concat([request('INVITE', headers), Buffer.from(body)]);
  let status = 0;
  socket.on('message', (answer) => {
    status = Number(/^SIP\/2\.0 (\d+)/.exec(answer.toString())?.[1]);
  });
  socket.send(invite, udpPort, '127.0.0.1');
  await eventually(() => (status >= 200 ? true : undefined), 20_000);
  socket.send(request('ACK', ['Content-Length: 0']), udpPort, '127.0.0.1');
  expect(status).toBeGreaterThanOrEqual(400);
  await pause(50);
  socket.close();
}

const of = (type: string): ReturnType<typeof entriesIn> =>
  entriesIn(archive).filter((entry) => entry.get('type') === type);

test('every call that was opened ends in exactly one recording or failed entry, in the order of the log', () => {
  const opens = of('open').map((entry) => entry.get('index'));
  const ends = [...of('recording'), ...of('failed')].map((entry) => entry.get('open'));
  expect(opens.length).toBeGreaterThanOrEqual(4);
  expect(ends.toSorted()).toEqual(opens.toSorted());
  expect(of('failed').length).toBeGreaterThanOrEqual(1);
});

test('calls that are refused or kept out by a rule are stated with their number, the later ones of a kind together', () => {
  const counted = new Map<string, number>();
  for (const entry of of('refused')) {
    const reason = entry.get('reason') ?? '';
    counted.set(reason, (counted.get(reason) ?? 0) + Number(entry.get('count')));
  }
  expect([...counted.values()].toSorted()).toEqual([1, REFUSED].toSorted());
});

test('no entry says who called whom, from where, or under which id', () => {
  const root = join(archive, 'evidence');
  const files = filesBelow(root).filter((file) => /\/entries\/\d+\/\d+\.txt$/.test(file));
  const text = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const plain = [
    ...Object.values(NUMBERS).flat(),
    '+4930901899',
    'Mueller',
    'mueller',
    '127.0.0.1',
    ...CALL_IDS,
  ];
  const forms = plain.flatMap((value) => [value, value.replace('+', ''), encodeURIComponent(value)]);
  const hidden = forms.flatMap((value) => {
    const hash = createHash('sha256').update(value);
    const copy = hash.copy();
    return [
      hash.digest('hex'),
      copy.digest('base64'),
      Buffer.from(value).toString('base64').replace(/=+$/, ''),
    ];
  });
  expect([...forms, ...hidden].filter((value) => text.toLowerCase().includes(value.toLowerCase()))).toEqual(
    [],
  );
});

test('and the whole verifies', () => {
  expectIntact(archive);
});
