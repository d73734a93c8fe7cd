import { z } from 'zod';

const length = z.int().min(1).max(36_500);

const Period = z
  .strictObject({
    years: length.optional(),
    months: length.optional(),
    days: length.optional(),
    fromEndOfYear: z.boolean().optional(),
  })
  .refine((period) => [period.years, period.months, period.days].filter(Boolean).length === 1, {
    error: 'needs one of years, months and days',
  });

const profile = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'not a name (small letters, digits, dashes; 32 at most)' });

/** How long recordings are kept, and when they are deleted. */
export const Retention = z.strictObject({
  default: profile.default('none'),
  profiles: z.record(profile, Period).default({}),
  delete: z.boolean().default(true),
  hour: z.int().min(0).max(23).default(3),
  clock: z.enum(['synced', 'any']).default('synced'),
});
