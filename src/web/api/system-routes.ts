import { z } from 'zod';
import { HEALTH_PARTS, type HealthReport } from '../health.ts';
import { apiRoute, type ApiRoute } from './route.ts';

const Part = z.object({ ok: z.boolean(), detail: z.string().optional() });

const Status = z.object({
  software: z.string(),
  recording: z.boolean().describe('whether a call offered now would be recorded, if the rules say so'),
  parts: z.object(Object.fromEntries(HEALTH_PARTS.map((part) => [part, Part]))),
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
