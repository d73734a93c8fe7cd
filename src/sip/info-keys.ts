import type { SipRequest } from './drachtio.ts';

/** Not a standard, but what PBXes send: `Signal=5` with a duration, or only the key. */
const RELAY = /^\s*signal\s*=\s*(10|11|[0-9a-d*#])\s*$/im;
const PLAIN = /^\s*(10|11|[0-9a-d*#])\s*$/i;
/** As RFC 4733 counts them. */
const NUMBERED: Readonly<Record<string, string>> = { '10': '*', '11': '#' };

/** The keys that an INFO says were pressed (`application/dtmf-relay`, `application/dtmf`); empty for every other INFO. */
export function keysOf(request: SipRequest): string {
  const type = (request.get('content-type') ?? request.get('c') ?? '').split(';')[0]?.trim().toLowerCase();
  const body = request.body ?? '';
  const found =
    type === 'application/dtmf-relay'
      ? RELAY.exec(body)?.[1]
      : type === 'application/dtmf'
        ? (PLAIN.exec(body) ?? RELAY.exec(body))?.[1]
        : undefined;
  return found === undefined ? '' : (NUMBERED[found] ?? found.toUpperCase());
}
