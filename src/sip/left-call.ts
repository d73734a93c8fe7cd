import type { LeftCall, OfferedCall, RecordingCall } from '../recorder/call.ts';
import { Continuation } from '../recorder/continuation.ts';
import { planLines } from '../siprec/answer.ts';
import type { SipDialog } from './drachtio.ts';
import { readKept, type DialogSignalling, type KeptDialog } from './kept-dialog.ts';
import { securityPolicy } from './security-policy.ts';
import { describeContent, type CallContext } from './session-content.ts';
import type { Trunk } from './trunks.ts';
import type { WatchedCall } from './watchdog.ts';

/** Our requests of the process before are not remembered one by one; gaps are allowed (RFC 3261 §12.2.1.1). */
const CSEQ_GAP = 1000;

/** A call that was running when the recorder ended without ending it. */
export interface UnfinishedCall {
  readonly kept: KeptDialog;
  readonly context: CallContext;
  /** As the recorder gets it, with the decision of its beginning. */
  readonly offered: OfferedCall;
  readonly left: LeftCall;
}

/** The same with what the recorder made of it. */
export interface ResumedCall extends UnfinishedCall {
  readonly recording: RecordingCall;
}

/**
 * Reads what `DialogKeeper` kept. Undefined when it is of another version, or of a trunk that is not configured any more. The ports of encrypted
 * lines are left out: nothing on them could be read, as their keys died with the process.
 */
export function readUnfinished(
  state: unknown,
  now: {
    readonly trunks: readonly Trunk[];
    readonly dtlsFingerprint: string | undefined;
    /** From when to when there was no recorder, epoch milliseconds. */
    readonly away: { readonly from: number; readonly to: number };
  },
): UnfinishedCall | undefined {
  const left = readKept(state);
  const kept = left && { ...left, signalling: beyond(left.signalling) };
  const trunk = now.trunks.find(({ name }) => name === kept?.call.facts.trunk);
  if (kept === undefined || trunk === undefined) return undefined;
  const { from, to } = now.away;
  const { recording, standing } = kept;
  const context: CallContext = {
    from: kept.identities.from,
    to: kept.identities.to,
    trunk,
    security: securityPolicy(trunk, kept.signalling.protocol, now.dtlsFingerprint),
    continues: { recording, from: new Date(from).toISOString(), to: new Date(to).toISOString() },
  };
  const description = describeContent(kept.content, context);
  return {
    kept,
    context,
    offered: { ...kept.call, offer: kept.content.offer, description },
    left: { recording, ...standing, ports: kept.encrypted ? new Map() : standing.ports },
  };
}

const beyond = (signalling: DialogSignalling): DialogSignalling => ({
  ...signalling,
  ownCSeq: (signalling.ownCSeq ?? signalling.cseq) + CSEQ_GAP,
});

/** Gives a resumed call up when it should be heard, and neither a packet nor a request comes in time. */
export function giveUpUnheard(
  parts: {
    readonly call: Pick<WatchedCall, 'giveUp'>;
    readonly dialog: SipDialog;
    readonly resumed: ResumedCall;
    readonly over: () => void;
  },
  patience: number,
): void {
  const { call, dialog, resumed, over } = parts;
  const { recording } = resumed;
  if (!(recording instanceof Continuation) || recording.waiting || !isSpeaking(resumed)) return;
  const timer = setTimeout(() => {
    if (recording.begun !== undefined) return;
    const why = `neither audio nor a request came within ${Math.round(patience / 1000)} s of the restart`;
    void call.giveUp(why).then(over);
  }, patience).unref();
  for (const event of ['modify', 'update', 'info', 'options', 'destroy'] as const)
    dialog.on(event as 'destroy', () => {
      clearTimeout(timer);
    });
}

/** Whether packets would come while the call goes on: some line is neither paused nor switched off. */
const isSpeaking = ({ kept }: ResumedCall): boolean =>
  planLines(kept.content.offer).some(({ accepted, direction }) => accepted && direction === 'recvonly');
