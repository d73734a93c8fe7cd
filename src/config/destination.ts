import { z } from 'zod';
import { parseFolderTemplate } from '../delivery/folder-template.ts';
import { name } from './values.ts';

export const PathDestination = z.strictObject({
  name,
  kind: z.literal('path'),
  root: z.string().min(1),
  marker: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, { error: 'not a file name' })
    .optional(),
  folder: z
    .string()
    .default('{yyyy}/{MM}/{dd}')
    .superRefine((template, context) => {
      try {
        parseFolderTemplate(template, 'UTC');
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
      }
    }),
});
