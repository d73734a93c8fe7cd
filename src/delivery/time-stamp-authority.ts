import { readFile } from 'node:fs/promises';
import { withDeadline } from '../deadline.ts';
import type { TimeStampAuthority } from '../jobs/stamp.ts';
import { DeliveryError } from './delivery-error.ts';

export interface AuthoritySettings {
  readonly name: string;
  readonly url: string;
  readonly every: 'hourly' | 'daily';
  /** File with the certificates its tokens must lead to, PEM. */
  readonly ca: string;
  readonly auth?: { readonly user: string; readonly password: string } | undefined;
}

const HOUR = 3_600_000;
/** Milliseconds for one answer. */
const PATIENCE = 30_000;
/** A token with its certificates has a few thousand octets. */
const LONGEST = 256 * 1024;

/** An authority reached by HTTP (RFC 3161 §3.4). Rejects when its file of certificates cannot be read. */
export async function openTimeStampAuthority(settings: AuthoritySettings): Promise<TimeStampAuthority> {
  const { name, url, every, ca, auth } = settings;
  const caPem = await readFile(ca, 'latin1');
  const headers = {
    'Content-Type': 'application/timestamp-query',
    Accept: 'application/timestamp-reply',
    ...(auth === undefined
      ? {}
      : { Authorization: `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString('base64')}` }),
  };
  return {
    name,
    every: every === 'hourly' ? HOUR : 24 * HOUR,
    caPem,
    ask: (query, signal) =>
      withDeadline(signal, PATIENCE, async (within) => {
        const body = new Uint8Array(query);
        const response = await fetch(url, {
          method: 'POST',
          headers,
          body,
          redirect: 'error',
          signal: within,
        });
        if (!response.ok) throw new DeliveryError('UNREACHABLE', `${name} answers ${response.status}`);
        const bytes = Buffer.from(await response.arrayBuffer());
        if (bytes.length > LONGEST)
          throw new DeliveryError('UNREACHABLE', `${name} answers ${bytes.length} octets`);
        return bytes;
      }),
  };
}
