import { z } from 'zod';
import { portRange } from './values.ts';

export const Media = z.strictObject({
  ports: portRange.default('20000-29999'),
  address: z.union([z.ipv4(), z.ipv6()], { error: 'not an address' }).optional(),
  threads: z.int().min(1).max(64).default(1),
  flushSeconds: z.int().min(1).max(5).default(1),
  syncSeconds: z.int().min(1).max(60).default(10),
  bufferSeconds: z.int().min(5).max(60).default(30),
  receiver: z.enum(['auto', 'batch', 'dgram']).default('auto'),
  render: z
    .strictObject({
      enabled: z.boolean().default(true),
      ffmpeg: z.string().min(1).default('ffmpeg'),
      maxRate: z.union([z.literal(8000), z.literal(16_000), z.literal(48_000)]).default(16_000),
      timeoutSeconds: z.int().min(1).max(7200).default(300),
      memoryMegabytes: z.int().min(256).max(65_536).default(1024),
      concurrency: z.int().min(1).max(16).default(1),
      patienceSeconds: z.int().min(0).max(86_400).default(3600),
    })
    .prefault({}),
});
