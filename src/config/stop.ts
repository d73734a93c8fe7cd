import { z } from 'zod';

/** How users stop a recording whose rule says `mayStop`. */
export const Stop = z.strictObject({
  keys: z
    .string()
    .regex(/^[0-9A-D*#]{2,8}$/, { error: 'not two to eight keys of a telephone' })
    .default('*1'),
  keepKeys: z.boolean().default(false),
  tones: z.boolean().default(false),
});
