import { z } from 'zod';
import type { DeliveryStanding } from '../../jobs/delivery-standing.ts';
import type { DeliveryRow } from '../../jobs/ports.ts';
import type { FailedDeliveries } from '../../jobs/watch-deliveries.ts';
import { WebError } from '../web-error.ts';
import { apiRoute, type ApiRoute } from './route.ts';

/** How deliveries stand; `service/delivery-desk.ts` fits. */
export interface DeliveryDesk {
  standings(): Promise<readonly DeliveryStanding[]>;
  /** Not yet delivered, oldest first. */
  open(): Promise<readonly DeliveryRow[]>;
  /** Resolves with the number of deliveries that are tried again now. */
  retry(which: FailedDeliveries): Promise<number>;
}

const LISTED = 200;

const Answer = z.object({
  destinations: z.array(
    z.object({
      destination: z.string(),
      waiting: z.number(),
      failed: z.number(),
      permanent: z.number().describe('of the failed ones: where only a person can help'),
      oldestSince: z.number().optional().describe('epoch milliseconds'),
      lastError: z.string().optional(),
      lastFailureAt: z.number().optional().describe('epoch milliseconds'),
    }),
  ),
  open: z
    .array(
      z.object({
        recording: z.string(),
        destination: z.string(),
        state: z.enum(['waiting', 'failed', 'delivered']),
        attempts: z.number(),
        permanent: z.boolean(),
        updatedAt: z.number(),
        dueAt: z.number().optional().describe('not tried before, epoch milliseconds'),
        error: z.string().optional(),
      }),
    )
    .describe(`oldest first, ${LISTED} at the most`),
  more: z.number().describe('open ones that are not listed'),
});

/** What has not arrived yet, and trying it again. */
export const deliveriesRoutes = (desk: DeliveryDesk): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/deliveries',
    tag: 'deliveries',
    summary: 'Deliveries that are not done, by destination and one by one',
    query: z.strictObject({ destination: z.string().max(64).optional() }),
    answer: Answer,
    handle: async ({ query }) => {
      const { destination } = query;
      const wanted = (each: { readonly destination: string }): boolean =>
        destination === undefined || each.destination === destination;
      const open = (await desk.open().catch(away)).filter(wanted);
      return {
        destinations: (await desk.standings().catch(away)).filter(wanted),
        open: open.slice(0, LISTED),
        more: Math.max(0, open.length - LISTED),
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/deliveries/retry',
    tag: 'deliveries',
    summary: 'Try failed deliveries again at once',
    description: 'Also those where only a person could help: the person has helped.',
    changes: 'deliveries asked for anew',
    body: z.strictObject({
      destination: z.string().min(1).max(64).optional(),
      recording: z.uuid().optional(),
    }),
    answer: z.object({ retried: z.number() }),
    handle: async ({ body, note }) => {
      const retried = await desk.retry(body).catch(away);
      note(`${retried} tried again`);
      return { retried };
    },
  }),
];

function away(cause: unknown): never {
  if ((cause as { readonly code?: unknown }).code !== 'UNAVAILABLE') throw cause;
  throw new WebError('DATABASE_AWAY', 'The database does not answer.', { cause });
}
