import { z } from 'zod';
import { hostPort, name } from './values.ts';

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

/** Another recorder whose log this one witnesses, and which witnesses this one's. */
const Peer = z.strictObject({
  name: name.max(50),
  log: z.string().regex(/^[a-z0-9][a-z0-9.-]*\/siprec\/[a-z0-9][a-z0-9.-]*\/[a-z0-9][a-z0-9.-]*$/, {
    error: 'not domain/siprec/installation/node',
  }),
  url: z.url({ protocol: /^https?$/, error: 'not an http:// or https:// address' }),
  fingerprints: z
    .array(z.string().regex(/^(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}$/i, { error: 'not a SHA-256 fingerprint' }))
    .min(1),
  ca: z.string().min(1).optional(),
});

/** Where peers find this recorder's checkpoints, and how they know one another. */
const Peering = z.strictObject({
  listen: hostPort.optional(),
  tls: z.strictObject({ certificate: z.string().min(1), key: z.string().min(1) }).optional(),
  tokenFile: z.string().min(1).optional(),
  everySeconds: z.int().min(5).max(3600).default(60),
});

export const Evidence = z.strictObject({
  keys: Keys.prefault({}),
  withoutKeys: z.enum(['refuse', 'record']).default('refuse'),
  checkpointSeconds: z.int().min(1).max(300).default(300),
  segmentSeconds: z.int().min(60).max(86_400).default(600),
  timestamps: z.array(TimeStamps).default([]),
  peering: Peering.prefault({}),
  peers: z.array(Peer).default([]),
});
