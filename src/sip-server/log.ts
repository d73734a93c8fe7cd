export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** The exception barrier: whatever one datagram, segment, frame or timer does wrong ends here, in the log. */
export function guarded(log: Log, what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    log('error', `sip server: ${what} failed`, { error });
  }
}
