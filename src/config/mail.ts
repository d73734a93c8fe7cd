import { z } from 'zod';
import { port } from './values.ts';

const address = z.string().regex(/^[^\s@<>,;]+@[^\s@<>,;]+$/, { error: 'not a mail address' });

/** Who is told when a destination fails, and through which server. */
export const Mail = z
  .strictObject({
    host: z.string().min(1),
    port: port.optional(),
    security: z.enum(['starttls', 'tls', 'none']).default('starttls'),
    user: z.string().min(1).optional(),
    password: z.string().min(1).optional(),
    passwordFile: z.string().min(1).optional(),
    ca: z.string().min(1).optional(),
    from: address,
    to: z.array(address).min(1),
    language: z.enum(['en', 'de']).default('en'),
  })
  .refine((mail) => mail.password === undefined || mail.passwordFile === undefined, {
    error: 'password and passwordFile exclude each other',
    path: ['passwordFile'],
  })
  .refine((mail) => mail.user === undefined || (mail.password ?? mail.passwordFile) !== undefined, {
    error: 'user needs a password or a passwordFile',
    path: ['user'],
  })
  .transform(({ port: given, ...mail }) => ({
    ...mail,
    port: given ?? { starttls: 587, tls: 465, none: 25 }[mail.security],
  }));
