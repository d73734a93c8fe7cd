import { createHash, timingSafeEqual } from 'node:crypto';
import { WebError } from '../web-error.ts';
import type { Actor } from './route.ts';

/** Finds out who sent a request, by its headers (lower-case names). Throws WebError UNAUTHORIZED when it cannot. */
export type Authenticate = (header: (name: string) => string | undefined) => Actor;

const NOTE = /^[\p{L}\p{N} ._@-]{1,64}$/u;

/**
 * Whoever shows the admin token may do everything. It is compared in constant time, over hashes, so that neither its contents nor
 * its length can be measured. `X-Sealtape-Actor` may say who holds it: a hint for the log and no proof, and so it is written.
 */
export function adminTokenAuthentication(token: string): Authenticate {
  const expected = digest(token);
  return (header) => {
    const [, given] = /^Bearer +(\S{1,512})\s*$/i.exec(header('authorization') ?? '') ?? [];
    if (given === undefined || !timingSafeEqual(digest(given), expected))
      throw new WebError(
        'UNAUTHORIZED',
        given === undefined
          ? 'The API needs "Authorization: Bearer <token>"; on the recorder, sealtape token prints it.'
          : 'This token is not the one of this recorder.',
      );
    const note = header('x-sealtape-actor');
    return { name: note !== undefined && NOTE.test(note) ? `admin-token (${note})` : 'admin-token' };
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
