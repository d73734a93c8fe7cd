import { pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One line of the operating log. Fields never hold audio, keys or whole messages. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** JSON lines on standard error, for journald or a container's log; level as configured. */
export function openLog(level: LogLevel): Log {
  const lines = pino.destination(2);
  // Whoever read the lines is gone; the recorder goes on.
  lines.on('error', () => undefined);
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, lines);
  return (at, message, fields) => {
    logger[at](fields ?? {}, message);
  };
}

const WEIGHT: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const LABEL: Record<LogLevel, string> = { debug: 'debug', info: 'info', warn: 'warning', error: 'ERROR' };

/**
 * The log of a recorder somebody started by hand: short lines for people. What goes well is told by the banner and the pages, so
 * of the level "info" only warnings and errors are shown; "debug" shows everything.
 */
export function openTerminalLog(level: LogLevel, write: (line: string) => void): Log {
  const least = level === 'info' ? WEIGHT.warn : WEIGHT[level];
  return (at, message, fields = {}) => {
    if (WEIGHT[at] < least) return;
    const details = Object.entries(fields).map(([name, value]) => `${name}: ${plain(value)}`);
    const time = new Date().toISOString().slice(11, 19);
    write(
      `${time} ${LABEL[at]}: ${plain(message)}${details.length === 0 ? '' : ` (${details.join(', ')})`}\n`,
    );
  };
}

/** Characters that would move the cursor, which a message from the network may contain, become visible. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '\uFFFD');
}
