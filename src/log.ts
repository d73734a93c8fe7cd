import { pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One line of the operating log. Fields never hold audio, keys or whole messages. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** JSON lines on standard error, for journald or a container's log; level as configured. */
export function openLog(level: LogLevel): Log {
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
  return (at, message, fields) => {
    logger[at](fields ?? {}, message);
  };
}
