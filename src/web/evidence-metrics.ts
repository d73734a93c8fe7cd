import { Gauge, type Registry } from 'prom-client';

/** What is known of the evidence log at one moment. Times are seconds that have passed since. */
export interface EvidenceFigures {
  /** Entries of the log, and its epoch: more than one means that it could not be continued once. */
  readonly entries: number;
  readonly epoch: number;
  /** The newest checkpoint that left; undefined before the first. */
  readonly checkpoint: { readonly size: number; readonly age: number } | undefined;
  /** Since the newest entry that anchors the log outside, or another log in it. */
  readonly anchorAge: number | undefined;
  readonly stamps: readonly {
    readonly authority: string;
    readonly waiting: number;
    /** Since the newest stamp came; undefined before the first. */
    readonly age: number | undefined;
  }[];
  readonly peers: readonly {
    readonly name: string;
    readonly entries: number;
    /** Since it last showed a log that continues what was seen; undefined when not since our start. */
    readonly age: number | undefined;
    readonly forked: boolean;
  }[];
}

/** Sets the gauges of the evidence log. What is not known, or is not known now, has no value: no figure beats an old one. */
export function evidenceMetrics(registry: Registry): (figures: EvidenceFigures | undefined) => void {
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> =>
    new Gauge({ name: `sealtape_${name}`, help, labelNames, registers: [registry] });
  const entries = gauge('evidence_entries', 'Entries of the evidence log');
  const epoch = gauge('evidence_epoch', 'Epoch of the evidence log');
  const size = gauge('evidence_checkpoint_entries', 'Entries that the newest exported checkpoint covers');
  const age = gauge('evidence_checkpoint_age_seconds', 'Since the newest exported checkpoint was signed');
  const anchorAge = gauge('evidence_anchor_age_seconds', 'Since the newest anchor entry');
  const waiting = gauge('evidence_stamps_waiting', 'Time stamps due, by authority', ['authority']);
  const stampAge = gauge('evidence_stamp_age_seconds', 'Since the newest time stamp came, by authority', [
    'authority',
  ]);
  const peerEntries = gauge('peer_entries', 'Entries of a peer whose checkpoint was cosigned last', ['peer']);
  const peerAge = gauge('peer_age_seconds', 'Since a peer last showed a log that continues what was seen', [
    'peer',
  ]);
  const forked = gauge('peer_forked', '1 when a peer showed a log with two faces', ['peer']);
  return (figures) => {
    for (const each of [entries, epoch, size, age, anchorAge]) each.remove();
    for (const each of [waiting, stampAge, peerEntries, peerAge, forked]) each.reset();
    if (figures === undefined) return;
    entries.set(figures.entries);
    epoch.set(figures.epoch);
    if (figures.checkpoint !== undefined) {
      size.set(figures.checkpoint.size);
      age.set(figures.checkpoint.age);
    }
    if (figures.anchorAge !== undefined) anchorAge.set(figures.anchorAge);
    for (const stamp of figures.stamps) {
      waiting.set({ authority: stamp.authority }, stamp.waiting);
      if (stamp.age !== undefined) stampAge.set({ authority: stamp.authority }, stamp.age);
    }
    for (const peer of figures.peers) {
      peerEntries.set({ peer: peer.name }, peer.entries);
      forked.set({ peer: peer.name }, peer.forked ? 1 : 0);
      if (peer.age !== undefined) peerAge.set({ peer: peer.name }, peer.age);
    }
  };
}
