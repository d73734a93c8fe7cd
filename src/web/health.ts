/** The parts a recorder consists of, in the order a call meets them. */
export const HEALTH_PARTS = ['sip', 'media', 'journal', 'spool', 'database', 'keys', 'redis'] as const;

type HealthPart = (typeof HEALTH_PARTS)[number];

interface PartHealth {
  readonly ok: boolean;
  /** For people: what is wrong, or a figure worth knowing. */
  readonly detail?: string;
}

/** A condition that somebody must do something about, as `src/alarm.ts` has it. */
interface ActiveAlarm {
  readonly code: string;
  readonly subject?: string;
  readonly severity: 'warning' | 'critical';
  readonly text: string;
  /** Epoch milliseconds. */
  readonly since: number;
}

export interface HealthReport {
  /** Whether a call offered now would be recorded; a database that is away does not prevent that. */
  readonly recording: boolean;
  readonly parts: Readonly<Record<HealthPart, PartHealth>>;
  /** Longest first. They alone make no part unhealthy. */
  readonly alarms: readonly ActiveAlarm[];
}

export const isHealthy = (report: HealthReport): boolean =>
  report.recording && HEALTH_PARTS.every((part) => report.parts[part].ok);
