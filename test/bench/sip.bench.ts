/*
 * What signalling costs: INVITE–200–ACK–BYE with a SIPREC body and without media, over UDP and TCP, against the whole
 * recorder (its own process, SQLite, its own Redis; every call ends as failed `no-rtp`) and, for comparison in the same run,
 * against the embedded SIP server with the smallest drachtio-srf application there is. Only loopback is used.
 *
 *   npm run bench:sip [-- CALLS RATE PROFILES]      default 20000 calls a row, set-up times at 50 calls/s, no profiles
 *   npm run bench:sip -- memory [CALLS [udp]]       memory of the recorder over 20000 calls (over TCP unless it says udp), after every 2000 of them
 *
 * CPU is that of the measured process and its children, in two parts: from the first INVITE to the answer of the last BYE
 * (set-up and tear-down, and whatever after-work was done beside them), and from there until everything owed for the calls is
 * in the database. `owed` tells how much was left for the second part: the events not yet in the database at its beginning, of
 * about two a call. Without it the first part could be praised for what it put off. The first part is told by threads too: the
 * main thread, the other threads (media, database, files) and children (Redis). Memory is that of the measured process alone. A port rests 10 s after a call, so the recorder gets ports
 * 10000-60000 here: 12,500 calls of two lines in ten seconds, far above what it reaches.
 */
import { once } from 'node:events';
import { arch, cpus, hostname, loadavg, release, tmpdir } from 'node:os';
import { performance } from 'node:perf_hooks';
import Srf from 'drachtio-srf';
import type { SipApplicationServer } from '../../src/sip/drachtio.ts';
import { startSipServer } from '../../src/sip-server/sip-server.ts';
import { BODY, Caller, OUTSTANDING, type LoadPlan, type Transport } from './sip-caller.ts';
import {
  load,
  MEDIA_PORTS,
  megabytes,
  metric,
  settled,
  spentBy,
  startBare,
  startRecorder,
} from './sip-subject.ts';

type Subject = 'recorder' | 'bare server';

/** V8 goes on compiling for some thousand calls: before that a call costs half as much again, most of it in V8's helper threads. */
const WARM_UP_CALLS = 3000;
const LATENCY_SECONDS = 10;
const WEIGH_EVERY = 2000;

async function generate(): Promise<void> {
  const [plan] = (await once(process, 'message')) as [LoadPlan];
  const result = await new Caller(plan).run((done) => process.send?.({ done }));
  process.send?.({ result });
}

const ANSWER = `v=0\r\no=srs 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n${[20000, 20002]
  .map((port) => `m=audio ${port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=recvonly\r\n`)
  .join('')}m=video 0 RTP/AVPF 96\r\nm=video 0 RTP/AVPF 96\r\n`;

/** The embedded server and an application that only answers. */
async function serveBare(): Promise<void> {
  const listen = (['udp', 'tcp'] as const).map((transport) => `${transport}://127.0.0.1:0`);
  const control = { host: '127.0.0.1', port: 0, secret: 'bench' };
  const server = await startSipServer({ listen, control });
  const srf = new Srf() as unknown as SipApplicationServer;
  srf.on('error', () => undefined);
  srf.use('invite', (request, response) => {
    srf.createUAS(request, response, { localSdp: ANSWER, headers: {} }, (_error, dialog) => {
      dialog?.on('destroy', () => undefined);
    });
  });
  const connected = new Promise<void>((resolve) => {
    srf.on('connect', () => {
      resolve();
    });
  });
  srf.connect({ ...control, port: server.controlPort });
  await connected;
  await server.listen();
  process.send?.(Object.fromEntries(server.addresses.map(({ protocol, port }) => [protocol, port])));
  // An orderly exit lets the profiler write its file.
  process.once('SIGTERM', () => process.exit(0));
}

const HEAD = [
  'subject',
  'via',
  'calls',
  'calls/s',
  'calls/CPU s',
  'us CPU/call',
  'main/threads/children',
  'owed',
  'us after/call',
  'all in all/CPU s',
  'late s',
  'RSS MB start/half/end',
  'median ms',
  'p99 ms',
  'resent',
  'refused',
];

async function measure(
  subject: Subject,
  transport: Transport,
  plan: { readonly calls: number; readonly rate: number; readonly profiles: string | undefined },
): Promise<void> {
  const { profiles } = plan;
  const execArgv = profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profiles];
  const running = await (subject === 'recorder' ? startRecorder({ execArgv }) : startBare(execArgv));
  try {
    const { pid } = running;
    const common = { transport, port: running.port[transport] };
    await load({ ...common, calls: WARM_UP_CALLS, rate: 0 });
    await settled(running);
    const memory = [megabytes(pid)];
    const before = spentBy(pid);
    const busy = await load({ ...common, calls: plan.calls, rate: 0 }, (done) => {
      if (memory.length === 1 && done >= plan.calls / 2) memory.push(megabytes(pid));
    });
    const ended = performance.now();
    const atEnd = spentBy(pid);
    const owed = await metric(running, 'sealtape_journal_lag');
    await settled(running);
    const late = (performance.now() - ended) / 1000;
    const after = spentBy(pid);
    memory.push(megabytes(pid));
    const calm = await load({ ...common, calls: plan.rate * LATENCY_SECONDS, rate: plan.rate });
    const times = calm.setUp.toSorted((a, b) => a - b);
    const at = (share: number): string => (times[Math.floor(times.length * share)] ?? NaN).toFixed(2);
    const refused = Object.entries({ ...busy.refused, ...calm.refused }).map(
      ([why, count]) => `${count} x ${why}`,
    );
    const perCall = (seconds: number): string => ((seconds / busy.done) * 1e6).toFixed(0);
    const own = atEnd.process - before.process;
    const parts = [atEnd.main - before.main, own - (atEnd.main - before.main), atEnd.all - before.all - own];
    print([
      ...[subject, transport, String(busy.done), (busy.done / busy.seconds).toFixed(0)],
      ...[(busy.done / (atEnd.all - before.all)).toFixed(0), perCall(atEnd.all - before.all)],
      ...[parts.map(perCall).join('/'), String(owed), perCall(after.all - atEnd.all)],
      ...[(busy.done / (after.all - before.all)).toFixed(0), late.toFixed(0), memory.join('/')],
      ...[at(0.5), at(0.99), String(busy.resent + calm.resent), refused.join(', ') || '0'],
    ]);
  } finally {
    await running.stop();
  }
}

