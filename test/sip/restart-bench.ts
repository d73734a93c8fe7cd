import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { Recorder } from '../../src/recorder/recorder.ts';
import { startSipApplication, type SipApplication } from '../../src/sip/application.ts';
import type { DialogBook } from '../../src/sip/dialog-keeper.ts';
import type { FormerCalls } from '../../src/sip/former-calls.ts';
import { readUnfinished, type ResumedCall } from '../../src/sip/left-call.ts';
import { startSipServer, type SipServer } from '../../src/sip-server/sip-server.ts';
import type { TlsSettings } from '../../src/sip-server/tls-files.ts';
import { FakeFolders, FakeJournal, FakeMedia } from '../support/recorder-fakes.ts';
import type { IssuedCertificate } from '../support/certificates.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { Peer, type Protocol } from './peer.ts';
import { RecordingClient, recordingSession } from './recording-client.ts';

/** A book that only remembers. */
export class Memory implements DialogBook {
  readonly states = new Map<string, () => string>();

  keep(id: string, compose: () => string): void {
    this.states.set(id, compose);
  }

  forget(id: string): void {
    this.states.delete(id);
  }

  /** What a process that is killed now leaves. */
  left(): readonly unknown[] {
    return [...this.states.values()].map((compose) => JSON.parse(compose()) as unknown);
  }
}

export const TRUNKS = [{ name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat' as const }];
export const AWAY = { from: Date.UTC(2026, 10, 25, 12), to: Date.UTC(2026, 10, 25, 12, 0, 5) };

export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never came true: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Process {
  readonly server: SipServer;
  readonly application: SipApplication;
  close(): Promise<void>;
}

/** What one process takes over from the one before. */
interface Inheritance {
  readonly calls?: readonly ResumedCall[];
  readonly former?: FormerCalls;
  /** How long a call may be unheard, in ms. */
  readonly patience?: number;
  readonly port?: number;
}

export interface CutOff {
  readonly client: RecordingClient;
  readonly port: number;
  /** Of the one dialog there was. */
  readonly left: unknown;
  /** Our answer to its INVITE. */
  readonly sdp: string;
}

export interface Resumed {
  readonly recorder: Recorder;
  readonly media: FakeMedia;
  readonly journal: FakeJournal;
  readonly book: Memory;
  /** Kills it; the same in the order of things as `cutOff`. */
  kill(): Promise<unknown>;
}

/** What happened to its recordings, without the remarks on the way. */
export const typesOf = ({ journal }: Resumed): readonly string[] =>
  journal.events.map(({ type }) => type).filter((type) => !['noted', 'described', 'marked'].includes(type));

/** Processes one after the other on the same SIP port, and clients that outlive them. */
export class RestartBench {
  readonly #protocol: Protocol;
  readonly #tls: TlsSettings | undefined;
  readonly #processes: Process[] = [];
  readonly #peers: Peer[] = [];
  readonly #listeners: Server[] = [];

  constructor(protocol: Protocol = 'udp', tls?: TlsSettings) {
    this.#protocol = protocol;
    this.#tls = tls;
  }

  async start(
    recorder: FakeRecorder | Recorder,
    book: DialogBook,
    { calls = [], former, patience = 60_000, port = 0 }: Inheritance = {},
  ): Promise<Process> {
    const server = await startSipServer({
      listen: [`${this.#protocol}://127.0.0.1:${port}`],
      control: { host: '127.0.0.1', port: 0, secret: 'resumed' },
      ...(this.#tls && { tls: this.#tls }),
    });
    const application = await startSipApplication({
      drachtio: { host: '127.0.0.1', port: server.controlPort, secret: 'resumed' },
      trunks: TRUNKS,
      recorder,
      software: 'Sealtape/test',
      log: () => undefined,
      book,
      resumed: { calls, patience },
      former,
      watch: { interval: 20 },
    });
    const dialogs = calls.map(({ kept }) => ({ ...kept.signalling, localSdp: kept.answers.last }));
    if (server.restore(dialogs) !== calls.length) throw new Error('a dialog was not put back');
    server.remember(former?.calls ?? []);
    await server.listen();
    const close = async (): Promise<void> => {
      await application.close();
      await server.close();
    };
    const running = { server, application, close };
    this.#processes.push(running);
    return running;
  }

  /** A call, and its recorder killed. */
  async cutOff(headers: Readonly<Record<string, string>> = {}): Promise<CutOff> {
    const recorder = new FakeRecorder();
    const book = new Memory();
    const first = await this.start(recorder, book);
    const port = first.server.addresses[0]?.port ?? 0;
    const client = new RecordingClient(await this.connect(port));
    const session = recordingSession();
    const { body } = await client.invite({ ...session, headers: { ...session.headers, ...headers } });
    await until(() => recorder.calls[0]?.notes.includes('acknowledged') === true);
    const [left] = book.left();
    await this.kill();
    return { client, port, left, sdp: body };
  }

  /** The next process takes up what the one before left. */
  async resume(
    port: number,
    left: unknown,
    { ports = 'free', patience = 60_000 }: { ports?: 'free' | 'taken'; patience?: number } = {},
  ): Promise<Resumed> {
    const media = new FakeMedia();
    const journal = new FakeJournal();
    const folders = new FakeFolders();
    const recorder = new Recorder({
      media,
      journal,
      folders,
      now: Date.now,
      log: () => undefined,
      minFreeBytes: 0,
    });
    const unfinished = readUnfinished(left, { trunks: TRUNKS, dtlsFingerprint: undefined, away: AWAY });
    if (unfinished === undefined) throw new Error('not taken up');
    if (ports === 'taken') media.openError = Object.assign(new Error('taken'), { code: 'NO_PORTS' });
    const recording = await recorder.takeUp(unfinished.offered, unfinished.left);
    media.openError = undefined;
    // Nothing is heard but what the client says.
    media.silent = Number.MAX_SAFE_INTEGER;
    const book = new Memory();
    await this.start(recorder, book, { calls: [{ ...unfinished, recording }], port, patience });
    const kill = async (): Promise<unknown> => {
      const [next] = book.left();
      await this.kill();
      return next;
    };
    return { recorder, media, journal, book, kill };
  }

  /** A new connection of a client. */
  async connect(port: number, tls: ConnectionOptions = {}): Promise<Peer> {
    const peer = await Peer.open(this.#protocol, { address: '127.0.0.1', port }, tls);
    this.#peers.push(peer);
    return peer;
  }

  /** Where a client takes connections of ours: what comes on the first of them. */
  async listener(
    secure?: IssuedCertificate,
  ): Promise<{ readonly port: number; readonly first: Promise<Peer> }> {
    const server =
      secure === undefined ? createServer() : createTlsServer({ cert: secure.cert, key: secure.privateKey });
    this.#listeners.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const first = new Promise<Peer>((resolve) => {
      server.once(secure === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
        const peer = Peer.on(socket, secure !== undefined);
        this.#peers.push(peer);
        resolve(peer);
      });
    });
    return { port, first };
  }

  /** Ends the process that runs, without a word to anybody. */
  async kill(): Promise<void> {
    await this.#processes.pop()?.close();
  }

  async close(): Promise<void> {
    for (const peer of this.#peers) peer.close();
    for (const each of this.#listeners) each.close();
    while (this.#processes.length > 0) await this.kill();
  }
}
