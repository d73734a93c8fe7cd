import type { Alarm, AlarmBell } from '../alarm.ts';

export interface SpoolWatchParts {
  /** How full the spool's disk is, 0 to 1. */
  readonly fullness: () => number;
  readonly bell: AlarmBell;
  /** What happens to calls when nothing more fits. */
  readonly whenFull: 'refuse' | 'record';
}

/** Percent of the disk at which operators hear of it, each level once; the last one is critical. */
const LEVELS = [80, 90, 95] as const;
/** An alarm goes when the disk has become this much emptier than its level, so that it does not come and go with every call. */
const SLACK = 2;
const LOOK_EVERY = 5000;

const CODE = 'spool-filling';

/** Raises and clears the alarms about the spool's disk, until closed. */
export function openSpoolWatch(parts: SpoolWatchParts): { look(): void; close(): void } {
  const holding = new Set<number>();
  const look = (): void => {
    const percent = parts.fullness() * 100;
    for (const level of LEVELS)
      if (percent >= level && !holding.has(level)) {
        holding.add(level);
        parts.bell.raise(alarmAt(level, parts.whenFull));
      } else if (percent < level - SLACK && holding.delete(level)) parts.bell.clear(CODE, String(level));
  };
  const timer = setInterval(look, LOOK_EVERY);
  timer.unref();
  look();
  return {
    look,
    close: () => {
      clearInterval(timer);
    },
  };
}

function alarmAt(level: (typeof LEVELS)[number], whenFull: SpoolWatchParts['whenFull']): Alarm {
  const consequence = whenFull === 'refuse' ? 'new calls will be refused' : 'audio of new calls will be lost';
  return {
    code: CODE,
    subject: String(level),
    severity: level === LEVELS[2] ? 'critical' : 'warning',
    text: `the spool's disk is more than ${level} % full; when it is full, ${consequence}`,
  };
}
