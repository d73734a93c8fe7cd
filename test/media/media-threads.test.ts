import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { CaptureLine, CaptureRequest } from '../../src/media/capture.ts';
import { MediaError } from '../../src/media/media-error.ts';
import {
  type MediaThreadsHost,
  type MediaThreadsOptions,
  startMediaThreads,
} from '../../src/media/media-threads.ts';
import type { ThreadData } from '../../src/media/thread-messages.ts';
import { buildMedia } from './built-media.ts';

const PCMA = [{ payloadType: 8, encoding: 'PCMA', clockRate: 8000 }];
const line = (index: number): CaptureLine => ({
  line: index,
  role: index === 0 ? 'caller' : 'callee',
  formats: PCMA,
  active: true,
});

/** One second of PCMA in 20 ms packets. */
const rtpSecond = (): Buffer[] =>
  Array.from({ length: 50 }, (_, index) => {
    const packet = Buffer.alloc(172, 0x55);
    packet.writeUInt16BE(0x8008, 0);
    packet.writeUInt16BE(index, 2);
    packet.writeUInt32BE(index * 160, 4);
    packet.writeUInt32BE(0x1234, 8);
    return packet;
  });

async function sendTo(port: number, packets: readonly Buffer[]): Promise<void> {
  const socket = createSocket('udp4');
  const sent = packets.map(
    (packet) =>
      new Promise<void>((done) => {
        socket.send(packet, port, '127.0.0.1', () => {
          done();
        });
      }),
  );
  await Promise.all(sent);
  socket.close();
}

/** Each test has its own ports, so that none waits for another's quarantine; below those the kernel hands out. */
let nextPort = 10_000 + (process.pid % 20) * 500;
const portRange = (pairs: number): string => {
  const first = nextPort;
  nextPort += pairs * 2;
  return `${first}-${nextPort - 1}`;
};

