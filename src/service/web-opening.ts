import type { Config } from '../config.ts';
import type { PeerDesk } from '../jobs/peer-desk.ts';
import type { Log } from '../log.ts';
import type { MediaThreadsHost } from '../media/media-threads.ts';
import type { Announcements } from '../recorder/announcements.ts';
import type { Policy } from '../recorder/policy.ts';
import type { Recorder } from '../recorder/recorder.ts';
import type { SipServerCounters } from '../sip-server/counters.ts';
import { RecordingQueries } from '../store/recording-queries.ts';
import { writeWebAddress } from '../store/web-address.ts';
import type { HealthReport } from '../web/health.ts';
import { createMetrics, type MetricsSnapshot } from '../web/metrics.ts';
import { startWeb, type WebServer } from '../web/server.ts';
import { linkWithin } from './announcement-links.ts';
import type { Alarms } from './alarms.ts';
import { openApi } from './api-opening.ts';
import type { Archive } from './archive-opening.ts';
import type { ClockConfirmation } from './clock-confirmation.ts';
import { evidenceFigures } from './evidence-figures.ts';
import type { Ground } from './ground.ts';
import type { LegVerdicts } from './leg-verdicts.ts';
import { openPeerServer } from './peering.ts';
import type { RetentionRuns } from './retention-keeper.ts';

export interface WebSources {
  readonly log: Log;
  readonly ground: Ground;
  readonly media: MediaThreadsHost;
  readonly recorder: Recorder;
  readonly policy: Policy;
  readonly announcements: Announcements;
  readonly archive: Archive;
  readonly clock: ClockConfirmation;
  readonly retentionRuns: RetentionRuns;
  readonly alarms: Alarms;
  readonly verdicts: LegVerdicts;
  readonly software: string;
  /** Whether the SIP server is there. */
  readonly sipUp: () => boolean;
  /** See the metric. */
  readonly tracesLeftOut: () => Readonly<Record<string, number>>;
  /** Undefined with a SIP server that is not ours. */
  readonly sipCounters: () => SipServerCounters | undefined;
}

/** Events behind which the database is called late in the health report. */
const LAG_ALARM = 1000;

/** Opens pages, health and metrics, and the address for other recorders. Rejects with WebError when one is not loopback or in use. */
export async function openWeb(config: Config, sources: WebSources): Promise<WebServer> {
  const queries = new RecordingQueries(sources.archive.database, linkWithin(config));
  const authorities = config.evidence.timestamps.map(({ name }) => name);
  const metrics = createMetrics(() => takeSnapshot(sources, queries, authorities));
  sources.archive.onSealed(({ endedAt }) => {
    if (endedAt !== undefined) metrics.observeSeal((Date.now() - endedAt) / 1000);
  });
  const { host, port } = splitAddress(config.web.listen);
  const health = (): Promise<HealthReport> => Promise.resolve(healthOf(sources));
  const server = await startWeb({
    host,
    port,
    queries,
    queues: sources.archive.queues.queues,
    health,
    metrics: () => metrics.text(),
    software: sources.software,
    timeZone: config.timeZone,
    api: await openApi(config, {
      ...sources,
      keys: sources.ground.keys,
      database: sources.archive.database,
      health,
    }),
    log: sources.log,
  });
  await writeWebAddress(config.dataDir, server.url);
  const desk = (): PeerDesk | undefined => sources.archive.line()?.peering.desk;
  const peers = await openPeerServer(config, desk, sources.log).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  return {
    url: server.url,
    close: async () => {
      await Promise.all([server.close(), peers?.close()]);
    },
  };
}

async function takeSnapshot(
  sources: WebSources,
  queries: RecordingQueries,
  authorities: readonly string[],
): Promise<MetricsSnapshot> {
  const { recorder, media } = sources;
  const parts = healthOf(sources).parts;
  const known = await Promise.all([queries.countByState(), queries.countOpenDeliveries()]).catch(
    () => undefined,
  );
  return {
    calls: { running: recorder.liveCount, ...recorder.counts },
    media: await media.totals(),
    sip: sipFigures(sources.sipCounters()),
    tracesLeftOut: sources.tracesLeftOut(),
    statements: recorder.statementCounts,
    journalLag: lagOf(sources),
    databaseUp: parts.database.ok,
    redisUp: parts.redis.ok,
    alarms: sources.alarms.active,
    legs: sources.verdicts.counts,
    evidence: await figuresOf(sources, authorities),
    ...(known === undefined ? {} : { recordings: known[0], deliveriesWaiting: known[1] }),
  };
}

/** Undefined while the database is away, or was since the start. */
async function figuresOf(
  { archive }: WebSources,
  authorities: readonly string[],
): Promise<MetricsSnapshot['evidence']> {
  const line = archive.line();
  return line && evidenceFigures(line, authorities, Date.now()).catch(() => undefined);
}

function sipFigures(counters: SipServerCounters | undefined): MetricsSnapshot['sip'] {
  if (counters === undefined) return undefined;
  const { requests, responses, retransmissions, malformed, dropped, connections } = counters;
  const refused = {
    refused_connection: counters.refusedConnections,
    failed_handshake: counters.failedHandshakes,
    rate_limited: counters.rateLimited,
  };
  return { connections, events: { requests, responses, retransmissions, malformed, dropped, ...refused } };
}

function healthOf(sources: WebSources): HealthReport {
  const { ground, recorder, media, archive } = sources;
  const readiness = recorder.readiness();
  const line = archive.line();
  const lag = lagOf(sources);
  return {
    recording: readiness.ready && sources.sipUp() && media.running > 0,
    parts: {
      sip: sources.sipUp() ? { ok: true } : { ok: false, detail: 'not connected' },
      media: { ok: media.running > 0, detail: `${media.running} threads` },
      journal: ground.journal.writable ? { ok: true } : { ok: false, detail: 'cannot be written' },
      spool: { ok: !recorder.spoolFull, detail: `${megabytes(ground)} MB free` },
      database: {
        ok: archive.databaseAnswers() && (line === undefined || lag < LAG_ALARM),
        detail: `${lag} events behind`,
      },
      keys: keysHealth(ground),
      redis: { ok: archive.queues.connected() },
    },
    alarms: sources.alarms.active.map(({ code, subject, severity, text, since }) => ({
      ...{ code, severity, text, since },
      ...(subject !== undefined && { subject }),
    })),
  };
}

function keysHealth({ keys }: Ground): HealthReport['parts']['keys'] {
  const { missing } = keys;
  return missing === undefined ? { ok: true } : { ok: false, detail: missing.text };
}

const lagOf = ({ ground, archive }: WebSources): number =>
  ground.journal.lastSequence - (archive.line()?.applied() ?? 0);

const megabytes = (ground: Ground): number => Math.round(ground.spool.freeBytes() / 1e6);

function splitAddress(listen: string): { readonly host: string; readonly port: number } {
  const colon = listen.lastIndexOf(':');
  return { host: listen.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(listen.slice(colon + 1)) };
}
