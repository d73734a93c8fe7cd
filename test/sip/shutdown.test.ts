import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { startSipServer } from '../../src/sip-server/sip-server.ts';
import { startSipApplication, type SipApplicationOptions } from '../../src/sip/application.ts';
import { openBench } from './bench.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { recordingSession } from './recording-client.ts';

const options = (port: number, secret: string): SipApplicationOptions => ({
  drachtio: { host: '127.0.0.1', port, secret },
  trunks: [],
  recorder: new FakeRecorder(),
  software: 'Sealtape/test',
  log: () => undefined,
});

describe('starting', () => {
  test('a wrong secret is fatal and not offered again', async () => {
    let attempts = 0;
    const server = createServer((socket) => {
      attempts += 1;
      socket.once('data', (frame) => {
        const id = /#([^|]+)\|/.exec(frame.toString())?.[1] ?? '';
        const answer = `x|response|${id}|NO|incorrect secret`;
        socket.end(`${answer.length}#${answer}`);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(startSipApplication(options(port, 'wrong'))).rejects.toMatchObject({ code: 'BAD_SECRET' });
    // The library would be back after 255 ms; its timer would be the only thing left in this process.
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(attempts).toBe(1);
    server.close();
    await once(server, 'close');
  });

  test('the embedded server refuses a wrong secret too', async () => {
    const server = await startSipServer({
      listen: [],
      control: { host: '127.0.0.1', port: 0, secret: 'right' },
    });
    await expect(startSipApplication(options(server.controlPort, 'wrong'))).rejects.toMatchObject({
      code: 'BAD_SECRET',
    });
    await server.close();
  });

  test('no server at all is said at once', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    await expect(startSipApplication(options(port, 'x'))).rejects.toMatchObject({ code: 'NOT_REACHABLE' });
  });

  test('a trunk without a readable network is an error', async () => {
    await expect(
      startSipApplication({ ...options(1, 'x'), trunks: [{ name: 'x', from: ['nowhere'], mode: 'compat' }] }),
    ).rejects.toThrow(RangeError);
  });
});

describe('stopping', () => {
  test('drain refuses new calls and keeps those that run', async () => {
    const bench = await openBench();
    const running = await bench.client();
    await running.invite();
    bench.application.drain();
    const late = await bench.client();
    expect((await late.request('INVITE', recordingSession())).status).toBe(503);
    expect(bench.recorder.refusals).toEqual([expect.objectContaining({ reason: '503', detail: 'draining' })]);
    expect(bench.application.calls).toBe(1);
    expect((await running.bye()).status).toBe(200);
    await bench.close();
  });

  test.each([
    ['answers 200', 'SIP/2.0 200 OK'],
    ['refuses it, as OpenSIPS does', 'SIP/2.0 405 Method Not Allowed'],
  ])('hangUpAll ends every recording with a BYE; a client that %s', async (_title, statusLine) => {
    const bench = await openBench();
    const clients = [await bench.client('udp'), await bench.client('tcp')];
    for (const client of clients) await client.invite();
    const done = bench.application.hangUpAll();
    for (const { peer, callId } of clients) {
      const bye = await peer.receive(({ startLine }) => startLine.startsWith('BYE '));
      expect(bye.headers.get('call-id')).toBe(callId);
      const repeated = ['via', 'from', 'to', 'call-id', 'cseq'].map(
        (name) => `${name}: ${bye.headers.get(name) ?? ''}\r\n`,
      );
      peer.send(`${statusLine}\r\n${repeated.join('')}content-length: 0\r\n\r\n`);
    }
    await done;
    expect(bench.recorder.calls.map(({ ends }) => ends)).toEqual([['shutdown'], ['shutdown']]);
    expect(bench.application.calls).toBe(0);
    await bench.close();
  });

  test('close may be called twice and leaves the SIP server without application', async () => {
    const bench = await openBench();
    await bench.application.close();
    await bench.application.close();
    expect(bench.server.counters().applications).toBe(0);
    expect((await (await bench.client()).request('OPTIONS')).status).toBe(503);
    await bench.close();
  });

  test('a lost SIP server is logged, running recordings are not ended', async () => {
    let lost = (): void => undefined;
    const noticed = new Promise<void>((resolve) => {
      lost = resolve;
    });
    const bench = await openBench({
      log: (level, message) => {
        if (level === 'error' && message.includes('lost')) lost();
      },
    });
    await (await bench.client()).invite();
    await bench.server.close();
    await noticed;
    expect(bench.recorder.call.ends).toEqual([]);
    await bench.close();
  });
});
