import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { RefusedEvent } from '../recorder/events.ts';
import type { RefusalBook } from '../recorder/refusals.ts';
import { replaceFile } from './create-once.ts';
import { codeOf } from './store-error.ts';

const Counted = z.array(
  z.object({
    type: z.literal('refused'),
    at: z.number(),
    reason: z.string(),
    trunk: z.string().exactOptional(),
    callId: z.string().exactOptional(),
    detail: z.string(),
    count: z.int().positive(),
    windowSeconds: z.int().nonnegative(),
  }),
);

/** Refusals that are counted and not yet stated, in a file of the data directory. */
export const openRefusalBook = (path: string): RefusalBook => ({
  write: (counted) => replaceFile(path, JSON.stringify(counted), 0o600),
});

/** What a process that was killed had counted; nothing where there is no book or what is there is none. */
export async function readRefusalBook(path: string): Promise<readonly RefusedEvent[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return '[]';
    throw error;
  });
  try {
    return Counted.parse(JSON.parse(text));
  } catch {
    return [];
  }
}
