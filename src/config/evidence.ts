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

/** Where the passphrase of the signing key is; without `passphraseFile` one is made in `dataDir`. */
const Keys = z.strictObject({
  passphraseFile: z.string().min(1).optional(),
  warnDays: z.int().min(1).max(3650).default(60),
});

export const Evidence = z.strictObject({
  keys: Keys.prefault({}),
  checkpointSeconds: z.int().min(1).max(300).default(300),
  timestamps: z.array(TimeStamps).default([]),
});
