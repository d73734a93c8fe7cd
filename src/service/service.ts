import { randomBytes } from 'node:crypto';
import { join, relative } from 'node:path';
import { Alarms } from './alarms.ts';
import type { ArchiveLine } from './archive-line.ts';
import type { Config } from '../config.ts';
import { openDeliveryWatch } from './delivery-watch.ts';
import { openDtls } from './dtls-opening.ts';
import { openGround, type Ground } from './ground.ts';
import { openCertificateWatch } from './keys.ts';
import { JobError } from '../jobs/job-error.ts';
import type { NoticePost } from '../jobs/notice.ts';
import type { SealStep } from '../jobs/seal.ts';
import type { Log } from '../log.ts';
import { openAnnouncements, openHearing } from './announcements-opening.ts';
import { openArchive, type Archive } from './archive-opening.ts';
import { LegVerdicts } from './leg-verdicts.ts';
import { MediaWatch } from './media-watch.ts';
import { placeOf } from './destinations.ts';
import { startMediaThreads, type MediaThreadsHost } from '../media/media-threads.ts';
import type { Announcements } from '../recorder/announcements.ts';
import type { Policy } from '../recorder/policy.ts';
import { Recorder } from '../recorder/recorder.ts';
import { startSipServer, type SipServer } from '../sip-server/sip-server.ts';
import { throttled } from '../sip-server/throttled-log.ts';
import type { TlsSettings } from '../sip-server/tls-files.ts';
import { startSipApplication, type SipApplication } from '../sip/application.ts';
import type { DrachtioAddress } from '../sip/connection.ts';
import { Trunks } from '../sip/trunks.ts';
import { ClockConfirmation } from './clock-confirmation.ts';
import { openRetentionKeeper, type RetentionRuns } from './retention-keeper.ts';
import { openOutageWatch } from './outage-opening.ts';
import { QuietHeap } from './quiet-heap.ts';
import { openSpoolWatch } from './spool-watch.ts';
import { openAlarmMail, openPost } from './post-opening.ts';
import { groupLogins, openPolicy } from './policy-opening.ts';
import { openResumption, type Resumption } from './resumption.ts';
import { ShutdownList } from './shutdown-list.ts';
import { openTraces, type Traces } from './trace-opening.ts';
import { VERSION } from '../version.ts';
import { openRefusalBook, readRefusalBook } from '../store/refusal-book.ts';
import { openWeb } from './web-opening.ts';

export interface Service {
  /** What the person at the terminal should know; at most ten lines. */
  readonly banner: readonly string[];
  /** Ends everything in good order before the deadline (epoch milliseconds); see the order inside. */
  stop(deadline: number): Promise<void>;
}

export interface ServiceOptions {
  readonly log: Log;
  /** Tests only: told of every step of a seal. */
  readonly atStep: ((step: SealStep) => void) | undefined;
}

const SOFTWARE = `Sealtape/${VERSION}`;
/** Kept of the time for stopping, after recordings are sealed and delivered, to close the log. */
const FOR_CLOSING = 6000;

/**
 * Starts every part and wires them. SIP ports open last, when everything a call needs is there. Rejects with the error of the
 * part that could not start, after closing what had started.
 */
export async function startService(config: Config, options: ServiceOptions): Promise<Service> {
  const closing = new ShutdownList(options.log);
  try {
    return await start(config, options, closing);
  } catch (error) {
    await closing.run();
    throw error;
  }
}