describe('media threads', () => {
  let folder = '';
  let built = '';
  let made = 0;
  const hosts: MediaThreadsHost[] = [];
  const workers: Worker[] = [];
  const unhandled: unknown[] = [];
  const noteUnhandled = (reason: unknown): void => {
    unhandled.push(reason);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'media-threads-'));
    built = join(folder, 'built');
    await buildMedia(built);
    process.on('unhandledRejection', noteUnhandled);
  });
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map((host) => host.stop()));
    workers.length = 0;
    expect(unhandled).toEqual([]);
  });
  afterAll(async () => {
    process.off('unhandledRejection', noteUnhandled);
    await rm(folder, { recursive: true, force: true });
  });

  const spawn = (workerData: ThreadData): Worker => {
    const worker = new Worker(join(built, 'media-thread.js'), { workerData });
    workers.push(worker);
    return worker;
  };
  const start = async (options: Partial<MediaThreadsOptions> = {}): Promise<MediaThreadsHost> => {
    const log = { info: () => undefined, warn: () => undefined };
    const host = await startMediaThreads({
      threads: 1,
      ports: portRange(8),
      receiver: 'auto',
      log,
      spawn,
      ...options,
    });
    hosts.push(host);
    return host;
  };
  const request = async (lines = [line(0)]): Promise<CaptureRequest> => {
    made += 1;
    const id = `capture-${made}`;
    await mkdir(join(folder, id));
    return { id, folder: join(folder, id), bind: '127.0.0.1', lines };
  };
  const portsOf = (opened: { readonly lines: readonly { readonly port: number }[] }): number[] =>
    opened.lines.map(({ port }) => port);

  test.each(['batch', 'dgram'] as const)('record what arrives, with the %s receiver', async (receiver) => {
    const host = await start({ receiver });
    const wanted = await request([line(0), line(1)]);
    const opened = await host.open(wanted);
    await sendTo(Number(portsOf(opened)[1]), rtpSecond());
    const result = await host.close(wanted.id, Date.now());
    expect(result.legs.map((leg) => leg.received)).toEqual([0, 50]);
    expect(result.files.map((file) => file.codec)).toEqual(['PCMA']);
    const file = await readFile(String(result.files[0]?.path));
    expect(file.length).toBe(result.files[0]?.bytes);
  });

  test('answer at once and lose nothing while dgram rests between turns', async () => {
    const host = await start({ receiver: 'dgram', ports: portRange(110) });
    const wanted = await Promise.all(Array.from({ length: 52 }, () => request([line(0), line(1)])));
    const opened = await Promise.all(wanted.map((each) => host.open(each)));
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(
        opened.map((each) => sendTo(Number(portsOf(each)[round % 2]), rtpSecond().slice(round * 16, 48))),
      );
      // More questions than fit into rests of 12 ms one after the other.
      const before = performance.now();
      for (let question = 0; question < 200; question += 1) await host.totals();
      expect(performance.now() - before).toBeLessThan(2000);
    }
    const now = Date.now();
    const results = await Promise.all(wanted.map(({ id }) => host.close(id, now)));
    // The first line got its packets 0 to 47, and 32 to 47 of them again; the second one 16 to 47.
    for (const { legs } of results)
      expect(legs.map(({ received, duplicate }) => [received, duplicate])).toEqual([
        [48, 16],
        [32, 0],
      ]);
  });

  test('spread captures evenly, each thread with ports of its own', async () => {
    const ports = portRange(8);
    const middle = Number(ports.slice(0, 5)) + 8;
    const host = await start({ threads: 2, ports });
    const opened = [];
    for (let index = 0; index < 6; index += 1) opened.push(await host.open(await request()));
    const low = opened.flatMap(portsOf).filter((port) => port < middle);
    expect([low.length, new Set(opened.flatMap(portsOf)).size]).toEqual([3, 6]);
  });

  test('give a capture the ports of another thread when those of the first are used up', async () => {
    const host = await start({ threads: 2, ports: portRange(4) });
    const opened = [
      await host.open(await request([line(0)])),
      await host.open(await request([line(0), line(1)])),
      await host.open(await request([line(0)])),
    ];
    expect(new Set(opened.flatMap(portsOf)).size).toBe(4);
    await expect(host.open(await request())).rejects.toMatchObject({ code: 'NO_PORTS' });
  });

  test('apply a re-offer to the thread that has the capture', async () => {
    const host = await start({ threads: 2 });
    const wanted = await request();
    const opened = await host.open(wanted);
    const changed = await host.change({ id: wanted.id, lines: [line(0), line(1)], at: Date.now() });
    expect(changed.lines[0]).toEqual(opened.lines[0]);
    expect(changed.lines).toHaveLength(2);
  });

  test('hand errors across as MediaError with their code', async () => {
    const host = await start();
    const wanted = await request();
    await host.open(wanted);
    await expect(host.open(wanted)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(host.close('unknown', 0)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(host.change({ id: 'unknown', lines: [], at: 0 })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    const nowhere = { ...(await request()), bind: '192.0.2.1' };
    const error: unknown = await host.open(nowhere).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MediaError);
    expect(error).toMatchObject({ code: 'SOCKET', message: expect.stringMatching(/^SOCKET: (?!SOCKET)/) });
  });

  test('count packets and CPU time over all threads', async () => {
    const host = await start({ threads: 2 });
    const captures = [await request(), await request()];
    for (const wanted of captures) {
      const [port] = portsOf(await host.open(wanted));
      await sendTo(Number(port), rtpSecond());
    }
    for (const wanted of captures) await host.close(wanted.id, Date.now());
    const totals = await host.totals();
    expect(totals).toMatchObject({
      captures: 2,
      packets: 100,
      lost: 0,
      overruns: 0,
      truncated: 0,
      sinkErrors: 0,
    });
    expect(totals.cpuSeconds).toBeGreaterThan(0);
    expect(totals.cpuSeconds).toBeLessThan(30);
  });

  test('report the captures of a thread that dies, go on with the others and start a new thread', async () => {
    const ready: (() => void)[] = [];
    const log = {
      info: (text: string) => text.includes('is ready') && ready.pop()?.(),
      warn: () => undefined,
    };
    const host = await start({ threads: 2, log });
    const failed: unknown[] = [];
    host.onFailure((id, error) => {
      failed.push({ id, error });
    });
    const [doomed, safe] = [await request(), await request()];
    const [doomedPort] = portsOf(await host.open(doomed));
    const [safePort] = portsOf(await host.open(safe));
    const before = await host.totals();
    const reborn = new Promise<void>((done) => ready.push(done));
    // A thread that is being ended takes no message any more, so this call is still pending when it is gone.
    const ended = workers[0]?.terminate();
    const pending = host.change({ id: doomed.id, lines: [line(0), line(1)], at: Date.now() });
    await expect(pending).rejects.toMatchObject({ code: 'STOPPED' });
    await ended;
    expect((await host.totals()).captures).toBe(before.captures);
    expect(failed).toMatchObject([{ id: doomed.id, error: { code: 'STOPPED' } }]);
    expect(host.running).toBe(1);
    await expect(host.close(doomed.id, Date.now())).rejects.toMatchObject({ code: 'STOPPED' });

    await sendTo(Number(safePort), rtpSecond());
    expect((await host.close(safe.id, Date.now())).legs[0]?.received).toBe(50);

    await reborn;
    expect(host.running).toBe(2);
    const next = [await host.open(await request()), await host.open(await request())].flatMap(portsOf);
    expect(next).not.toContain(doomedPort);
    const free = createSocket('udp4').bind(doomedPort, '127.0.0.1');
    await once(free, 'listening');
    free.close();
  });

  test('refuse calls while the only thread is dead', async () => {
    const host = await start();
    await workers[0]?.terminate();
    await expect(host.open(await request())).rejects.toMatchObject({ code: 'STOPPED' });
    expect((await host.totals()).captures).toBe(0);
    expect(await host.diskWait()).toBe(0);
  });

  test('close what is open when stopped, twice if need be, and take no calls afterwards', async () => {
    const host = await start();
    const wanted = await request();
    const [port] = portsOf(await host.open(wanted));
    await sendTo(Number(port), rtpSecond());
    await Promise.all([host.stop(), host.stop()]);
    const [file] = await readdir(wanted.folder);
    expect((await readFile(join(wanted.folder, String(file)))).readUInt32LE(4)).toBeGreaterThanOrEqual(8_000);
    await expect(host.open(await request())).rejects.toMatchObject({ code: 'STOPPED' });
  });

  test('pass on that a capture can no longer write', async () => {
    const code = `
      const { parentPort } = require('node:worker_threads');
      parentPort.postMessage([{ type: 'ready', receiver: 'dgram' }]);
      parentPort.on('message', ([{ number, argument }]) => {
        parentPort.postMessage([{ type: 'failure', capture: argument.id, error: { code: 'DISK', detail: 'full' } }]);
        parentPort.postMessage([{ type: 'answer', number, value: { startedAt: 0, lines: [] } }]);
      });`;
    const host = await start({ spawn: () => new Worker(code, { eval: true }) });
    const failed: unknown[] = [];
    host.onFailure((id, error) => failed.push({ id, error }));
    await host.open({ id: 'a', folder, bind: '127.0.0.1', lines: [] });
    expect(failed).toMatchObject([{ id: 'a', error: { code: 'DISK', message: 'DISK: full' } }]);
    await workers[0]?.terminate();
  });

  test('do not start when a thread cannot', async () => {
    const broken = (): Worker => new Worker('throw new Error("no such thing")', { eval: true });
    await expect(start({ spawn: broken })).rejects.toMatchObject({
      code: 'STOPPED',
      message: expect.stringContaining('no such thing'),
    });
    await expect(start({ threads: 5, ports: '41000-41003' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});
