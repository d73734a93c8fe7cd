import { WebError } from './web-error.ts';

/** What a server that cannot listen rejects with; `key` is the place of the address in the configuration. */
export function listenError(cause: unknown, key: string, address: string): unknown {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  if (code === 'EADDRINUSE')
    return new WebError('ADDRESS_IN_USE', `${key}: ${address} is used by another program`, { cause });
  if (code === 'EADDRNOTAVAIL' || code === 'EACCES')
    return new WebError('ADDRESS_UNAVAILABLE', `${key}: ${address} cannot be used here (${code})`, {
      cause,
    });
  return cause;
}
