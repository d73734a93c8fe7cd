import { z } from 'zod';
import { HEALTH_PARTS, type HealthReport } from '../health.ts';
import { apiRoute, type ApiRoute } from './route.ts';

const Part = z.object({ ok: z.boolean(), detail: z.string().optional() });

const ActiveAlarm = z.object({
  code: z.string(),
  subject: z.string().optional().describe('what it is about, for example a destination'),
  severity: z.enum(['warning', 'critical']),
  text: z.string(),
  since: z.number().describe('epoch milliseconds'),
});

const Status = z.object({
  software: z.string(),
  recording: z.boolean().describe('whether a call offered now would be recorded, if the rules say so'),
  parts: z.object(Object.fromEntries(HEALTH_PARTS.map((part) => [part, Part]))),
  alarms: z.array(ActiveAlarm).readonly().describe('what somebody must do something about'),
});

/** What the recorder is and how it does. */
export const systemRoutes = (sources: {
  readonly software: string;
  readonly health: () => Promise<HealthReport>;
}): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/status',
    tag: 'system',
    summary: 'Whether it records, part by part',
    answer: Status,
    handle: async () => ({ software: sources.software, ...(await sources.health()) }),
  }),
];
