import { WebError } from '../web-error.ts';

/** `store/recording-queries.ts` fits. */
export interface IdQueries {
  findByAnyId(text: string): Promise<readonly string[]>;
}

/** All recordings known under these ids or file names. Throws WebError NOT_FOUND for a text under which none is. */
export async function recordingsKnownAs(texts: readonly string[], queries: IdQueries): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const text of texts) {
    const found = await queries.findByAnyId(text);
    if (found.length === 0) throw new WebError('NOT_FOUND', `No recording is known as ${text}.`);
    for (const id of found) ids.add(id);
  }
  return ids;
}
