import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CallOptions, CallReport } from '../../src/client/call.ts';
import { runCallCommand } from '../../src/client/call-command.ts';
import { DerivedKeys } from '../../src/media/srtp/session-keys.ts';
import { suiteOf, type SuiteName } from '../../src/media/srtp/suites.ts';
import { CertificateMill } from '../support/certificates.ts';
import { awaitRecording, callTo, CALLEE, CALLER, entryTypes, ProductRoom } from '../support/product-room.ts';
import { eventually, type RecorderProcess } from '../support/recorder-process.ts';
import { awaitRecordings, findOctets, recordingsIn, verifyNode } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

const SUITE = 'AES_CM_128_HMAC_SHA1_80';

const room = new ProductRoom();
let mill: CertificateMill;
let recorder: RecorderProcess;
/** SIP Call-ID of the call that nobody could hear. */
let wrongCall = '';
/** And of one with a forged certificate. */
let forgedCall = '';

beforeAll(async () => {
  mill = new CertificateMill();
  const { certificate, key } = mill.issue('recorder.example', { by: mill.authority('Bank CA') });
  recorder = await room.start({
    config: {
      sip: { listen: ['tls://127.0.0.1:0', 'udp://127.0.0.1:0'], tls: { certificate, key } },
      trunks: [
        { name: 'must', from: ['127.0.0.1'], srtp: 'required' },
        { name: 'may', from: ['127.0.0.2'], srtpWithoutTls: true },
        { name: 'never', from: ['127.0.0.3'], srtp: 'off' },
      ],
      log: { level: 'debug' },
    },
  });
});

afterAll(async () => {
  await room.close();
  mill.remove();
});

const tlsPort = (): number => Number(/tls:\/\/127\.0\.0\.1:(\d+)/.exec(recorder.output().banner)?.[1]);

const overTls = (change: Partial<CallOptions>): Promise<CallReport> =>
  callTo(recorder, { to: `sip:127.0.0.1:${tlsPort()};transport=tls`, tls: { insecure: true }, ...change });

/** Both channels of a recording begin with what was said, octet for octet, and the file names the suite. */
async function expectRecorded(report: CallReport, suite: string): Promise<void> {
  const recording = await awaitRecording(recorder.archive, report, 30_000);
  const { info } = recording;
  expect(info.get('Caller-Encryption')).toBe(suite);
  expect(info.get('Callee-Encryption')).toBe(suite);
  expect(info.get('Caller-Packets-Lost')).toBe('0');
  if (suite !== 'none') expect(info.get('Caller-Packets-Unauthentic')).toBe('0');
  const channels = readWav(recording.path('.wav')).audio;
  for (const [channel, said] of [CALLER, CALLEE].entries())
    expect(
      findOctets(channels[channel] ?? Buffer.alloc(0), Buffer.from(said), 'PCMA'),
    ).toBeGreaterThanOrEqual(0);
}

test('calls over TLS are recorded octet for octet under every kind of suite (SRTP-1, SRTP-3), and their keys are nowhere', async () => {
  const suites = [SUITE, 'AES_CM_128_HMAC_SHA1_32', 'AES_256_CM_HMAC_SHA1_80', 'AEAD_AES_256_GCM'] as const;
  const keys: (readonly [SuiteName, Buffer])[] = [];
  const reports = await Promise.all(
    suites.map((suite) =>
      overTls({ encryption: { suite, onKey: (key) => keys.push([suite, Buffer.from(key)]) } }),
    ),
  );
  for (const [at, suite] of suites.entries()) {
    const report = reports[at];
    if (report === undefined) throw new Error('as many reports as suites');
    await expectRecorded(report, suite);
  }
  // Two of each leg: the client's and the recorder's.
  expect(keys).toHaveLength(suites.length * 4);
  const places = [
    ...filesOf(recorder.dataDir),
    Buffer.from(recorder.output().log + recorder.output().banner),
  ];
  expect(places.length).toBeGreaterThan(20);
  for (const [suite, master] of keys) {
    const { rtp, rtcp } = new DerivedKeys(suiteOf(suite), master);
    const { keyBytes } = suiteOf(suite);
    const needles = [master, master.subarray(0, keyBytes), rtp.key, rtcp.key].flatMap((key) => [
      key,
      Buffer.from(key.toString('base64').replace(/=+$/, '').slice(0, -1)),
      Buffer.from(key.toString('hex')),
      Buffer.from(key.toString('hex').toUpperCase()),
    ]);
    for (const place of places) expect(needles.some((needle) => place.includes(needle))).toBe(false);
  }
}, 120_000);

const filesOf = (folder: string): readonly Buffer[] =>
  readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .flatMap((path) => {
      try {
        return statSync(path).isFile() ? [readFileSync(path)] : [];
      } catch (error) {
        // Deliveries rename their files while we look; under its new name the next look finds it.
        if ((error as { readonly code?: string }).code === 'ENOENT') return [];
        throw error;
      }
    });

test('what no key of the call opens is counted and never heard', async () => {
  const report = await overTls({ encryption: { suite: SUITE, wrongKey: true } });
  wrongCall = report.callId;
  const metrics = await (await fetch(`${recorder.web}/metrics`)).text();
  const unauthentic = Number(/^sealtape_srtp_packets_unauthentic_total (\d+)/m.exec(metrics)?.[1]);
  expect(unauthentic).toBeGreaterThan(100);
}, 60_000);

