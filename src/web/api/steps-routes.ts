import { z } from 'zod';
import { spanQuery, type Span } from './newest-first.ts';
import { apiRoute, type ApiRoute } from './route.ts';

/** What these routes need; `store/policy-queries.ts` fits. */
export interface ActorSteps {
  /** Newest first. */
  stepsOfActors(on: Span & { readonly actor?: string | undefined }): Promise<
    readonly {
      readonly at: number;
      readonly step: string;
      readonly outcome: 'ok' | 'warning' | 'error';
      readonly actor?: string;
      readonly detail?: string;
      readonly recording?: string;
    }[]
  >;
}

const Step = z.object({
  at: z.number(),
  actor: z.string(),
  step: z.string(),
  outcome: z.enum(['ok', 'warning', 'error']),
  detail: z.string().optional(),
  recording: z.uuid().optional(),
});

/** Who did what: by API, at a phone, in the configuration file. */
export const stepsRoutes = (log: ActorSteps): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/steps',
    tag: 'system',
    summary: 'What somebody changed, or was refused to change, newest first',
    query: z.strictObject({
      actor: z.string().min(1).max(200).optional().describe('exactly as it stands in a step'),
      ...spanQuery,
    }),
    answer: z.object({ steps: z.array(Step) }),
    handle: async ({ query }) => ({
      steps: (await log.stepsOfActors(query)).map(({ actor = '', ...step }) => ({ actor, ...step })),
    }),
  }),
];
