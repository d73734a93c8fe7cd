import { afterEach, expect, test } from '@jest/globals';
import { runCallCommand } from '../../src/client/call-command.ts';
import { startSipServer } from '../../src/sip-server/sip-server.ts';
import { CertificateMill } from '../support/certificates.ts';
import { answerSdp, openSink, ScriptedPeer } from './scripted-peer.ts';

const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function run(args: readonly string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const code = await runCallCommand(args, (line) => lines.push(line));
  return { code, text: lines.join('\n') };
}

async function server(status = '200 OK'): Promise<ScriptedPeer> {
  const sink = await openSink();
  const peer = await ScriptedPeer.start('tcp', ({ method, reply }) => {
    if (method === 'INVITE') reply(status, [], answerSdp([sink.port, sink.port]));
    else if (method !== 'ACK') reply('200 OK');
  });
  closers.push(
    () => {
      sink.close();
    },
    () => {
      peer.close();
    },
  );
  return peer;
}

test('a placed call prints packets and hash of both legs and exits 0', async () => {
  const { uri } = await server();
  const { code, text } = await run(['--to', uri, '--seconds', '0.2', '--caller', '+4930777']);
  expect(code).toBe(0);
  expect(text).toMatch(/^Called 127\.0\.0\.1:\d+ over TCP: 200 OK after \d+ ms$/m);
  expect(text).toMatch(/^Leg 1 \+4930777 \(PCMA\): 10 packets, 1600 octets to \S+, SHA-256 [0-9a-f]{64}$/m);
  expect(text).toMatch(/^Call completed$/m);
});

test('--json prints the report as one document', async () => {
  const { uri } = await server();
  const { code, text } = await run(['--to', uri, '--seconds', '0.1', '--law', 'pcmu', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(text)).toMatchObject({ outcome: 'completed', legs: [{ codec: 'PCMU' }, { label: '2' }] });
});

test('a refused call says so and exits 1', async () => {
  const { uri } = await server('403 Forbidden');
  const { code, text } = await run(['--to', uri]);
  expect(code).toBe(1);
  expect(text).toBe('The call failed: the server refused the call: 403 Forbidden');
});

test.each([
  ['an unknown option', ['--frobnicate']],
  ['no number of seconds', ['--seconds', 'long']],
  ['seconds out of range', ['--seconds', '0']],
  ['an unknown transport', ['--transport', 'sctp']],
  ['an unknown law', ['--law', 'opus']],
  ['no SIP address', ['--to', 'example.com']],
])('%s exits 2', async (_name, args) => {
  const { code, text } = await run(args);
  expect(code).toBe(2);
  expect(text).not.toContain('    at ');
});

test('--help shows the options and exits 0', async () => {
  const { code, text } = await run(['--help']);
  expect(code).toBe(0);
  expect(text).toContain('--seconds N');
});

test('over TLS a server is believed by its authority, or by --insecure; without either the call tells what to do', async () => {
  const mill = new CertificateMill();
  const authority = mill.authority('Bank CA');
  const { certificate, key } = mill.issue('recorder', { by: authority, altNames: ['IP:127.0.0.1'] });
  const sip = await startSipServer({
    listen: ['tls://127.0.0.1:0'],
    tls: { certificate, key },
    control: { host: '127.0.0.1', port: 0, secret: 'tls' },
  });
  await sip.listen();
  closers.push(
    () => void sip.close(),
    () => {
      mill.remove();
    },
  );
  const uri = `sip:127.0.0.1:${sip.addresses[0]?.port ?? 0};transport=tls`;
  // No application serves here, and that answer comes over TLS like any other.
  const answered = 'The call failed: the server refused the call: 503 Service Unavailable';
  expect((await run(['--to', uri, '--ca', authority.certificate])).text).toBe(answered);
  expect((await run(['--to', uri, '--insecure'])).text).toBe(answered);
  const { code, text } = await run(['--to', uri]);
  expect(code).toBe(1);
  expect(text).toContain('over TLS: its certificate is not trusted; --ca FILE names its authority');
});

test('--ca of a file that is not there exits 2', async () => {
  const { code, text } = await run(['--transport', 'tls', '--ca', '/nonexistent/ca.pem']);
  expect(code).toBe(2);
  expect(text).toContain('--ca /nonexistent/ca.pem cannot be read');
});
