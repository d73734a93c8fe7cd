import { BlockList, isIP, isIPv6 } from 'node:net';
import { WebError } from './web-error.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Throws WebError NOT_LOOPBACK: without logins the pages are for this machine only. */
export function requireLoopback(host: string): void {
  const family = isIPv6(host) ? 'ipv6' : 'ipv4';
  if (host === 'localhost' || (isIP(host) !== 0 && LOOPBACK.check(host, family))) return;
  throw new WebError(
    'NOT_LOOPBACK',
    `web.listen: ${host} can be reached from other machines, and the pages have no login yet. ` +
      'Use 127.0.0.1, and an SSH tunnel to look from elsewhere.',
  );
}

const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/**
 * Against DNS rebinding: a foreign page can point its own name at 127.0.0.1, but it cannot change the Host header that says so. Any
 * port passes, as an SSH tunnel may use another one. Throws WebError BAD_HOST.
 */
export function checkHost(host: string | undefined): void {
  if (host !== undefined && LOCAL_HOST.test(host)) return;
  throw new WebError('BAD_HOST', 'Open this page as http://localhost or http://127.0.0.1.');
}

/** What of a request decides whether a foreign page sent it. */
export interface RequestOrigin {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
}

/** Requests that change something must come from our own pages or from no browser at all. Throws WebError CROSS_SITE. */
export function checkOrigin(request: RequestOrigin): void {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  const foreignOrigin = request.origin !== undefined && request.origin !== `http://${request.host ?? ''}`;
  const foreignSite = request.fetchSite !== undefined && request.fetchSite !== 'same-origin';
  if (foreignOrigin || foreignSite)
    throw new WebError('CROSS_SITE', 'Another site may not change anything here.');
}