test('a key that changes in a re-INVITE loses nothing (SRTP-4)', async () => {
  const report = await overTls({
    encryption: { suite: SUITE, rekey: true },
    hold: { at: 300, until: 600 },
  });
  const { info } = await awaitRecording(recorder.archive, report, 30_000);
  expect(info.get('Caller-Packets-Unauthentic')).toBe('0');
  expect(info.get('Caller-Packets-Received')).toBe(String(report.legs[0]?.packets));
  expect(report.legs[0]?.packets).toBeGreaterThan(40);
}, 60_000);

test('a trunk that requires SRTP turns plain calls away, and keys that everybody can read (SRTP-5)', async () => {
  await expect(overTls({})).rejects.toMatchObject({ code: 'REFUSED', status: 488 });
  await expect(callTo(recorder, { encryption: { suite: SUITE } })).rejects.toMatchObject({ status: 488 });
  await expect(overTls({ from: '127.0.0.3', encryption: { suite: SUITE } })).rejects.toMatchObject({
    status: 488,
  });
}, 60_000);

test('SRTP where it can be had: taken where the trunk allows it, plain where it is off (SRTP-7)', async () => {
  const encryption = { suite: 'AEAD_AES_128_GCM', optional: true } as const;
  const [may, never, plain] = await Promise.all([
    callTo(recorder, { from: '127.0.0.2', encryption }),
    callTo(recorder, { from: '127.0.0.3', encryption }),
    callTo(recorder, { from: '127.0.0.2' }),
  ]);
  await expectRecorded(may, 'AEAD_AES_128_GCM');
  await expectRecorded(never, 'none');
  await expectRecorded(plain, 'none');
}, 60_000);

test('DTLS-SRTP: either end begins, octet for octet, and what was agreed on is written nowhere (SRTP-6)', async () => {
  const keys: Buffer[] = [];
  const onKey = (key: Buffer): void => void keys.push(key);
  const reports = await Promise.all(
    (['actpass', 'active', 'passive'] as const).map((setup) =>
      overTls({ encryption: { dtls: true, setup, onKey } }),
    ),
  );
  for (const [at, role] of ['passive', 'passive', 'active'].entries()) {
    const report = reports[at];
    if (report === undefined) throw new Error('as many reports as calls');
    await expectRecorded(report, 'AEAD_AES_256_GCM');
    const { info } = await awaitRecording(recorder.archive, report, 30_000);
    expect(info.get('Caller-Key-Exchange')).toMatch(new RegExp(`^DTLS, ${role}, keys after \\d+ ms$`));
    expect(info.get('Callee-Packets-Before-Keys')).toBe('0');
  }
  // Two directions of two legs of three calls.
  expect(keys).toHaveLength(12);
  const places = [...filesOf(recorder.dataDir), Buffer.from(recorder.output().log)];
  for (const key of keys) {
    const needles = [key, Buffer.from(key.toString('hex')), Buffer.from(key.toString('base64').slice(0, -2))];
    for (const place of places) expect(needles.some((needle) => place.includes(needle))).toBe(false);
  }
}, 120_000);

test('a certificate that the offer did not announce: nothing is heard, and other calls go on', async () => {
  const [forged] = await Promise.all([
    overTls({ encryption: { dtls: true, wrongCertificate: true } }),
    overTls({ encryption: { dtls: true } }).then((report) => expectRecorded(report, 'AEAD_AES_256_GCM')),
  ]);
  forgedCall = forged.callId;
  const metrics = await (await fetch(`${recorder.web}/metrics`)).text();
  expect(Number(/^sealtape_dtls_handshakes_failed_total (\d+)/m.exec(metrics)?.[1])).toBe(2);
}, 60_000);

test('a trunk without SRTP and one without TLS turn DTLS away', async () => {
  const encryption = { dtls: true } as const;
  await expect(overTls({ from: '127.0.0.3', encryption })).rejects.toMatchObject({ status: 488 });
  await expect(callTo(recorder, { encryption })).rejects.toMatchObject({ status: 488 });
}, 60_000);

test('sealtape call --srtp is what a person tries it with; the archive is whole afterwards', async () => {
  const lines: string[] = [];
  const to = `sip:127.0.0.1:${tlsPort()}`;
  const args = ['--to', to, '--transport', 'tls', '--insecure', '--seconds', '1', '--srtp'];
  expect(await runCallCommand(args, (line) => lines.push(line))).toBe(0);
  expect(lines.join('\n')).toMatch(/Leg 1 \+49301234567 \(PCMA, AES_CM_128_HMAC_SHA1_80\): 50 packets/);
  expect(await runCallCommand([...args, 'ROT13'], () => undefined)).toBe(2);
  const handshake = [...args.slice(0, -1), '--dtls'];
  lines.length = 0;
  expect(await runCallCommand(handshake, (line) => lines.push(line))).toBe(0);
  expect(lines.join('\n')).toMatch(/Leg 2 \+4989555010 \(PCMA, AEAD_AES_256_GCM\): 50 packets/);
  expect(await runCallCommand([...args, '--dtls'], () => undefined)).toBe(2);
  const told = /DTLS handshake failed: the certificate of \S+ is not the one that the signalling announced/;
  const rung = /alarm: \d DTLS handshakes failed/;
  await eventually(() => [told, rung].every((line) => line.test(recorder.output().log)) || undefined, 30_000);
  // What the stop has no time to deliver would be missing in the archive.
  await awaitRecordings(recorder.archive, 14, 30_000);
  expect(await recorder.stop()).toBe(0);
  expect(verifyNode(recorder.archive).status).toBe(0);
  expect(recordingsIn(recorder.archive).map(({ info }) => info.get('SIP-Call-ID'))).not.toContain(wrongCall);
  expect(recordingsIn(recorder.archive).map(({ info }) => info.get('SIP-Call-ID'))).not.toContain(forgedCall);
  expect(entryTypes(recorder.archive)).toContain('failed');
}, 60_000);
