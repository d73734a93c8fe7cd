import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Peer, type Received } from '../sip/peer.ts';
import { RecordingClient, recordingSession, sdpOf } from '../sip/recording-client.ts';
import { CertificateMill } from '../support/certificates.ts';
import { ENCODERS, sendSecurely, type SecureWay } from '../support/ffmpeg-phone.ts';
import { readOgg } from '../support/ogg.ts';
import { entryTypes, ProductRoom } from '../support/product-room.ts';
import { eventually, type RecorderProcess } from '../support/recorder-process.ts';
import { sendRtp } from '../support/rtp-sender.ts';
import { recordingsIn, type SealedRecording } from '../support/sealed-recording.ts';
import { speakText } from '../support/utterance.ts';
import { readWav } from '../support/wav.ts';

const SUITE = 'AES_CM_128_HMAC_SHA1_80';
/** Octets of a WAV file before its audio. */
const HEADER = 58;

const room = new ProductRoom();
const folder = mkdtempSync(join(tmpdir(), 'foreign-'));
let mill: CertificateMill;
let recorder: RecorderProcess;
/** Speech of both sides. */
let spoken: readonly [string, string];

beforeAll(async () => {
  mill = new CertificateMill();
  const { certificate, key } = mill.issue('recorder.example', { by: mill.authority('Bank CA') });
  const said = Promise.all([
    speakText(folder, 'en+m3', 'Buy now, please.'),
    speakText(folder, 'en+f2', 'Bought and done.'),
  ]);
  recorder = await room.start({
    config: {
      sip: { listen: ['tls://127.0.0.1:0'], tls: { certificate, key } },
      trunks: [{ name: 'phones', from: ['127.0.0.1'], srtp: 'required' }],
    },
  });
  const [one, other] = await said;
  spoken = [one.path, other.path];
}, 60_000);

afterAll(async () => {
  await room.close();
  mill.remove();
  rmSync(folder, { recursive: true });
});

const connect = (): Promise<Peer> =>
  Peer.open('tls', {
    address: '127.0.0.1',
    port: Number(/tls:\/\/127\.0\.0\.1:(\d+)/.exec(recorder.output().banner)?.[1]),
  });

/** A dialog of a CUCM as its stored messages have it, on a connection of its own; `change` is done to every one of them. */
class StoredDialog {
  readonly #peer: Peer;
  readonly #change: (text: string) => string;
  #tag = '';

  constructor(peer: Peer, change: (text: string) => string = (text) => text) {
    this.#peer = peer;
    this.#change = change;
  }

  static async open(change?: (text: string) => string): Promise<StoredDialog> {
    return new StoredDialog(await connect(), change);
  }

  /** Sends a message with the To tag that the recorder gave the dialog. */
  send(name: string): void {
    const stored = readFileSync(
      new URL(`../../fixtures/siprec/cucm-bib/${name}.sip`, import.meta.url),
      'utf8',
    );
    this.#peer.send(this.#change(stored).replace(/(\r\nTo: <[^>]*>);tag=[^\r]*/, `$1;tag=${this.#tag}`));
  }

  async request(name: string, cseq: string): Promise<Received> {
    this.send(name);
    const response = await this.#peer.final(cseq);
    this.#tag = /;tag=([^;]+)/.exec(response.headers.get('to') ?? '')?.[1] ?? this.#tag;
    return response;
  }

  async hangUp(name: string): Promise<void> {
    expect((await this.request(name, '102 BYE')).status).toBe(200);
    this.#peer.close();
  }
}

const portsIn = ({ body }: Received): readonly number[] =>
  [...body.matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port));

/** The first key of a stored message. */
const keyIn = (name: string): string =>
  /^a=crypto:1 \S+ inline:(\S+)/m.exec(
    readFileSync(new URL(`../../fixtures/siprec/cucm-bib/${name}.sip`, import.meta.url), 'utf8'),
  )?.[1] ?? '';

const recordingWith = (callId: string): Promise<SealedRecording> =>
  eventually(
    () =>
      recordingsIn(recorder.archive).find(({ info }) =>
        [info.get('SIP-Call-ID'), info.get('SIP-Call-ID-2')].includes(callId),
      ),
    30_000,
  );

const within = (whole: Buffer, path: string): boolean => whole.includes(readFileSync(path));

test('a CUCM that leaves the offer to us gets one with a key of ours; the key of its phones comes in the ACK (DLG-10, SRTP-1)', async () => {
  const sides = [
    { side: 'near', file: ENCODERS.pcmu(spoken[0]) },
    { side: 'far', file: ENCODERS.pcmu(spoken[1]) },
  ];
  await Promise.all(
    sides.map(async ({ side, file }) => {
      const dialog = await StoredDialog.open();
      const ok = await dialog.request(`secure-${side}-invite`, '101 INVITE');
      expect(ok.status).toBe(200);
      expect(ok.body).toMatch(/^m=audio \d+ RTP\/SAVP 8 0 13 101\r$/m);
      expect(ok.body).toMatch(/^a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:[A-Za-z0-9+/]{40}\r$/m);
      dialog.send(`secure-${side}-ack`);
      const [port = 0] = portsIn(ok);
      await sendSecurely(file, { port, suite: SUITE, key: keyIn(`secure-${side}-ack`) });
      await dialog.hangUp(`secure-${side}-bye`);
    }),
  );
  const recording = await recordingWith('6b01d5e-near-3d@198.51.100.61');
  const channels = readWav(recording.path('.wav')).audio;
  for (const [at, { file }] of sides.entries())
    expect(within(channels[at] ?? Buffer.alloc(0), file.path)).toBe(true);
  for (const leg of ['Caller', 'Callee']) {
    expect(recording.info.get(`${leg}-Encryption`)).toBe(SUITE);
    expect(recording.info.get(`${leg}-Packets-Unauthentic`)).toBe('0');
    expect(recording.info.get(`${leg}-Verdict`)).toBe('good');
  }
}, 60_000);

