import type { Log } from './log.ts';

const WINDOW_MS = 10_000;
const LINES_PER_WINDOW = 20;
/** Texts are constants of ours; this only bounds a mistake. */
const MOST_TEXTS = 1_000;

interface Window {
  until: number;
  lines: number;
  suppressed: number;
}

/**
 * Passes on at most twenty lines of the same text in ten seconds, so that hostile traffic fills no disk. The first line of the next window
 * tells in `suppressed` how many were left out; the counters hold them all.
 */
export function throttled(log: Log, now: () => number = () => performance.now()): Log {
  const windows = new Map<string, Window>();
  return (level, text, fields) => {
    const known = windows.get(text);
    if (known !== undefined && now() < known.until) {
      known.lines += 1;
      if (known.lines <= LINES_PER_WINDOW) log(level, text, fields);
      else known.suppressed += 1;
      return;
    }
    if (windows.size >= MOST_TEXTS) windows.clear();
    windows.set(text, { until: now() + WINDOW_MS, lines: 1, suppressed: 0 });
    const suppressed = known?.suppressed ?? 0;
    log(level, text, suppressed > 0 ? { ...fields, suppressed } : fields);
  };
}
