import { z } from 'zod';
import { NumberPlan } from '../siprec/number-plan.ts';
import { PROFILE_NAMES } from '../siprec/vendors/choose.ts';
import { name, network, timeZone } from './values.ts';

const Digest = z.strictObject({
  realm: z
    .string()
    .regex(/^[\x20-\x7e]{1,100}$/, { error: 'not 1 to 100 ASCII characters' })
    .default('sealtape'),
  algorithm: z.enum(['MD5', 'SHA-256']).default('MD5'),
  users: z
    .array(
      z.strictObject({
        // RFC 7616 §3.4: a colon would end the name inside the hash.
        name: z.string().regex(/^[^:]{1,100}$/, { error: 'empty, too long, or with a colon' }),
        password: z.string().min(1),
      }),
    )
    .min(1),
});

export const Trunk = z.strictObject({
  name,
  from: z.array(network).min(1),
  media: z.array(network).min(1).optional(),
  mode: z.enum(['compat', 'strict']).default('compat'),
  profile: z.enum(PROFILE_NAMES, { error: `not one of ${PROFILE_NAMES.join(', ')}` }).optional(),
  ownNumbers: z
    .array(
      z.string().refine(isNumberPattern, {
        error: 'not a number, a beginning such as +4989555* or a range such as 10-99',
      }),
    )
    .min(1)
    .optional(),
  srcTimeZone: timeZone.optional(),
  digest: Digest.optional(),
  requireSiprec: z.boolean().default(false),
  reInviteAtStop: z.boolean().default(false),
  srtp: z.enum(['required', 'preferred', 'off']).default('preferred'),
  srtpWithoutTls: z.boolean().default(false),
  rtpKeepAlive: z.boolean().default(true),
  ice: z.enum(['lite', 'off'], { error: 'not lite or off' }).default('lite'),
  notRecorded: z
    .union([z.literal('inactive'), z.literal(403), z.literal(603)], { error: 'not inactive, 403 or 603' })
    .default('inactive'),
  tls: z
    .strictObject({
      required: z.boolean().optional(),
      clientCa: z.literal('required').optional(),
      fingerprints: z
        .array(
          z.string().regex(/^(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}$/i, { error: 'not a SHA-256 fingerprint' }),
        )
        .min(1)
        .optional(),
      names: z.array(z.string().min(1)).min(1).optional(),
    })
    .optional(),
});

function isNumberPattern(text: string): boolean {
  try {
    // It throws for what it cannot read.
    new NumberPlan([text]).includes('');
    return true;
  } catch {
    return false;
  }
}
