/** Headers that tell how a message went, and nothing of who speaks with whom. */
const KEPT = new Set([
  ...['via', 'v', 'call-id', 'i', 'cseq', 'max-forwards', 'require', 'supported', 'k', 'allow', 'accept'],
  ...['server', 'user-agent', 'content-type', 'c', 'content-length', 'l', 'session-expires', 'x', 'min-se'],
  ...['date', 'retry-after', 'unsupported'],
]);

/**
 * A message (a byte string: one character, one octet) of a call of which no content may be kept: its first line without the user of the address,
 * and the headers that say how it went. No party, no metadata, no SDP.
 */
export function withoutContent(message: string): string {
  const gap = /\r?\n\r?\n/.exec(message);
  const head = gap === null ? message : message.slice(0, gap.index);
  const octets = gap === null ? 0 : message.length - gap.index - gap[0].length;
  // A continued line belongs to the one before (RFC 3261 §7.3.1).
  const [first = '', ...headers] = head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/);
  const kept = headers.filter((line) => KEPT.has((/^[^:\s]+/.exec(line)?.[0] ?? '').toLowerCase()));
  const body = octets === 0 ? '' : `(${octets} octets of a call that is not recorded, not kept)\r\n`;
  return `${[withoutUser(first), ...kept].join('\r\n')}\r\n\r\n${body}`;
}

/** `INVITE sip:+4930…@host;x=y SIP/2.0` without what stands before and behind the host; an answer as it is. */
const withoutUser = (line: string): string =>
  line.replace(/^(\S+) +(\S+) +(SIP\/\S+)$/i, (_line, method: string, address: string, version: string) => {
    const [, scheme = 'sip', host = ''] = /^([a-z]+):(?:[^@]*@)?([^;?>]*)/i.exec(address) ?? [];
    return `${method} ${scheme.toLowerCase() === 'tel' ? 'tel:' : `${scheme}:${host}`} ${version}`;
  });
