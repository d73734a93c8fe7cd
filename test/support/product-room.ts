import { expect } from '@jest/globals';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { placeCall, type CallOptions, type CallReport } from '../../src/client/call.ts';
import { CALLEE_VOICE, CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import {
  eventually,
  filesBelow,
  startRecorder,
  type RecorderProcess,
  type RecorderSetup,
} from './recorder-process.ts';
import { recordingsIn, verifyNode, verifyShell, type SealedRecording } from './sealed-recording.ts';

/** Two voices of a short call. */
export const CALLER = speakTones(CALLER_VOICE, 1.5, 'PCMA');
export const CALLEE = speakTones(CALLEE_VOICE, 1.5, 'PCMA');

/** The recorders of one test: whatever happens to them, none may have met an error nobody expected or leave a process behind. */
export class ProductRoom {
  readonly #recorders: RecorderProcess[] = [];

  async start(setup?: RecorderSetup): Promise<RecorderProcess> {
    const recorder = await startRecorder(setup);
    this.#recorders.push(recorder);
    return recorder;
  }

  /** What the recorder says when it does not start. */
  async refusalOf(setup: RecorderSetup): Promise<string> {
    try {
      await this.start(setup);
    } catch (error) {
      return String((error as { readonly message?: string }).message);
    }
    throw new Error('the recorder started');
  }

  /** Ends everything, removes the data and looks into the logs. */
  async close(): Promise<void> {
    const recorders = this.#recorders.splice(0);
    const unexpected = recorders.flatMap((recorder) => unexpectedLines(recorder.output().log));
    const orphans = recorders.flatMap((recorder) =>
      recorder.child.exitCode !== null ? redisServersOf(recorder.dataDir) : [],
    );
    for (const recorder of recorders) await recorder.kill();
    for (const { dataDir } of recorders) {
      for (const pid of redisServersOf(dataDir)) process.kill(pid, 'SIGKILL');
      await eventually(() => (redisServersOf(dataDir).length === 0 ? true : undefined), 5000);
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
    }
    expect({ unexpected, orphans }).toEqual({ unexpected: [], orphans: [] });
  }
}

const unexpectedLines = (log: string): readonly string[] =>
  log.split('\n').filter((line) => /uncaught|unhandled|ExceptionWarning/i.test(line));

/** redis-server processes that run in a data directory. */
function redisServersOf(dataDir: string): readonly number[] {
  const folder = join(dataDir, 'redis');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('redis-server') &&
          readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
        );
      } catch {
        return false;
      }
    });
}

/** A call of one and a half seconds over UDP, both legs. */
export const callTo = (
  recorder: Pick<RecorderProcess, 'udpPort'>,
  change: Partial<CallOptions> = {},
): Promise<CallReport> =>
  placeCall({
    to: `sip:127.0.0.1:${recorder.udpPort}`,
    caller: { number: '100', law: 'PCMA', audio: CALLER },
    callee: { number: '200', law: 'PCMA', audio: CALLEE },
    ...change,
  });

/** Starts a call; resolves when it is answered. `over` is its end. */
export async function answeredCall(
  recorder: Pick<RecorderProcess, 'udpPort'>,
  change: Partial<CallOptions> = {},
): Promise<{ readonly over: Promise<CallReport> }> {
  return new Promise((resolve, reject) => {
    const over = callTo(recorder, {
      ...change,
      onStep: (step) => {
        if (step === 'answered') resolve({ over });
        change.onStep?.(step);
      },
    });
    over.catch(reject);
  });
}

/** Starts a call whose recorder will be gone before its end; resolves when it has talked for a while. */
export async function callToBeCutOff(
  recorder: Pick<RecorderProcess, 'udpPort'>,
  change: Partial<CallOptions> = {},
): Promise<void> {
  const { over } = await answeredCall(recorder, { ...change, timers: { t1: 100, timeout: 1000 } });
  over.catch(() => undefined);
  await pause(1300);
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Status of the answer to an OPTIONS. */
export const optionsStatus = async (port: number): Promise<number> =>
  Number(/^SIP\/2\.0 (\d+)/.exec(await optionsAnswer(port))?.[1]);

/** The answer to an OPTIONS. */
export async function optionsAnswer(port: number): Promise<string> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const own = `127.0.0.1:${socket.address().port}`;
  const token = Math.random().toString(36).slice(2);
  const lines = [
    'OPTIONS sip:srs@127.0.0.1 SIP/2.0',
    `Via: SIP/2.0/UDP ${own};branch=z9hG4bK${token};rport`,
    `From: <sip:probe@${own}>;tag=${token}`,
    'To: <sip:srs@127.0.0.1>',
    `Call-ID: ${token}@probe`,
    'CSeq: 1 OPTIONS',
    'Max-Forwards: 70',
    'Content-Length: 0',
  ];
  socket.send(`${lines.join('\r\n')}\r\n\r\n`, port, '127.0.0.1');
  const [answer] = (await once(socket, 'message')) as [Buffer];
  socket.close();
  return answer.toString();
}

interface Health {
  readonly recording: boolean;
  readonly parts: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
  readonly alarms: readonly { readonly code: string; readonly severity: string; readonly text: string }[];
}

export async function healthOf(recorder: RecorderProcess): Promise<Health> {
  return (await (await fetch(`${recorder.web}/healthz`)).json()) as Health;
}

export const recordingOf = (archive: string, report: CallReport): SealedRecording | undefined =>
  recordingsIn(archive).find(({ info }) => info.get('SIP-Call-ID') === report.callId);

/** Waits until the call's recording lies complete in the archive. */
export const awaitRecording = (
  archive: string,
  report: CallReport,
  milliseconds = 20_000,
): Promise<SealedRecording> => eventually(() => recordingOf(archive, report), milliseconds);

/** Both verifiers find the archive whole. Call it after an orderly stop, when the last checkpoint is there. */
export function expectIntact(archive: string): void {
  const node = verifyNode(archive);
  expect(`${node.status} ${node.output}`).toMatch(/^0 /);
  const [recording] = recordingsIn(archive);
  const audio = readdirSync(recording?.folder ?? archive).find((name) => name.endsWith('.wav'));
  if (recording === undefined || audio === undefined) return;
  const shell = verifyShell(['dash'], join(recording.folder, audio));
  expect(`${shell.status} ${shell.output}`).toMatch(/^0 /);
}

/** The entries of the evidence log in an archive, in order, each with its lines as keys and values. */
export function entriesIn(archive: string): readonly ReadonlyMap<string, string>[] {
  const root = join(archive, 'evidence');
  if (!existsSync(root)) return [];
  const text = filesBelow(root)
    // What a killed recorder left unfinished is nobody's entry file; it is swept later.
    .filter((file) => /\/entries\/\d+\/\d+\.txt$/.test(file))
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('');
  return text
    .split(/^(?=siprec-log-entry)/m)
    .filter((entry) => entry.trim() !== '')
    .map(
      (entry) =>
        new Map(
          entry
            .trimEnd()
            .split('\n')
            .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
        ),
    );
}

/** Without heartbeats: how many there are depends on how long the recorder runs. */
export const entryTypes = (archive: string): readonly string[] =>
  entriesIn(archive)
    .map((entry) => entry.get('type') ?? '?')
    .filter((type) => type !== 'heartbeat' && type !== 'stored');

/** Names left in the spool: recordings that are not yet delivered everywhere. */
export const spoolOf = (recorder: Pick<RecorderProcess, 'dataDir'>): readonly string[] =>
  readdirSync(join(recorder.dataDir, 'spool'));
