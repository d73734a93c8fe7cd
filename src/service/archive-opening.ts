import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { parseFolderTemplate } from '../delivery/folder-template.ts';
import { openPathDestination } from '../delivery/path.ts';
import { openTimeStampAuthority } from '../delivery/time-stamp-authority.ts';
import type { TimeStampAuthority } from '../jobs/stamp.ts';
import type { AlarmBell } from '../alarm.ts';
import { parseNameTemplate } from '../evidence/name-template.ts';
import { formatOrigin } from '../evidence/origin.ts';
import type { Counters } from '../jobs/heartbeat.ts';
import type { Destination } from '../jobs/destination.ts';
import { namingFacts } from '../jobs/recording-info.ts';
import { openQueues, type JobQueues, type RedisTarget } from '../jobs/queues.ts';
import type { SpoolKeep } from '../jobs/release-spool.ts';
import type { SealDeps, SealStep } from '../jobs/seal.ts';
import type { Log } from '../log.ts';
import type { MediaThreadsHost } from '../media/media-threads.ts';
import type { Recorder } from '../recorder/recorder.ts';
import { keptUnder, retentionProfiles } from '../rules/retention.ts';
import { openDatabase, type Database } from '../store/database.ts';
import { SqlLogStore } from '../store/log-store.ts';
import { startRedisServer } from '../store/redis-server.ts';
import { openSystemClock } from '../store/system-clock.ts';
import { VERSION } from '../version.ts';
import { linkWithin } from './announcement-links.ts';
import { databaseOf, MIGRATIONS } from './database-place.ts';
import { openDestination } from './destinations.ts';
import { startArchiveLine, type ArchiveLine, type ArchiveLineOptions } from './archive-line.ts';
import type { Ground } from './ground.ts';
import type { OpenedKeys } from './keys-at-hand.ts';
import { LineOpening } from './line-opening.ts';
import { openPeers, type Peers } from './peering.ts';
import { rendererOf } from './rendering.ts';
import type { ShutdownList } from './shutdown-list.ts';
import { openSpoolKeep } from './spool-keep-opening.ts';

/** The archive line may come later than the SIP ports: a database that is away does not keep calls from being recorded. */
export interface Archive {
  readonly database: Database;
  readonly queues: JobQueues;
  /** Undefined until the database has answered for the first time, and while the keys are missing. */
  line(): ArchiveLine | undefined;
  /** Whether the database answered when it was last asked; the log waits for the keys as well. */
  databaseAnswers(): boolean;
  /** Called with every recording sealed. */
  onSealed(listener: ArchiveLineOptions['onSealed']): void;
}

export interface ArchiveOpening {
  readonly ground: Ground;
  readonly recorder: Recorder;
  readonly media: Pick<MediaThreadsHost, 'totals'>;
  readonly bell: AlarmBell;
  readonly closing: ShutdownList;
  /** Before this process took up or accepted its first call, epoch milliseconds. */
  readonly startedAt: number;
  readonly log: Log;
  /** Told how the legs of every recording sealed were judged. */
  readonly onJudged: NonNullable<SealDeps['onJudged']>;
  /** Tests only: told of every step of a seal. */
  readonly atStep: ((step: SealStep) => void) | undefined;
}

/** Opens database, Redis and everything behind the closed file. */
export async function openArchive(config: Config, opening: ArchiveOpening): Promise<Archive> {
  const { closing, log } = opening;
  const database = await openDatabase(databaseOf(config), MIGRATIONS);
  closing.add('database', () => database.close());
  // Before the log, so that pages and health know them however long the database takes.
  const queues = openQueues({
    redis: await openRedis(config, opening),
    prefix: `sealtape-${originOf(config).replace(/[^a-z0-9]+/g, '-')}`,
    destinations: config.destinations,
    renderConcurrency: config.media.render.concurrency,
    log,
  });
  closing.add('queues', () => queues.close());
  const destinations = await openDestinations(config, closing);
  const listeners: ArchiveLineOptions['onSealed'][] = [];
  const line: LineOpening = new LineOpening({
    migrate: async () => {
      await database.migrate();
    },
    start: (signing) => startArchiveLine(lineOptions(config, { ...opening, signing }, parts)),
    keys: opening.ground.keys,
    log,
  });
  const parts = {
    database,
    queues,
    destinations,
    listeners,
    spoolKeep: openSpoolKeep(config, { ...opening, database, ready: () => line.line !== undefined }),
    run: { startedAt: opening.startedAt, begun: new Set<string>() },
    ...(await openOutsiders(config)),
  };
  closing.add('archive line', () => line.close());
  await line.begin();
  return {
    database,
    queues,
    line: () => line.line,
    databaseAnswers: () => line.databaseAnswers(),
    onSealed: (listener) => {
      listeners.push(listener);
    },
  };
}

async function openDestinations(config: Config, closing: ShutdownList): Promise<readonly Destination[]> {
  for (const each of config.destinations)
    if (each.kind === 'path' && each.makeRoot) await mkdir(each.root, { recursive: true, mode: 0o750 });
  const memory = join(config.dataDir, 'deliveries');
  const destinations = await Promise.all(config.destinations.map((each) => openDestination(each, memory)));
  for (const each of destinations) closing.add(`destination ${each.name}`, () => each.close());
  return destinations;
}

