import type { RecordingState } from '../jobs/ports.ts';
import type { CallDirection } from '../siprec/description.ts';

/** How times, lengths and states read on the pages. */
export const STATE_WORDS: Readonly<Record<RecordingState, string>> = {
  recording: 'recording',
  ended: 'ended, not sealed yet',
  sealed: 'sealed, on its way',
  delivered: 'sealed and delivered',
  expired: 'deleted after its time',
  failed: 'failed',
};

export const DIRECTION_WORDS: Readonly<Record<CallDirection, string>> = {
  in: 'incoming',
  out: 'outgoing',
  internal: 'internal',
  unknown: 'unknown direction',
};

/** `2026-11-23 18:45:30` in the given zone. */
export function formatTime(milliseconds: number, timeZone: string): string {
  // The Swedish form of a date is the one of ISO 8601.
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(
    milliseconds,
  );
}

/** `0:07`, `12:30`, `1:02:03`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** `1.4 MB`, as file managers show it. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
