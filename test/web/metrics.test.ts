import { expect, test } from '@jest/globals';
import { createMetrics, type MetricsSnapshot } from '../../src/web/metrics.ts';

const SNAPSHOT: MetricsSnapshot = {
  calls: { running: 3, accepted: 40, declined: 5, refused: { '403': 2, '488': 1 }, failed: { 'no-rtp': 1 } },
  media: {
    captures: 3,
    packets: 1000,
    octets: 160_000,
    lost: 4,
    late: 1,
    rejected: 2,
    unwritten: 4,
    diskWait: 2500,
    foreign: 7,
    overruns: 3,
    unauthentic: 1,
    handshakesFailed: 2,
    cpuSeconds: 1.5,
  },
  sip: { events: { malformed: 9, rate_limited: 8 }, connections: 2 },
  tracesLeftOut: { trunks: 2, strangers: 11 },
  statements: { waiting: 3, lost: { noted: 2 } },
  journalLag: 5,
  databaseUp: true,
  redisUp: false,
  recordings: { delivered: 36, recording: 3 },
  deliveriesWaiting: 7,
  legs: { good: 70, degraded: 3, faulty: 2 },
  evidence: {
    entries: 120,
    epoch: 2,
    checkpoint: { size: 100, age: 30 },
    anchorAge: undefined,
    stamps: [
      { authority: 'tsa1', waiting: 2, age: 4000 },
      { authority: 'tsa2', waiting: 0, age: undefined },
    ],
    peers: [
      { name: 'rec02', entries: 77, age: 12, forked: false },
      { name: 'rec03', entries: 5, age: undefined, forked: true },
    ],
  },
  alarms: [
    { code: 'destination-away', severity: 'warning' },
    { code: 'destination-away', severity: 'warning' },
  ],
};

const lines = async (text: Promise<string>): Promise<readonly string[]> => (await text).split('\n');

test('a scrape shows the snapshot', async () => {
  const scraped = await lines(createMetrics(() => Promise.resolve(SNAPSHOT)).text());
  expect(scraped).toEqual(
    expect.arrayContaining([
      'sealtape_legs_total{verdict="faulty"} 2',
      'sealtape_rtp_packets_unwritten_total 4',
      'sealtape_media_disk_wait_seconds 2.5',
      'sealtape_calls_running 3',
      'sealtape_calls_accepted_total 40',
      'sealtape_calls_declined_total 5',
      'sealtape_calls_refused_total{reason="403"} 2',
      'sealtape_calls_failed_total{reason="no-rtp"} 1',
      'sealtape_rtp_packets_total 1000',
      'sealtape_rtp_packets_lost_total 4',
      'sealtape_rtp_packets_late_total 1',
      'sealtape_dtls_handshakes_failed_total 2',
      'sealtape_sip_events_total{kind="malformed"} 9',
      'sealtape_sip_events_total{kind="rate_limited"} 8',
      'sealtape_sip_connections 2',
      'sealtape_sip_traces_left_out_total{of="trunks"} 2',
      'sealtape_sip_traces_left_out_total{of="strangers"} 11',
      'sealtape_statements_waiting 3',
      'sealtape_statements_lost_total{kind="noted"} 2',
      'sealtape_journal_lag 5',
      'sealtape_database_up 1',
      'sealtape_redis_up 0',
      'sealtape_recordings{state="delivered"} 36',
      'sealtape_recordings{state="failed"} 0',
      'sealtape_deliveries_waiting 7',
      'sealtape_alarms{code="destination-away",severity="warning"} 2',
    ]),
  );
  expect(scraped.filter((line) => /^sealtape_(?:evidence|peer)_/.test(line))).toEqual([
    'sealtape_evidence_entries 120',
    'sealtape_evidence_epoch 2',
    'sealtape_evidence_checkpoint_entries 100',
    'sealtape_evidence_checkpoint_age_seconds 30',
    'sealtape_evidence_stamps_waiting{authority="tsa1"} 2',
    'sealtape_evidence_stamps_waiting{authority="tsa2"} 0',
    'sealtape_evidence_stamp_age_seconds{authority="tsa1"} 4000',
    'sealtape_peer_entries{peer="rec02"} 77',
    'sealtape_peer_entries{peer="rec03"} 5',
    'sealtape_peer_age_seconds{peer="rec02"} 12',
    'sealtape_peer_forked{peer="rec02"} 0',
    'sealtape_peer_forked{peer="rec03"} 1',
  ]);
  expect(scraped.some((line) => line.startsWith('nodejs_eventloop_lag_seconds '))).toBe(true);
});

test('totals follow the newest snapshot and are not added up', async () => {
  let accepted = 1;
  const metrics = createMetrics(() =>
    Promise.resolve({ ...SNAPSHOT, calls: { ...SNAPSHOT.calls, accepted: accepted++ } }),
  );
  await metrics.text();
  expect(await lines(metrics.text())).toContain('sealtape_calls_accepted_total 2');
});

test('what the database knows disappears while it is away', async () => {
  const { recordings, deliveriesWaiting, evidence, ...rest } = SNAPSHOT;
  let current: MetricsSnapshot = {
    ...rest,
    ...(recordings && { recordings }),
    ...(deliveriesWaiting && { deliveriesWaiting }),
    ...(evidence && { evidence }),
  };
  const metrics = createMetrics(() => Promise.resolve(current));
  const before = await metrics.text();
  expect(before).toContain('sealtape_recordings{');
  expect(before).toContain('sealtape_evidence_entries 120\n');
  current = { ...rest, databaseUp: false };
  const text = await metrics.text();
  expect(text).not.toMatch(/^sealtape_(recordings\{|deliveries_waiting |evidence_|peer_)/m);
  expect(text).toContain('sealtape_database_up 0');
});

test('seals are counted by how long they took', async () => {
  const metrics = createMetrics(() => Promise.resolve(SNAPSHOT));
  metrics.observeSeal(0.3);
  metrics.observeSeal(3);
  expect(await lines(metrics.text())).toEqual(
    expect.arrayContaining([
      'sealtape_seal_seconds_bucket{le="0.5"} 1',
      'sealtape_seal_seconds_bucket{le="5"} 2',
      'sealtape_seal_seconds_count 2',
    ]),
  );
});