test('an early offer of a CUCM is taken with its first key; ffmpeg’s G.722 is kept octet for octet (SRTP-2, SRTP-3)', async () => {
  // Another call than the one above.
  const dialog = await StoredDialog.open((text) => text.replaceAll('2771000', '2771100'));
  const file = ENCODERS.g722(spoken[0]);
  const ok = await dialog.request('early-invite', '101 INVITE');
  expect(ok.body).toMatch(/^m=audio \d+ RTP\/SAVP 9 0 8 18 101\r$/m);
  expect(ok.body.match(/^a=crypto:.*(?= inline:)/gm)).toEqual(['a=crypto:1 AES_CM_128_HMAC_SHA1_32']);
  dialog.send('early-ack');
  const suite = 'AES_CM_128_HMAC_SHA1_32';
  await sendSecurely(file, { port: portsIn(ok)[0] ?? 0, suite, key: keyIn('early-invite') });
  await dialog.hangUp('early-bye');
  const recording = await recordingWith('6b01d5f-near-3d@198.51.100.61');
  expect(recording.info.get('Caller-Encryption')).toBe(suite);
  expect(recording.info.get('Caller-Packets-Unauthentic')).toBe('0');
  expect(within(readFileSync(recording.path('_caller.wav')).subarray(HEADER), file.path)).toBe(true);
}, 60_000);

test('ffmpeg sends SRTP of its own making into two lines: Opus and G.722 are kept as it encoded them (SRTP-1)', async () => {
  const files = [ENCODERS.opus(spoken[0]), ENCODERS.g722(spoken[1])];
  const keys = [Buffer.alloc(30, 0x31), Buffer.alloc(30, 0x92)].map((key) => key.toString('base64'));
  const line = (label: number, port: number, format: string): string =>
    `m=audio ${port} RTP/SAVP ${format.split(' ')[0] ?? ''}\r\na=rtpmap:${format}\r\n` +
    `a=crypto:1 ${SUITE} inline:${keys[label - 1] ?? ''}|2^31\r\na=label:${label}\r\na=sendonly\r\n`;
  const sdp = sdpOf(line(1, 49_170, '111 opus/48000/2'), line(2, 49_172, '9 G722/8000'));
  const client = new RecordingClient(await connect());
  const ok = await client.invite(recordingSession(sdp));
  const ways = portsIn(ok).map((port, at): SecureWay => ({ port, suite: SUITE, key: keys[at] ?? '' }));
  expect(ways).toHaveLength(2);
  await Promise.all(
    files.map((file, at) => sendSecurely(file, ways[at] ?? { port: 0, suite: SUITE, key: '' })),
  );
  expect((await client.bye()).status).toBe(200);
  client.peer.close();
  const recording = await recordingWith(client.callId);
  for (const leg of ['Caller', 'Callee']) {
    expect(recording.info.get(`${leg}-Encryption`)).toBe(SUITE);
    expect(recording.info.get(`${leg}-Packets-Lost`)).toBe('0');
    // Its farewell is SRTCP.
    expect(recording.info.get(`${leg}-Reports`)).toMatch(/^[1-9]\d* received/);
  }
  const sent = Buffer.concat(readOgg(files[0]?.path ?? '').packets);
  expect(Buffer.concat(readOgg(recording.path('_caller.opus')).packets).includes(sent)).toBe(true);
  const callee = readFileSync(recording.path('_callee.wav')).subarray(HEADER);
  expect(within(callee, files[1]?.path ?? '')).toBe(true);
}, 60_000);

test('an ACK that answers our offer in clear is not heard where SRTP is required (SRTP-5)', async () => {
  const dialog = await StoredDialog.open((text) =>
    text.replaceAll('2771000', '2771200').replaceAll('9e3f7c4', 'c1ea12a').replaceAll('6b01d5e', 'c1ea12a'),
  );
  const ok = await dialog.request('secure-near-invite', '101 INVITE');
  dialog.send('near-ack');
  await sendRtp([
    { address: '127.0.0.1', port: portsIn(ok)[0] ?? 0, law: 'PCMU', audio: Buffer.alloc(8000, 0x21) },
  ]);
  await dialog.hangUp('secure-near-bye');
  // What failed stands in the evidence log, which the stop exports.
  expect(await recorder.stop()).toBe(0);
  expect(entryTypes(recorder.archive).filter((type) => type === 'failed')).toHaveLength(1);
  const known = recordingsIn(recorder.archive).map(({ info }) => info.get('SIP-Call-ID'));
  expect(known).not.toContain('c1ea12a-near-3d@198.51.100.61');
}, 60_000);