const WIDTHS = [11, 5, 7, 9, 13, 13, 23, 7, 15, 18, 8, 23, 11, 8, 8, 9];

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const print = (row: readonly string[]): void => {
  say(row.map((cell, index) => cell.padStart(WIDTHS[index] ?? 10)).join(' '));
};

/** What lets a process be told to collect its garbage and say what is left. */
const WEIGHED = ['--expose-gc', '--import', new URL('./memory-scale.js', import.meta.url).href];

/** Whether the recorder keeps anything of calls that are over: weighed when nothing is owed for them any more. */
async function weighCalls(calls: number, transport: Transport): Promise<void> {
  say(`${hostname()}, ${cpus()[0]?.model ?? 'unknown CPU'} x ${cpus().length}, Node ${process.version}`);
  const running = await startRecorder({ execArgv: WEIGHED });
  const widths = [8, 8, 9, 12, 7];
  const row = (cells: readonly (number | string)[]): void => {
    say(cells.map((cell, index) => String(cell).padStart(widths[index] ?? 8)).join(' '));
  };
  try {
    row(['calls', 'RSS MB', 'heap MB', 'external MB', 'load']);
    for (let done = 0; done <= calls; done += WEIGH_EVERY) {
      if (done > 0) await load({ transport, port: running.port[transport], calls: WEIGH_EVERY, rate: 0 });
      await settled(running);
      const { rss, heapUsed, external } = await running.weigh();
      const inMegabytes = [rss, heapUsed, external].map((bytes) => (bytes / 1_048_576).toFixed(1));
      row([done, ...inMegabytes, loadavg()[0]?.toFixed(1) ?? '?']);
    }
  } finally {
    await running.stop();
  }
}

async function main(calls: number, rate: number, profiles: string | undefined): Promise<void> {
  say(`${hostname()}, ${cpus()[0]?.model ?? 'unknown CPU'} x ${cpus().length}, ${arch()}`);
  say(`Linux ${release()}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1) ?? '?'}`);
  say(
    `${calls} calls a row after ${WARM_UP_CALLS}, ${OUTSTANDING} dialogs outstanding, two audio lines accepted, body ${Buffer.byteLength(BODY)} bytes;`,
  );
  say(
    `set-up times at ${rate} calls/s for ${LATENCY_SECONDS} s; media ports ${MEDIA_PORTS}; recorder with SQLite and its own Redis, data in ${tmpdir()}`,
  );
  print(HEAD);
  for (const transport of ['udp', 'tcp'] as const)
    for (const subject of ['recorder', 'bare server'] as const)
      await measure(subject, transport, { calls, rate, profiles });
}

const numberAt = (index: number, otherwise: number): number => {
  const value = Number(process.argv[index] ?? otherwise);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`not a number of calls or a rate: ${process.argv[index] ?? ''}`);
};

if (process.argv[2] === 'load') await generate();
else if (process.argv[2] === 'bare') await serveBare();
else if (process.argv[2] === 'memory')
  await weighCalls(numberAt(3, 20_000), process.argv[4] === 'udp' ? 'udp' : 'tcp');
else await main(numberAt(2, 20_000), numberAt(3, 50), process.argv[4]);
