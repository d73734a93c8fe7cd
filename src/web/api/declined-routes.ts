import { z } from 'zod';
import type { Decision } from '../../rules/decision.ts';
import { spanQuery, type Span } from './newest-first.ts';
import { apiRoute, type ApiRoute } from './route.ts';

/** What these routes need; `store/policy-queries.ts` fits. */
export interface DeclinedCalls {
  declinedCalls(on: Span & { readonly callId?: string | undefined }): Promise<
    readonly {
      readonly at: number;
      readonly trunk: string;
      readonly callId: string;
      readonly pbxCallId?: string;
      readonly direction: string;
      readonly decision: Decision & { readonly answer: string };
      readonly entryIndex: number;
    }[]
  >;
}

const Declined = z.object({
  at: z.number(),
  trunk: z.string(),
  callId: z.string(),
  pbxCallId: z.string().optional(),
  direction: z.string(),
  rule: z.string(),
  version: z.number(),
  reason: z.string(),
  answer: z.string().describe('inactive, or the SIP status'),
  entryIndex: z.number().describe('of its entry in the evidence log'),
});

/** Calls that the rules kept out: that they were, when and why; nothing else of them is kept. */
export const declinedRoutes = (calls: DeclinedCalls): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/declined-calls',
    tag: 'calls',
    summary: 'Calls that the rules kept out, newest first',
    query: z.strictObject({
      callId: z.string().optional().describe('SIP or PBX call id'),
      ...spanQuery,
    }),
    answer: z.object({ calls: z.array(Declined) }),
    handle: async ({ query }) => ({
      calls: (await calls.declinedCalls(query)).map(({ decision, ...call }) => {
        const { rule, version, reason, answer } = decision;
        return { ...call, rule, version, reason, answer };
      }),
    }),
  }),
];