async function start(config: Config, options: ServiceOptions, closing: ShutdownList): Promise<Service> {
  const { log } = options;
  const alarms = new Alarms(log);
  const post = await openPost(config);
  openAlarmMail(config, { alarms, post, closing, log });
  const ground = await openGround(config, { log, bell: alarms, closing });
  const traces = openTraces(config, log, closing);
  const recording = await openRecording(config, { log, ground, alarms, traces, closing });
  const { media, recorder, resumption, startedAt, dtlsFingerprint } = recording;
  const policy = await openPolicy(config, { recorder, bell: alarms });
  const announcements = await openAnnouncements(config, { recorder, policy, bell: alarms });
  const verdicts = new LegVerdicts(alarms);
  const archive = await openArchive(config, {
    ...options,
    ground,
    recorder,
    media,
    bell: alarms,
    closing,
    startedAt,
    onJudged: verdicts.take,
  });
  const clock = new ClockConfirmation();
  const watched = { log, alarms, post, media, ground, archive, clock, closing };
  const retentionRuns = openWatches(config, watched);
  const deciding = { recorder, policy, announcements };
  const sip = await openSip(config, { ...deciding, log, closing, traces, dtlsFingerprint, resumption });
  const web = await openWeb(config, {
    log,
    ...deciding,
    ground,
    media,
    archive,
    clock,
    retentionRuns,
    alarms,
    verdicts,
    software: SOFTWARE,
    sipUp: () => sip.application.connected,
    sipCounters: () => sip.server?.counters(),
    tracesLeftOut: traces.leftOut,
  });
  closing.add('web', () => web.close());
  await sip.listen();
  const heap = new QuietHeap();
  closing.add('quiet heap', () => {
    heap.stop();
  });
  openOutageWatch({ recorder, media, archive, ground, sip: sip.application, closing, bell: alarms });
  const callsGoOn = config.sip.resume.afterStop && resumption.book !== undefined;
  return {
    banner: banner(config, { ground, sip, webUrl: web.url }),
    stop: (deadline) =>
      stop({ recorder, sip, closing, ground, line: () => archive.line(), callsGoOn }, deadline),
  };
}

/** What records: media threads and recorder, and the calls from before the restart, before the database is asked: they are sending. */
async function openRecording(
  config: Config,
  parts: {
    readonly log: Log;
    readonly ground: Ground;
    readonly alarms: Alarms;
    readonly traces: Traces;
    readonly closing: ShutdownList;
  },
): Promise<{
  readonly media: MediaThreadsHost;
  readonly recorder: Recorder;
  readonly resumption: Resumption;
  readonly startedAt: number;
  readonly dtlsFingerprint: string | undefined;
}> {
  const { log, ground, alarms, traces, closing } = parts;
  const { journal, spool } = ground;
  const dtls = await openDtls(log);
  const media = await startMediaThreads({
    ...config.media,
    dtls,
    rhythm: { ...config.media, segmentSeconds: config.evidence.segmentSeconds },
    log: mediaLog(log),
  });
  closing.add('media', () => media.stop());
  const refusals = join(config.dataDir, 'refusals.json');
  const recorder = new Recorder({
    media,
    journal,
    bell: alarms,
    folders: spool,
    now: Date.now,
    log,
    keys: { sequence: config.stop.keys, keep: config.stop.keepKeys, tones: config.stop.tones },
    signing: ground.keys,
    onDecided: traces.decided,
    refusalBook: openRefusalBook(refusals),
    minFreeBytes: config.spool.whenFull === 'record' ? 0 : config.spool.minFreeMegabytes * 1_000_000,
  });
  // Before any can be counted anew.
  for (const counted of await readRefusalBook(refusals)) await recorder.state(counted);
  await openRefusalBook(refusals).write([]);
  const startedAt = Date.now();
  const dtlsFingerprint = dtls?.fingerprint;
  const resumption = await openResumption(config, {
    log,
    ground,
    recorder,
    dtlsFingerprint,
    bell: alarms,
    closing,
  });
  return { media, recorder, resumption, startedAt, dtlsFingerprint };
}

