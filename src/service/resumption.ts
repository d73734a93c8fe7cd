import type { AlarmBell } from '../alarm.ts';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import { Continuation } from '../recorder/continuation.ts';
import type { Recorder } from '../recorder/recorder.ts';
import type { LeftDialog } from '../sip-server/restored-dialogs.ts';
import { readUnfinished, type ResumedCall, type UnfinishedCall } from '../sip/left-call.ts';
import { FormerCalls, isFormer, readFormer, type FormerCall } from '../sip/former-calls.ts';
import { openDialogBook, type DialogBook } from '../store/dialog-book.ts';
import type { Ground } from './ground.ts';
import type { ShutdownList } from './shutdown-list.ts';

/** The calls that the process before left running. */
export interface Resumption {
  /** Where running calls are kept from now on; undefined when none is to be taken up. */
  readonly book: DialogBook | undefined;
  readonly calls: readonly ResumedCall[];
  /** Those that are not taken up, of which only the end is still of interest. */
  readonly former: FormerCalls | undefined;
  /** How long each may be unheard, in ms. */
  readonly patience: number;
  /** For our own SIP server; a drachtio-server has them still. */
  readonly dialogs: readonly LeftDialog[];
}

const NOT_RECORDED = 'calls-not-resumed';

/**
 * Opens the ports of calls that were running when the recorder was killed, so that what they send is kept from here on. Those that are too old,
 * or of which too little is known, are left. Rejects with StoreError DISK.
 */
export async function openResumption(
  config: Config,
  parts: {
    readonly ground: Pick<Ground, 'lastAlive'>;
    readonly recorder: Recorder;
    readonly dtlsFingerprint: string | undefined;
    readonly bell: AlarmBell;
    readonly closing: ShutdownList;
    readonly log: Log;
  },
): Promise<Resumption> {
  const { seconds } = config.sip.resume;
  const patience = seconds * 1000;
  if (seconds === 0) return { book: undefined, calls: [], former: undefined, patience, dialogs: [] };
  const { recorder, bell, closing, log } = parts;
  const { book, left } = await openDialogBook(config.dataDir, { log });
  closing.add('dialog book', () => book.close());
  const calls: ResumedCall[] = [];
  const former: FormerCall[] = [];
  for (const [id, state] of left) {
    const unfinished = young(state, config, parts);
    if (typeof unfinished === 'string') {
      const ending = readFormer(state, Date.now());
      if (ending === undefined) book.forget(id);
      else former.push(ending);
      if (!isFormer(state))
        log('warn', 'a call that was running is not taken up again', { call: id, why: unfinished });
      continue;
    }
    const recording = await recorder.takeUp(unfinished.offered, unfinished.left);
    calls.push({ ...unfinished, recording });
    log('warn', 'a call that was running is taken up again', {
      recording: unfinished.left.recording,
      callId: unfinished.kept.signalling.callId,
      how: howOf(recording, unfinished),
    });
  }
  watchWaiting(calls, bell);
  return {
    book,
    calls,
    former: new FormerCalls(former, book, (call) => {
      stateEnd(call, recorder);
    }),
    patience,
    dialogs: calls.map(dialogOf),
  };
}

/** The recording is sealed; when its call ended is a line in its log. */
function stateEnd({ recording }: FormerCall, recorder: Pick<Recorder, 'state'>): void {
  const detail = 'its client sent BYE after the restart';
  void recorder.state({ type: 'noted', at: Date.now(), recording, step: 'call over', detail });
}

/** The call, or why it is left. */
function young(
  state: unknown,
  config: Config,
  {
    ground,
    dtlsFingerprint,
  }: { readonly ground: Pick<Ground, 'lastAlive'>; readonly dtlsFingerprint: string | undefined },
): UnfinishedCall | string {
  const to = Date.now();
  const { lastAlive } = ground;
  if (lastAlive === undefined) return 'nobody knows how long the recorder was away';
  const { trunks, sip } = config;
  const away = Math.round((to - lastAlive) / 1000);
  if (away > sip.resume.seconds) return `the recorder was away for ${away} s`;
  const call = readUnfinished(state, { trunks, dtlsFingerprint, away: { from: lastAlive, to } });
  return call ?? 'it was kept by another version, or its trunk is not configured any more';
}

function howOf(recording: ResumedCall['recording'], { kept }: UnfinishedCall): string {
  if (!(recording instanceof Continuation)) return 'its dialog only, as nothing of it was kept before';
  if (!recording.waiting) return 'on its ports';
  return kept.encrypted
    ? 'with its next re-INVITE: the keys of its audio are gone'
    : 'with its next re-INVITE: its ports cannot be had';
}

/** An operator must know of calls that go on and are not recorded. */
function watchWaiting(calls: readonly ResumedCall[], bell: AlarmBell): void {
  const waiting = new Set(calls.flatMap(({ recording }) => (isWaiting(recording) ? [recording] : [])));
  const tell = (): void => {
    for (const each of waiting) if (!isWaiting(each)) waiting.delete(each);
    if (waiting.size === 0) bell.clear(NOT_RECORDED);
    else
      bell.raise({
        code: NOT_RECORDED,
        severity: 'critical',
        text: `${waiting.size} calls from before the restart go on and are not recorded until their client sends a re-INVITE: their audio is encrypted, or their ports cannot be had`,
        fields: { calls: waiting.size },
      });
  };
  for (const each of waiting) each.onStanding(tell);
  if (waiting.size > 0) tell();
}

const isWaiting = (recording: ResumedCall['recording']): boolean =>
  recording instanceof Continuation && recording.waiting;

const dialogOf = ({ kept }: ResumedCall): LeftDialog => ({
  ...kept.signalling,
  localSdp: kept.answers.last,
});
