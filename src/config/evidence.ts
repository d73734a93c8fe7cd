import { z } from 'zod';
import { name } from './values.ts';

/** A time-stamp authority of RFC 3161 over HTTP. */
const TimeStamps = z.strictObject({
  name,
  url: z.url({ protocol: /^https?$/, error: 'not an http:// or https:// address' }),
  every: z.enum(['hourly', 'daily']).default('hourly'),
  ca: z.string().min(1),
  auth: z.strictObject({ user: z.string().min(1), password: z.string().min(1) }).optional(),
});

export const Evidence = z.strictObject({
  checkpointSeconds: z.int().min(1).max(300).default(300),
  timestamps: z.array(TimeStamps).default([]),
});
