import type { SealIntent } from '../jobs/ports.ts';
import { StoreError } from './store-error.ts';

interface Encoded {
  readonly entry: Omit<SealIntent['entry'], 'bytes'> & { readonly bytes: string };
  readonly texts: readonly (Omit<SealIntent['texts'][number], 'bytes'> & { readonly bytes: string })[];
  readonly rest: Omit<SealIntent, 'entry' | 'texts'>;
}

/** A seal intent as JSON, its byte strings in base64: what comes back is equal to the last bit (evidence.md 1.7). */
export function encodeIntent(intent: SealIntent): string {
  const { entry, texts, ...rest } = intent;
  const encoded: Encoded = {
    entry: { ...entry, bytes: entry.bytes.toString('base64') },
    texts: texts.map((file) => ({ ...file, bytes: file.bytes.toString('base64') })),
    rest,
  };
  return JSON.stringify(encoded);
}

/** Throws StoreError CORRUPT when the column does not hold an intent. */
export function decodeIntent(stored: string): SealIntent {
  try {
    const { entry, texts, rest } = JSON.parse(stored) as Encoded;
    return {
      ...rest,
      entry: { ...entry, bytes: Buffer.from(entry.bytes, 'base64') },
      texts: texts.map((file) => ({ ...file, bytes: Buffer.from(file.bytes, 'base64') })),
    };
  } catch (error) {
    throw new StoreError('CORRUPT', 'a seal intent cannot be read', { cause: error });
  }
}
