import { z } from 'zod';
import { listenUrl, port } from './values.ts';

export const SipTls = z.strictObject({
  certificate: z.string().min(1),
  key: z.string().min(1),
  clientCa: z.string().min(1).optional(),
  minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2'),
});

/** What one address may send the built-in SIP server; what belongs to running calls never counts. */
const SipLimits = z.strictObject({
  messagesPerSecond: z.int().min(10).default(5000),
  connectionsPerSecond: z.int().min(1).default(500),
  connectionsPerAddress: z.int().min(1).default(2000),
});

/** What becomes of calls that are running when the recorder ends. */
const Resume = z.strictObject({
  seconds: z.int().min(0).max(3600).default(120),
  afterStop: z.boolean().default(false),
});

export const Sip = z
  .strictObject({
    listen: z.array(listenUrl).min(1).optional(),
    tls: SipTls.optional(),
    limits: SipLimits.prefault({}),
    resume: Resume.prefault({}),
    drachtio: z.strictObject({ host: z.string().min(1), port, secret: z.string().min(1) }).optional(),
  })
  .refine((sip) => sip.listen === undefined || sip.drachtio === undefined, {
    error: 'listen and drachtio exclude each other',
  })
  .refine((sip) => sip.tls === undefined || sip.drachtio === undefined, {
    error: 'a drachtio-server has its own certificates; tls goes with listen',
    path: ['tls'],
  })
  .refine((sip) => sip.tls !== undefined || !(sip.listen ?? []).some((url) => url.startsWith('tls:')), {
    error: 'a tls:// address needs tls with certificate and key',
    path: ['tls'],
  })
  .transform(({ listen, tls, limits, resume, drachtio }) => ({
    listen: drachtio === undefined ? (listen ?? ['udp://0.0.0.0:5060', 'tcp://0.0.0.0:5060']) : [],
    tls,
    limits,
    resume,
    drachtio,
  }));