/** Those who can say something of the log from outside. */
async function openOutsiders(
  config: Config,
): Promise<{ readonly authorities: readonly TimeStampAuthority[]; readonly peers: Peers }> {
  const authorities = await Promise.all(config.evidence.timestamps.map(openTimeStampAuthority));
  return { authorities, peers: await openPeers(config) };
}

/** Without Redis recording goes on and jobs are done without queues, so a Redis that will not start is loud but not fatal. */
async function openRedis(config: Config, { closing, log }: ArchiveOpening): Promise<RedisTarget> {
  if (config.redis.url !== undefined) return { url: config.redis.url };
  try {
    const server = await startRedisServer(config.dataDir, { log });
    closing.add('redis', () => server.stop());
    return { path: server.socket };
  } catch (error) {
    log('error', 'our redis-server does not start; jobs run without queues', { error: String(error) });
    return { path: join(config.dataDir, 'redis', 'redis.sock') };
  }
}

interface SigningOpened {
  readonly signing: OpenedKeys;
}

const originOf = ({ domain, installation, node }: Config): string =>
  formatOrigin({ domain, installation, node, epoch: 1 });

function lineOptions(
  config: Config,
  { ground, recorder, media, bell, log, onJudged, atStep, signing }: ArchiveOpening & SigningOpened,
  parts: {
    readonly database: Database;
    readonly queues: JobQueues;
    readonly destinations: readonly Destination[];
    readonly listeners: readonly ArchiveLineOptions['onSealed'][];
    readonly spoolKeep: SpoolKeep;
    readonly run: Pick<ArchiveLineOptions, 'startedAt' | 'begun'>;
    readonly authorities: readonly TimeStampAuthority[];
    readonly peers: Peers;
  },
): ArchiveLineOptions {
  const { installation, node, timeZone, retention } = config;
  const profiles = retentionProfiles(retention.profiles);
  return {
    store: new SqlLogStore(parts.database, {
      node: `${installation}/${node}`,
      linkWithin: linkWithin(config),
    }),
    journal: ground.journal,
    files: ground.spool,
    keys: signing.keys,
    signer: signing.keys.signer,
    clock: openSystemClock(),
    installation: {
      ...{ name: installation, node, timeZone },
      version: VERSION,
      names: parseNameTemplate(config.fileName),
    },
    origin: originOf(config),
    policyHash: policyHash(config),
    lastAlive: ground.lastAlive,
    actorSecret: signing.actorSecret,
    authorities: parts.authorities,
    peers: parts.peers,
    bell,
    counters: async () => countersOf(recorder, ground, (await media.totals()).octets),
    destinations: parts.destinations,
    parallel: new Map(config.destinations.map(({ name, parallel }) => [name, parallel])),
    localEvidence: openPathDestination({ name: 'data-directory', root: config.dataDir }),
    placing: placing(config, parts.spoolKeep),
    keep: (row, createdAt) =>
      keptUnder(row.decision?.retention ?? retention.default, createdAt, { profiles, timeZone }),
    render: rendererOf(config),
    onJudged,
    queues: parts.queues,
    checkpointMilliseconds: config.evidence.checkpointSeconds * 1000,
    isLive: (recording) => recorder.isLive(recording),
    continuationOf: (recording) => recorder.continuationOf(recording),
    ...parts.run,
    onSealed: (row) => {
      for (const listener of parts.listeners) listener(row);
    },
    ...(atStep === undefined ? {} : { atStep }),
    log,
  };
}

function placing(config: Config, spoolKeep: SpoolKeep): ArchiveLineOptions['placing'] {
  const { destinations, timeZone } = config;
  const templates = new Map(
    destinations.map((each) => [each.name, parseFolderTemplate(each.folder, each.timeZone ?? timeZone)]),
  );
  const modes = new Map(
    destinations.flatMap((each) => (each.kind === 's3' ? [[each.name, each.lockMode] as const] : [])),
  );
  return {
    lockModeOf: (destination) => modes.get(destination) ?? 'governance',
    folderOf: (destination, row) => templates.get(destination)?.(namingFacts(row, config.installation)) ?? '',
    release: (recording) => spoolKeep.release(recording),
  };
}

/** What the configuration file says of which calls are recorded and how long they are kept; rules are stated by themselves. */
const policyHash = ({ trunks, retention }: Config): string => {
  const open = trunks.map(({ digest: _digest, ...trunk }) => trunk);
  return createHash('sha256')
    .update(JSON.stringify({ trunks: open, retention }))
    .digest('hex');
};

function countersOf(recorder: Recorder, { spool }: Ground, bytes: number): Counters {
  const sum = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((total, count) => total + count, 0);
  const { accepted, refused, failed } = recorder.counts;
  return {
    accepted,
    refused: sum(refused),
    failed: sum(failed),
    openNow: recorder.liveCount,
    bytes,
    diskFree: spool.freeBytes(),
  };
}
