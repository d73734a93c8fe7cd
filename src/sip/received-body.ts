import type { SipRequest } from './drachtio.ts';

/**
 * A request's body to take apart, and how to read its parts. drachtio hands bodies over as UTF-8 text; the embedded server adds the octets
 * of one that is not UTF-8, which then stand here one character each (META-1).
 */
export interface ReceivedBody {
  readonly text: string;
  /** A part that is meant as text. */
  readonly asText: (part: string) => string;
  /** A part that is XML, whose own words tell its encoding. */
  readonly asXml: (part: string) => string | Uint8Array;
}

/**
 * Never throws. A client that writes X-Sealtape-Raw-Body itself, behind another server than ours, says nothing by it that it could not say
 * in the body.
 */
export function receivedBody(request: SipRequest): ReceivedBody {
  const raw = request.get('X-Sealtape-Raw-Body');
  if (raw === undefined || raw === '') {
    const text = request.body ?? '';
    // NULs are UTF-16 of nothing but ASCII, which is UTF-8 as well.
    return {
      text,
      asText: (part) => part,
      asXml: (part) => (part.includes('\0') ? Buffer.from(part, 'utf8') : part),
    };
  }
  return {
    text: Buffer.from(raw, 'base64').toString('latin1'),
    asText: (part) => Buffer.from(part, 'latin1').toString('utf8'),
    asXml: (part) => Buffer.from(part, 'latin1'),
  };
}
