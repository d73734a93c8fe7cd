import type {
  CaptureChange,
  CaptureRequest,
  CaptureResult,
  MediaHost,
  OpenedCapture,
} from '../../src/media/capture.ts';
import type { RecorderEvent } from '../../src/recorder/events.ts';
import type { EventJournal, RecordingFolders } from '../../src/recorder/ports.ts';
import type { OfferedCall } from '../../src/recorder/call.ts';
import type { CallDescription } from '../../src/siprec/description.ts';
import { parseSdp } from '../../src/siprec/sdp.ts';

/** A media side that remembers what it was asked and answers what the test wants. */
export class FakeMedia implements MediaHost {
  readonly opened: CaptureRequest[] = [];
  readonly changed: CaptureChange[] = [];
  readonly succeeded: [id: string, next: CaptureRequest][] = [];
  readonly closed: string[] = [];
  openError: Error | undefined;
  closeError: Error | undefined;
  silent: number | Error = 0;
  result: Pick<CaptureResult, 'files' | 'legs' | 'untouched'> = { files: [], legs: [] };
  /** Captures that were closed with a cut, with its time. */
  readonly cuts: [id: string, at: number][] = [];
  press: Parameters<MediaHost['onKey']>[0] = () => undefined;
  tellSegment: Parameters<MediaHost['onSegment']>[0] = () => undefined;
  #failure: (id: string, error: Error) => void = () => undefined;

  open(request: CaptureRequest): Promise<OpenedCapture> {
    if (this.openError !== undefined) return Promise.reject(this.openError);
    this.opened.push(request);
    return Promise.resolve({ startedAt: 1000, lines: portsFor(request.lines) });
  }

  change(change: CaptureChange): Promise<OpenedCapture> {
    this.changed.push(change);
    const before = this.opened.find(({ id }) => id === change.id)?.lines ?? [];
    const added = change.lines.filter(({ line }) => !before.some((known) => known.line === line));
    const gone = this.changed.flatMap((each) => (each.id === change.id ? (each.gone ?? []) : []));
    const left = [...before, ...added].filter(({ line }) => !gone.includes(line));
    return Promise.resolve({ startedAt: 1000, lines: portsFor(left) });
  }

  succeed(id: string, next: CaptureRequest): Promise<OpenedCapture> {
    if (this.openError !== undefined) return Promise.reject(this.openError);
    this.succeeded.push([id, next]);
    return Promise.resolve({ startedAt: 2000, lines: portsFor(next.lines) });
  }

  close(id: string, at: number, cut = false): Promise<CaptureResult> {
    this.closed.push(id);
    if (cut) this.cuts.push([id, at]);
    if (this.closeError !== undefined) return Promise.reject(this.closeError);
    return Promise.resolve({ startedAt: 1000, endedAt: at, ...this.result });
  }

  totals(): ReturnType<MediaHost['totals']> {
    return Promise.resolve({
      captures: 0,
      packets: 0,
      octets: 0,
      lost: 0,
      late: 0,
      rejected: 0,
      unwritten: 0,
      foreign: 0,
      unauthentic: 0,
      handshakesFailed: 0,
      cpuSeconds: 0,
    });
  }

  silence(): Promise<number> {
    return this.silent instanceof Error ? Promise.reject(this.silent) : Promise.resolve(this.silent);
  }

  onFailure(listener: (id: string, error: Error) => void): void {
    this.#failure = listener;
  }

  onSegment(listener: Parameters<MediaHost['onSegment']>[0]): void {
    this.tellSegment = listener;
  }

  onKey(listener: Parameters<MediaHost['onKey']>[0]): void {
    this.press = listener;
  }

  fail(id: string, error: Error): void {
    this.#failure(id, error);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

const portsFor = (lines: CaptureRequest['lines']): { line: number; port: number }[] =>
  lines.map(({ line }) => ({ line, port: 20_000 + 2 * line }));

export class FakeJournal implements EventJournal {
  readonly events: RecorderEvent[] = [];
  error: Error | undefined;
  /** When set, appends wait for it. */
  gate: Promise<void> | undefined;

  get writable(): boolean {
    return this.error === undefined;
  }

  async append(event: RecorderEvent): Promise<void> {
    await this.gate;
    if (this.error !== undefined) throw this.error;
    this.events.push(event);
  }
}

export class FakeFolders implements RecordingFolders {
  readonly discarded: string[] = [];
  free = 1e12;

  folderOf(recording: string): string {
    return `/spool/${recording}`;
  }

  discard(recording: string): Promise<void> {
    this.discarded.push(recording);
    return Promise.resolve();
  }

  parts(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  freeBytes(): number {
    return this.free;
  }
}

export const aDescription = (change: Partial<CallDescription> = {}): CallDescription => ({
  direction: 'unknown',
  directionSource: 'not signalled',
  caller: { number: '+4930555010', source: 'metadata', confidence: 'high' },
  callee: { number: '+4989555020', source: 'metadata', confidence: 'high' },
  metadataStatus: 'complete',
  participants: [],
  callerLine: 0,
  calleeLine: 1,
  channelSource: 'send label',
  warnings: [],
  ...change,
});

/** Two audio lines with both laws, in the given directions. */
export const anOffer = (
  directions: readonly string[] = ['sendonly', 'sendonly'],
): ReturnType<typeof parseSdp> =>
  parseSdp(
    [
      'v=0',
      'o=src 1 1 IN IP4 192.0.2.1',
      's=-',
      'c=IN IP4 192.0.2.1',
      't=0 0',
      ...directions.flatMap((direction, index) => [
        `m=audio ${40_000 + 2 * index} RTP/AVP 8 0`,
        `a=label:${index + 1}`,
        `a=${direction}`,
      ]),
      '',
    ].join('\r\n'),
  );

export const aCall = (change: Partial<OfferedCall> = {}): OfferedCall => ({
  facts: {
    callId: 'call@test',
    trunk: 'test',
    transport: 'udp',
    remoteAddress: '192.0.2.1',
    remotePort: 5060,
  },
  offer: anOffer(),
  description: aDescription(),
  localAddress: '192.0.2.10',
  sources: { networks: ['192.0.2.0/24'], offered: true },
  ...change,
});
