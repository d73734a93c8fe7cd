import type { MediaThreadsHost } from '../media/media-threads.ts';
import type { Recorder } from '../recorder/recorder.ts';
import type { OutageCause } from './outage-watch.ts';

export interface OutageParts {
  readonly recorder: Pick<Recorder, 'spoolFull' | 'withoutPortsSince'>;
  readonly media: Pick<MediaThreadsHost, 'running' | 'diskWait'>;
  readonly archive: { databaseAnswers(): boolean };
  readonly ground: {
    readonly journal: { readonly writable: boolean };
    readonly keys: { readonly missing: { readonly since: number } | undefined };
    readonly lastAlive: number | undefined;
  };
  readonly sip: { readonly connected: boolean };
}

/** A disk that takes so long for one write is not merely busy, in ms. */
const STALLED = 3000;
/** A database that restarts is back by then, and nobody has missed anything. */
const LONG = 60_000;

const since = (isOut: boolean): number => (isOut ? 1 : 0);

/** What keeps calls from being recorded (`database`: from getting into the log), as far as the recorder sees it. */
export function outageCauses({ recorder, media, archive, ground, sip }: OutageParts): readonly OutageCause[] {
  const threads = media.running;
  return [
    { cause: 'spool-full', after: 0, outFor: () => since(recorder.spoolFull) },
    { cause: 'ports', after: 0, outFor: () => timeSince(recorder.withoutPortsSince) },
    { cause: 'journal', after: 0, outFor: () => since(!ground.journal.writable) },
    { cause: 'disk', after: STALLED, outFor: () => media.diskWait() },
    // Each carries its part of the calls.
    { cause: 'media', after: 0, outFor: () => since(media.running < threads) },
    { cause: 'sip', after: 0, outFor: () => since(!sip.connected) },
    { cause: 'database', after: LONG, outFor: () => since(!archive.databaseAnswers()) },
    // The log of the process before was not gone on with either: nothing but this states since when.
    { cause: 'keys', after: 0, outFor: () => missingFor(ground) },
  ];
}

const timeSince = (moment: number | undefined): number =>
  moment === undefined ? 0 : Math.max(1, Date.now() - moment);

function missingFor({ keys, lastAlive }: OutageParts['ground']): number {
  const { missing } = keys;
  return missing === undefined ? 0 : timeSince(lastAlive ?? missing.since);
}
