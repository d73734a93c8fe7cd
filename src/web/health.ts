/** The parts a recorder consists of, in the order a call meets them. */
export const HEALTH_PARTS = ['sip', 'media', 'journal', 'spool', 'database', 'redis'] as const;

type HealthPart = (typeof HEALTH_PARTS)[number];

interface PartHealth {
  readonly ok: boolean;
  /** For people: what is wrong, or a figure worth knowing. */
  readonly detail?: string;
}

export interface HealthReport {
  /** Whether a call offered now would be recorded; a database that is away does not prevent that. */
  readonly recording: boolean;
  readonly parts: Readonly<Record<HealthPart, PartHealth>>;
}

export const isHealthy = (report: HealthReport): boolean =>
  report.recording && HEALTH_PARTS.every((part) => report.parts[part].ok);