/** What looks after the parts while they run, and rings. */
function openWatches(
  config: Config,
  parts: {
    readonly log: Log;
    readonly alarms: Alarms;
    readonly post: NoticePost | undefined;
    readonly media: MediaThreadsHost;
    readonly ground: Ground;
    readonly archive: Archive;
    readonly clock: ClockConfirmation;
    readonly closing: ShutdownList;
  },
): RetentionRuns {
  const { log, alarms, post, media, ground, archive, clock, closing } = parts;
  const mediaWatch = new MediaWatch(media, alarms);
  mediaWatch.start();
  closing.add('media watch', () => {
    mediaWatch.stop();
  });
  const spoolWatch = openSpoolWatch({
    fullness: () => ground.spool.fullness(),
    bell: alarms,
    whenFull: config.spool.whenFull,
  });
  closing.add('spool watch', () => {
    spoolWatch.close();
  });
  const deliveryWatch = openDeliveryWatch(config, {
    database: archive.database,
    bell: alarms,
    post,
    log,
  });
  closing.add('delivery watch', () => deliveryWatch.close());
  openCertificateWatch(config, { keys: ground.keys, bell: alarms, closing });
  const retention = openRetentionKeeper(config, { archive, ground, clock, bell: alarms, log });
  closing.add('retention', () => retention.close());
  return retention;
}

const mediaLog = (log: Log): Parameters<typeof startMediaThreads>[0]['log'] => ({
  info: (line) => {
    log('info', line);
  },
  warn: (line) => {
    log('warn', line);
  },
});

export interface Sip {
  readonly application: SipApplication;
  readonly server: SipServer | undefined;
  /** Takes calls from now on. */
  listen(): Promise<void>;
}

interface SipParts {
  readonly log: Log;
  readonly recorder: Recorder;
  readonly policy: Policy;
  readonly announcements: Announcements;
  readonly closing: ShutdownList;
  readonly traces: Traces;
  readonly dtlsFingerprint: string | undefined;
  readonly resumption: Resumption;
}

/** How the application reaches the server of its own process. */
const wayTo = (server: SipServer | undefined): Pick<DrachtioAddress, 'port' | 'within'> => ({
  port: server?.controlPort ?? 0,
  within: server === undefined ? undefined : () => server.connect(),
});

async function openSip(config: Config, parts: SipParts): Promise<Sip> {
  const { log, recorder, policy, closing, traces, dtlsFingerprint, resumption } = parts;
  const secret = randomBytes(32).toString('hex');
  const control = { host: '127.0.0.1', port: 0, secret };
  const trunks = new Trunks(config.trunks);
  const server =
    config.sip.drachtio === undefined
      ? await startSipServer({
          listen: config.sip.listen,
          ...tlsOf(config),
          limits: config.sip.limits,
          control,
          log,
          lenient: (address) => trunks.find(address)?.mode === 'compat',
          seen: traces.see,
        })
      : undefined;
  if (server !== undefined) closing.add('sip server', () => server.close());
  const drachtio = config.sip.drachtio ?? { ...control, ...wayTo(server) };
  // What strangers send must not fill the disk; refused calls are counted in the evidence log and the metrics.
  const quiet = throttled(log);
  const application = await startSipApplication({
    drachtio,
    embeddedServer: server !== undefined,
    ...(server === undefined && { seen: traces.see }),
    trunks: config.trunks,
    ...(config.media.address === undefined ? {} : { mediaAddress: config.media.address }),
    dtlsFingerprint,
    recorder,
    book: resumption.book,
    resumed: resumption,
    former: resumption.former,
    policy,
    logins: groupLogins(policy, recorder),
    ...openHearing(config, parts),
    software: SOFTWARE,
    log: (level, text, fields) => {
      (level === 'error' ? log : quiet)(level, text, fields);
    },
    watch: { probeAfter: config.watch.askSeconds * 1000, lostSilence: config.watch.lostSeconds * 1000 },
  });
  closing.add('sip application', () => application.close());
  server?.restore(resumption.dialogs);
  server?.remember(resumption.former?.calls ?? []);
  return { application, server, listen: () => server?.listen() ?? Promise.resolve() };
}

function tlsOf({ sip }: Config): { readonly tls?: TlsSettings } {
  if (sip.tls === undefined) return {};
  const { clientCa, ...files } = sip.tls;
  return { tls: { ...files, ...(clientCa !== undefined && { ca: clientCa }) } };
}

