import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RecordingState } from '../jobs/ports.ts';
import { evidenceMetrics, type EvidenceFigures } from './evidence-metrics.ts';
import type { MediaTotals } from '../media/capture.ts';

/** What the recorder counts, at one moment. Totals run since the start of the process. */
export interface MetricsSnapshot {
  readonly calls: {
    readonly running: number;
    readonly accepted: number;
    /** Kept out by the rules. */
    readonly declined: number;
    /** By reason: a SIP status or a word. */
    readonly refused: Readonly<Record<string, number>>;
    readonly failed: Readonly<Record<string, number>>;
  };
  readonly media: MediaTotals & {
    /** Packets the kernel dropped because a socket's buffer was full: lost by us. */
    readonly overruns: number;
    /** Milliseconds. */
    readonly diskWait: number;
  };
  /** What the embedded SIP server counts; undefined with another one. */
  readonly sip?:
    { readonly events: Readonly<Record<string, number>>; readonly connections: number } | undefined;
  /** SIP messages of which no trace is kept, by whose they are: too many at once, too many of one call, or a disk that refused. */
  readonly tracesLeftOut?: Readonly<Record<string, number>> | undefined;
  /** What the journal did not take: waiting in memory, and lost by kind. */
  readonly statements: { readonly waiting: number; readonly lost: Readonly<Record<string, number>> };
  /** Events on disk that are not in the database yet. */
  readonly journalLag: number;
  readonly databaseUp: boolean;
  readonly redisUp: boolean;
  /** From the database; undefined while it is away. */
  readonly recordings?: Readonly<Partial<Record<RecordingState, number>>>;
  readonly deliveriesWaiting?: number;
  /** Legs of recordings sealed, by verdict. */
  readonly legs?: Readonly<Record<string, number>>;
  /** From the database; undefined while it is away. */
  readonly evidence?: EvidenceFigures | undefined;
  /** Conditions that hold. */
  readonly alarms: readonly { readonly code: string; readonly severity: string }[];
}

export interface Metrics {
  /** Prometheus text format. */
  text(): Promise<string>;
  /** Seconds from the end of a recording to its seal. */
  observeSeal(seconds: number): void;
}

const SEAL_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300];
const STATES: readonly RecordingState[] = ['recording', 'ended', 'sealed', 'delivered', 'expired', 'failed'];

/** The recorder's metrics; `snapshot` is asked at each scrape. */
export function createMetrics(snapshot: () => Promise<MetricsSnapshot>): Metrics {
  const registry = new Registry();
  // Process and Node figures, the event loop's lag among them.
  collectDefaultMetrics({ register: registry });
  const setEvidence = evidenceMetrics(registry);
  const apply = [
    callMetrics(registry),
    mediaMetrics(registry),
    sipMetrics(registry),
    logMetrics(registry),
    alarmMetrics(registry),
    legMetrics(registry),
  ];
  const seal = new Histogram({
    name: 'sealtape_seal_seconds',
    help: 'Time from the end of a recording to its seal',
    buckets: SEAL_BUCKETS,
    registers: [registry],
  });
  return {
    text: async () => {
      const now = await snapshot();
      for (const set of apply) set(now);
      setEvidence(now.evidence);
      return registry.metrics();
    },
    observeSeal: (seconds) => {
      seal.observe(seconds);
    },
  };
}

type Apply = (now: MetricsSnapshot) => void;

function callMetrics(registry: Registry): Apply {
  const registers = [registry];
  const running = new Gauge({ name: 'sealtape_calls_running', help: 'Calls being recorded now', registers });
  const accepted = total(registry, 'sealtape_calls_accepted_total', 'Calls accepted for recording');
  const declined = total(registry, 'sealtape_calls_declined_total', 'Calls that the rules kept out');
  const refused = byReason(registry, 'sealtape_calls_refused_total', 'Calls refused, by reason');
  const failed = byReason(
    registry,
    'sealtape_calls_failed_total',
    'Accepted calls without a recording, by reason',
  );
  return ({ calls }) => {
    running.set(calls.running);
    accepted(calls.accepted);
    declined(calls.declined);
    refused(calls.refused);
    failed(calls.failed);
  };
}

