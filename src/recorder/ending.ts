import type { CaptureResult } from '../media/capture.ts';
import type { EndReason, RecorderEvent } from './events.ts';
import { statusOf } from './session-state.ts';

/** What the log will state about the end: a recording, or a failure when no audio ever came. */
export function endOf(
  end: {
    readonly recording: string;
    readonly reason: EndReason;
    readonly at: number;
    readonly damaged: boolean;
  },
  capture: CaptureResult,
): RecorderEvent {
  const { recording, reason, at } = end;
  if (capture.files.length > 0)
    return { type: 'ended', recording, at, reason, status: statusOf(reason, end.damaged), capture };
  if (reason === 'stopped')
    return { type: 'failed', recording, at, reason: 'stopped', detail: 'stopped before any audio' };
  if (end.damaged)
    return { type: 'failed', recording, at, reason: 'disk', detail: 'audio could not be written' };
  if (reason === 'cancelled')
    return { type: 'failed', recording, at, reason: 'cancelled', detail: 'cancelled before any audio' };
  if (reason === 'crash')
    return { type: 'failed', recording, at, reason: 'crash', detail: 'no audio found on disk' };
  return { type: 'failed', recording, at, reason: 'no-rtp', detail: describeSilence(capture) };
}

function describeSilence(capture: CaptureResult): string {
  const received = capture.legs.reduce((sum, leg) => sum + leg.received + leg.rejected, 0);
  const strangers = capture.legs.flatMap((leg) => leg.foreignSources ?? []);
  if (received === 0 && strangers.length > 0)
    return `packets came only from ${strangers.join(', ')}, outside the media networks of the trunk`;
  const silence =
    received === 0 ? 'no packet arrived' : `${received} packets arrived, none with audio to record`;
  const said = capture.legs.flatMap(({ connectivity = [], keyExchange = [] }) => [connectivity, keyExchange]);
  return [...new Set([silence, ...said.flat()])].join('; ');
}
