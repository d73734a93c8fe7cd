import { z } from 'zod';
import { name, portRange } from './values.ts';

/** Two letters, as in `de` or `en`; a region behind them is not told apart. */
const locale = z.string().regex(/^[a-z]{2}$/, { error: 'not a language such as de or en' });

/** Announcements that are played to callers (RFC 4240). */
export const Announcements = z.strictObject({
  enabled: z.boolean().default(true),
  locale: locale.default('en'),
  confirm: z.enum(['tones', 'words']).default('tones'),
  numbers: z
    .record(
      z.string().regex(/^[\w.+*#-]{1,40}$/, { error: 'not the user part of an address' }),
      z.strictObject({ play: name, locale: locale.optional() }),
    )
    .default({}),
  ports: portRange.optional(),
  maxMegabytes: z.int().min(1).max(100).default(20),
  maxSeconds: z.int().min(1).max(3600).default(300),
  maxCalls: z.int().min(1).max(10_000).default(500),
  linkMinutes: z.int().min(0).max(60).default(5),
  keepDays: z.int().min(1).max(3650).default(30),
});
