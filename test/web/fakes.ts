import type { RecordingState } from '../../src/jobs/ports.ts';
import type { HealthReport } from '../../src/web/health.ts';
import type {
  RecordingDetails,
  RecordingQueries,
  ListedRecording,
  ListPosition,
} from '../../src/web/recording-queries.ts';
import type { WebOptions } from '../../src/web/server.ts';

export const ID = '0193f0c2-1111-7222-8333-444455556666';
const STARTED = Date.parse('2026-11-23T18:45:30.123Z');

export const HEALTHY: HealthReport = {
  recording: true,
  parts: {
    sip: { ok: true },
    media: { ok: true },
    journal: { ok: true },
    spool: { ok: true, detail: '812 GB free' },
    database: { ok: true },
    keys: { ok: true },
    redis: { ok: true },
  },
  alarms: [],
};

/** What a row of the list says, in one flat object. */
interface RowFacts {
  readonly id?: string;
  readonly state?: RecordingState;
  readonly callerName?: string;
  readonly calleeNumber?: string;
  readonly trunk?: string;
  readonly failReason?: string;
}

export const listed = (row: RowFacts = {}): ListedRecording => {
  const { recording } = details();
  const { caller, callee } = recording.description;
  return {
    ...recording,
    id: row.id ?? ID,
    state: row.state ?? 'delivered',
    facts: { ...recording.facts, trunk: row.trunk ?? 'loopback' },
    description: {
      ...recording.description,
      caller: { ...caller, name: row.callerName ?? 'Erika Muster' },
      callee: { ...callee, number: row.calleeNumber ?? '+4989555010' },
    },
    ...(row.failReason === undefined ? {} : { failReason: row.failReason }),
  };
};

const leg = {
  line: 0,
  role: 'caller',
  codecs: ['PCMA'],
  ssrcs: ['deadbeef'],
  sources: ['192.0.2.1:4000'],
  firstSample: 0,
  expected: 250,
  received: 248,
  lost: 2,
  late: 0,
  duplicate: 1,
  reordered: 0,
  whilePaused: 0,
  rejected: 0,
  telephoneEvents: 0,
  comfortNoise: 0,
  octets: 39_680,
  jitter: 0.4,
  jitterMax: 3.2,
  gaps: [{ from: 8000, to: 8320, cause: 'lost', packets: 2 }],
  gapCount: 1,
} as const;

export const details = (): RecordingDetails => ({
  recording: {
    id: ID,
    state: 'delivered',
    facts: {
      callId: 'call-1@pbx',
      trunk: 'loopback',
      transport: 'udp',
      remoteAddress: '127.0.0.1',
      remotePort: 5062,
      pbxSoftware: 'PBX <1>',
    },
    description: {
      direction: 'in',
      directionSource: 'metadata',
      caller: { name: 'Erika', number: '+49301234567', source: 'participant 1', confidence: 'high' },
      callee: { number: '+4989555010', source: 'participant 2', confidence: 'high' },
      metadataStatus: 'complete',
      participants: [],
      channelSource: 'labels',
      warnings: [],
    },
    openedAt: STARTED,
    startedAt: STARTED,
    endedAt: STARTED + 67_000,
    endReason: 'bye',
    status: 'complete',
    fileName: 'rec-1',
    entryIndex: 7,
    capture: { startedAt: STARTED, endedAt: STARTED + 67_000, files: [], legs: [leg] },
  },
  files: [{ recording: ID, name: 'rec-1.wav', kind: 'audio', bytes: 1_072_058, sha256: 'ab'.repeat(32) }],
  deliveries: [
    {
      recording: ID,
      destination: 'archive',
      state: 'delivered',
      attempts: 1,
      updatedAt: STARTED + 70_000,
      permanent: false,
      location: '/data/archive/2026/11/23/rec-1.wav',
    },
  ],
  steps: [{ recording: ID, at: STARTED, step: 'answered', outcome: 'ok', detail: 'two lines' }],
});

/** Recordings that stand in memory; `fail` makes every question fail as a database that is away does. */
export class MemoryQueries implements RecordingQueries {
  rows: readonly ListedRecording[] = [];
  found: RecordingDetails | undefined;
  fail = false;

  async listNewest(limit: number, before?: ListPosition): Promise<readonly ListedRecording[]> {
    await this.#answer();
    return this.rows.filter(({ id }) => before === undefined || id < before.id).slice(0, limit);
  }

  async findRecording(id: string): Promise<RecordingDetails | undefined> {
    await this.#answer();
    return this.found?.recording.id === id ? this.found : undefined;
  }

  async countByState(): Promise<Record<string, number>> {
    await this.#answer();
    return { delivered: this.rows.length };
  }

  #answer(): Promise<void> {
    return this.fail ? Promise.reject(new Error('secret path /var/lib/db is locked')) : Promise.resolve();
  }
}

export function webOptions(queries: RecordingQueries, more: Partial<WebOptions> = {}): WebOptions {
  return {
    host: '127.0.0.1',
    port: 0,
    queries,
    queues: [],
    health: () => Promise.resolve(HEALTHY),
    metrics: () => Promise.resolve('sealtape_calls_running 0\n'),
    log: () => undefined,
    software: 'Sealtape 0.1.0',
    ...more,
  };
}
