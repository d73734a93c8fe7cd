import { z } from 'zod';

/** How much is kept of the SIP messages of calls, without keys and passwords. */
export const Traces = z.strictObject({
  keepDays: z.int().min(0).max(3650).default(3),
  megabytes: z.int().min(1).max(1_000_000).default(500),
  callKilobytes: z.int().min(8).max(100_000).default(256),
});
