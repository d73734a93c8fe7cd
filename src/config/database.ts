import { z } from 'zod';

export const Database = z
  .strictObject({
    client: z.enum(['sqlite', 'pg']).default('sqlite'),
    connection: z.union([z.string().min(1), z.record(z.string(), z.unknown())]).optional(),
  })
  .refine((database) => database.client === 'sqlite' || database.connection !== undefined, {
    error: 'client pg needs a connection',
    path: ['connection'],
  })
  .refine((database) => database.client === 'pg' || database.connection === undefined, {
    error: 'goes with client: pg only',
    path: ['connection'],
  });