function mediaMetrics(registry: Registry): Apply {
  const packets = total(registry, 'sealtape_rtp_packets_total', 'RTP packets received');
  const octets = total(registry, 'sealtape_rtp_octets_total', 'Octets of audio received');
  const lost = total(registry, 'sealtape_rtp_packets_lost_total', 'RTP packets that never arrived');
  const late = total(registry, 'sealtape_rtp_packets_late_total', 'RTP packets too late to be recorded');
  const rejected = total(
    registry,
    'sealtape_rtp_packets_rejected_total',
    'Datagrams that were no usable RTP',
  );
  const foreign = total(
    registry,
    'sealtape_rtp_packets_foreign_total',
    'Packets from senders outside the media networks of their trunk',
  );
  const dropped = total(
    registry,
    'sealtape_rtp_packets_dropped_total',
    'Packets the kernel dropped because a receive buffer was full',
  );
  const unwritten = total(
    registry,
    'sealtape_rtp_packets_unwritten_total',
    'Packets not recorded because the disk did not take what came before',
  );
  const diskWait = new Gauge({
    name: 'sealtape_media_disk_wait_seconds',
    help: 'How long the disk has not answered the oldest write of audio',
    registers: [registry],
  });
  const unauthentic = total(
    registry,
    'sealtape_srtp_packets_unauthentic_total',
    'Packets of encrypted lines that no key fitted',
  );
  const handshakes = total(
    registry,
    'sealtape_dtls_handshakes_failed_total',
    'DTLS handshakes that came to nothing; their legs are not heard',
  );
  const cpu = total(registry, 'sealtape_media_cpu_seconds_total', 'CPU time of the media threads');
  return ({ media }) => {
    packets(media.packets);
    octets(media.octets);
    lost(media.lost);
    late(media.late);
    rejected(media.rejected);
    foreign(media.foreign);
    dropped(media.overruns);
    unwritten(media.unwritten);
    diskWait.set(media.diskWait / 1000);
    unauthentic(media.unauthentic);
    handshakes(media.handshakesFailed);
    cpu(media.cpuSeconds);
  };
}

function sipMetrics(registry: Registry): Apply {
  const events = byReason(
    registry,
    'sealtape_sip_events_total',
    'Messages and connections of SIP, by kind',
    'kind',
  );
  const connections = new Gauge({
    name: 'sealtape_sip_connections',
    help: 'Open TCP and TLS connections',
    registers: [registry],
  });
  const leftOut = byReason(
    registry,
    'sealtape_sip_traces_left_out_total',
    'SIP messages not kept for traces: floods, calls over their share, a disk that refused',
    'of',
  );
  return ({ sip, tracesLeftOut }) => {
    if (tracesLeftOut !== undefined) leftOut(tracesLeftOut);
    if (sip === undefined) return;
    events(sip.events);
    connections.set(sip.connections);
  };
}

function logMetrics(registry: Registry): Apply {
  const registers = [registry];
  const lag = new Gauge({ name: 'sealtape_journal_lag', help: 'Events not in the database yet', registers });
  const database = new Gauge({
    name: 'sealtape_database_up',
    help: '1 when the database answers',
    registers,
  });
  const redis = new Gauge({ name: 'sealtape_redis_up', help: '1 when Redis answers', registers });
  const waiting = new Gauge({
    name: 'sealtape_deliveries_waiting',
    help: 'Copies not yet in their archive',
    registers,
  });
  const recordings = new Gauge({
    name: 'sealtape_recordings',
    help: 'Recordings in the log, by state',
    labelNames: ['state'],
    registers,
  });
  const unstated = new Gauge({
    name: 'sealtape_statements_waiting',
    help: 'Events that wait in memory because the journal takes nothing',
    registers,
  });
  const lost = byReason(
    registry,
    'sealtape_statements_lost_total',
    'Events that could not be kept, by kind',
    'kind',
  );
  return (now) => {
    lag.set(now.journalLag);
    unstated.set(now.statements.waiting);
    lost(now.statements.lost);
    database.set(now.databaseUp ? 1 : 0);
    redis.set(now.redisUp ? 1 : 0);
    // No figure beats an old one: an alert on absence is possible, one on a frozen number is not.
    if (now.deliveriesWaiting === undefined) waiting.remove();
    else waiting.set(now.deliveriesWaiting);
    recordings.reset();
    if (now.recordings === undefined) return;
    for (const state of STATES) recordings.set({ state }, now.recordings[state] ?? 0);
  };
}

function alarmMetrics(registry: Registry): Apply {
  const alarms = new Gauge({
    name: 'sealtape_alarms',
    help: 'Alarms that hold now, by code and severity',
    labelNames: ['code', 'severity'],
    registers: [registry],
  });
  return (now) => {
    alarms.reset();
    for (const { code, severity } of now.alarms) alarms.inc({ code, severity });
  };
}

function legMetrics(registry: Registry): Apply {
  const verdicts = byReason(
    registry,
    'sealtape_legs_total',
    'Legs of sealed recordings, by verdict',
    'verdict',
  );
  return ({ legs }) => {
    if (legs !== undefined) verdicts(legs);
  };
}

/** A counter whose value is kept elsewhere. */
function total(registry: Registry, name: string, help: string): (value: number) => void {
  const counter = new Counter({ name, help, registers: [registry] });
  return (value) => {
    counter.reset();
    counter.inc(value);
  };
}

function byReason(
  registry: Registry,
  name: string,
  help: string,
  label = 'reason',
): (values: Readonly<Record<string, number>>) => void {
  const counter = new Counter({ name, help, labelNames: [label], registers: [registry] });
  return (values) => {
    counter.reset();
    for (const [reason, value] of Object.entries(values)) counter.inc({ [label]: reason }, value);
  };
}
