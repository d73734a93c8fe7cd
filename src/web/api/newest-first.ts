import { z } from 'zod';

/** Which of the newest are listed: between two moments, epoch milliseconds, at most so many. */
export interface Span {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly limit: number;
}

const Moment = z.coerce.number().optional().describe('epoch milliseconds');

/** A span as a query has it. */
export const spanQuery = {
  from: Moment,
  to: Moment,
  limit: z.coerce.number().int().min(1).max(1000).default(100),
};
