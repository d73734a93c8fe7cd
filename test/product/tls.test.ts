import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { rmSync } from 'node:fs';
import { runCallCommand } from '../../src/client/call-command.ts';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { Peer } from '../sip/peer.ts';
import { RecordingClient, recordingSession } from '../sip/recording-client.ts';
import { CertificateMill, type IssuedCertificate } from '../support/certificates.ts';
import { startRecorder, type RecorderProcess } from '../support/recorder-process.ts';
import { sendRtp } from '../support/rtp-sender.ts';
import { awaitRecordings, findOctets, verifyNode } from '../support/sealed-recording.ts';
import { readWav } from '../support/wav.ts';

let mill: CertificateMill;
let authority: IssuedCertificate;
let recorder: RecorderProcess;

beforeAll(async () => {
  mill = new CertificateMill();
  authority = mill.authority('Bank CA');
  const { certificate, key } = mill.issue('recorder.example', { by: authority });
  recorder = await startRecorder({
    config: {
      sip: {
        listen: ['tls://127.0.0.1:0', 'udp://127.0.0.1:0'],
        tls: { certificate, key, clientCa: authority.certificate },
      },
      trunks: [{ name: 'bank', from: ['127.0.0.1'], tls: { clientCa: 'required', names: ['sbc.example'] } }],
    },
  });
});

afterAll(async () => {
  await recorder.kill();
  rmSync(recorder.dataDir, { recursive: true });
  mill.remove();
});

const tlsPort = (): number => Number(/tls:\/\/127\.0\.0\.1:(\d+)/.exec(recorder.output().banner)?.[1]);

async function client(issued: IssuedCertificate): Promise<RecordingClient> {
  const port = tlsPort();
  const shown = { cert: issued.cert, key: issued.privateKey };
  return new RecordingClient(await Peer.open('tls', { address: '127.0.0.1', port }, shown));
}

test('a call over TLS of a client with a certificate of ours is recorded, sealed and provable; others get 403', async () => {
  const stranger = await client(mill.issue('sbc.example', { by: mill.authority('Other CA') }));
  expect((await stranger.invite()).status).toBe(403);
  stranger.peer.close();

  const sbc = await client(mill.issue('sbc.example', { by: authority }));
  const answer = await sbc.invite(recordingSession());
  expect(answer.status).toBe(200);
  const ports = [...answer.body.matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port));
  const voices = [CALLER_VOICE, CALLEE_VOICE].map((voice) => speakTones(voice, 2, 'PCMA'));
  await sendRtp(
    voices.map((audio, index) => ({
      address: '127.0.0.1',
      port: ports[index] ?? 0,
      law: 'PCMA' as const,
      audio,
    })),
  );
  expect((await sbc.bye()).status).toBe(200);
  sbc.peer.close();

  const [recording] = await awaitRecordings(recorder.archive, 1, 20_000);
  const channels = readWav(recording?.path('.wav') ?? '').audio as [Buffer, Buffer];
  for (const [index, voice] of voices.entries())
    expect(findOctets(channels[index] ?? Buffer.alloc(0), voice, 'PCMA')).toBeGreaterThanOrEqual(0);

  const lines: string[] = [];
  const { certificate, key } = mill.issue('sbc.example', { by: authority });
  const files = ['--ca', authority.certificate, '--cert', certificate, '--key', key];
  const to = `sip:127.0.0.1:${tlsPort()};transport=tls`;
  // The recorder's certificate names a host, not the address: a test call may take it all the same.
  const status = await runCallCommand(['--to', to, '--seconds', '1', '--insecure', ...files], (line) =>
    lines.push(line),
  );
  expect({ status, lines }).toMatchObject({ status: 0 });
  await awaitRecordings(recorder.archive, 2, 20_000);
  expect(await recorder.stop()).toBe(0);
  expect(verifyNode(recorder.archive)).toMatchObject({ status: 0 });
}, 60_000);
