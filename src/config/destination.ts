import { z } from 'zod';
import { parseFolderTemplate } from '../delivery/folder-template.ts';
import { name } from './values.ts';

export const PathDestination = z.strictObject({
  name,
  kind: z.literal('path'),
  root: z.string().min(1),
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