/**
 * The order of an orderly stop: no new calls, BYE to the clients, files closed, sealed and delivered, then no SIP at all (so that
 * nothing is refused after the log is closed), the closing entry with its checkpoint, and the parts in the reverse order of their start.
 * Rejects with JobError NOT_CLOSED when the database would not take the closing entry; everything is closed then all the same.
 */
async function stop(
  service: {
    readonly recorder: Recorder;
    readonly sip: Sip;
    readonly closing: ShutdownList;
    readonly ground: Pick<Ground, 'keys'>;
    readonly line: () => ArchiveLine | undefined;
    /** The next start takes the calls up again: no BYE. */
    readonly callsGoOn: boolean;
  },
  deadline: number,
): Promise<void> {
  const { recorder, sip, closing, ground } = service;
  sip.application.drain();
  recorder.drain();
  // The recordings end at once, whether or not their clients answer the BYE.
  const { application } = sip;
  const hangUp = service.callsGoOn ? application.hangUpHeard() : application.hangUpAll();
  await Promise.all([recorder.endAll(), hangUp]);
  const line = service.line();
  await line?.workOff(deadline - FOR_CLOSING);
  await sip.application.close();
  await sip.server?.close();
  // Before the log is closed: what is stated behind its end would be the next start's.
  await recorder.flushRefusals();
  try {
    if (line === undefined)
      throw new JobError(
        'NOT_CLOSED',
        `${ground.keys.missing === undefined ? 'the database never answered' : 'the signing keys are missing'}; the journal keeps it all`,
      );
    await line.closeLog(deadline);
  } finally {
    await closing.run();
  }
}

function banner(
  config: Config,
  { ground, sip, webUrl }: { readonly ground: Ground; readonly sip: Sip; readonly webUrl: string },
): readonly string[] {
  const addresses =
    sip.server === undefined
      ? [`by drachtio-server ${config.sip.drachtio?.host ?? ''}`]
      : sip.server.addresses.map(
          ({ protocol, address, port }) => `${protocol}://${bracket(address)}:${port}`,
        );
  const archives = config.destinations.map(placeOf);
  const folders = config.destinations.filter((each) => each.kind === 'path');
  const target = callTarget(sip.server?.addresses ?? []);
  return [
    headline(ground),
    `  SIP          ${addresses.join('  ')}  from ${config.trunks.map(({ name }) => name).join(', ')}`,
    `  Web          ${webUrl}  (queues: ${webUrl}/queues)`,
    `  Archive      ${archives.length === 0 ? `none, recordings stay in ${config.dataDir}/spool` : archives.join('  ')}`,
    `  Certificate  ${ground.fingerprint === undefined ? 'the signing keys cannot be used, see above' : `SHA-256 ${ground.fingerprint}`}`,
    `  Test call    npx sealtape call${target}`,
    `  Verify       npx sealtape-verify ${relative('.', folders[0]?.root ?? config.dataDir) || '.'}`,
  ];
}

function headline({ keys }: Ground): string {
  const up = `Sealtape ${VERSION} is`;
  if (keys.missing === undefined) return `${up} ready to record.`;
  return keys.refusing
    ? `${up} up and TAKES NO CALLS: ${keys.missing.text}`
    : `${up} up and records UNSIGNED: ${keys.missing.text}`;
}

/** Options of the test call, as far as its defaults would not reach this server. */
function callTarget(addresses: SipServer['addresses']): string {
  const udp = addresses.find(({ protocol }) => protocol === 'udp') ?? addresses[0];
  if (udp === undefined || (udp.port === 5060 && /^(?:0\.0\.0\.0|127\.0\.0\.1|::)$/.test(udp.address)))
    return '';
  const host =
    udp.address === '0.0.0.0' ? '127.0.0.1' : udp.address === '::' ? '[::1]' : bracket(udp.address);
  return ` --to sip:${host}:${udp.port}${udp.protocol === 'tcp' ? ' --transport tcp' : ''}`;
}

const bracket = (address: string): string => (address.includes(':') ? `[${address}]` : address);
