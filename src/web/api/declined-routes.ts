import { z } from 'zod';
import type { Decision } from '../../rules/decision.ts';
import { apiRoute, type ApiRoute } from './route.ts';

/** What these routes need; `store/policy-queries.ts` fits. */
export interface DeclinedCalls {
  declinedCalls(on: {
    readonly callId?: string | undefined;
    readonly from?: number | undefined;
    readonly to?: number | undefined;
    readonly limit: number;
  }): Promise<
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

const Moment = z.coerce.number().optional().describe('epoch milliseconds');

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
      from: Moment,
      to: Moment,
      limit: z.coerce.number().int().min(1).max(1000).default(100),
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
