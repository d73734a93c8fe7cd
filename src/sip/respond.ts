import type { SipResponse } from './drachtio.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A real drachtio-server drops the connection for a larger frame (drachtio-protocol.md section 1). */
const MAX_FRAME = 3900;

/** Our own part of an answer above this size is not sent. */
export const MAX_ANSWER_SDP = 2600;

/** Sends a response with our Server header. Never throws; a transaction that is gone is nobody's fault. */
export function respond(response: SipResponse, answer: Answer, software: string): void {
  const headers = { ...answer.headers, Server: software };
  try {
    shorten(response, headers, answer.body ?? '');
    const options = answer.body === undefined ? { headers } : { headers, body: answer.body };
    // Without a callback, for which the library would read back what it has sent.
    response.send(answer.status, options);
  } catch {
    // The library throws for a status it does not know or a lost connection; the peer will ask again.
  }
}

/**
 * The library repeats From and To of the request, which a peer can make long. The server has its own copy of both and
 * ignores ours, so they can go.
 */
export function shorten(
  response: SipResponse,
  headers: Readonly<Record<string, string>>,
  body: string,
): void {
  const repeated = response.headers;
  const octets = Buffer.byteLength(body) + octetsOf(headers) + octetsOf(repeated);
  if (octets < MAX_FRAME) return;
  delete repeated['from'];
  delete repeated['to'];
}

function octetsOf(headers: Readonly<Record<string, string | undefined>>): number {
  let octets = 0;
  for (const name in headers)
    octets += ': \r\n'.length + Buffer.byteLength(name) + Buffer.byteLength(headers[name] ?? '');
  return octets;
}
