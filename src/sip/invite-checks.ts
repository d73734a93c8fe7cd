import { planLines, noAudio } from '../siprec/answer.ts';
import { SiprecError } from '../siprec/errors.ts';
import type { SecurityPolicy } from '../siprec/secure-offer.ts';
import { recogniseSession, unknownTags, type Recognition } from '../siprec/recognise.ts';
import type { SipRequest } from './drachtio.ts';
import { ALLOW, sessionExpires, SHORTEST_SESSION, tagsOf, warning } from './headers.ts';
import type { Refusal } from './refusal.ts';
import { readBody, type ReadBody } from './session-content.ts';
import type { Trunk } from './trunks.ts';

/** The peer is on no trunk. */
export const FORBIDDEN: Refusal = { status: 403, detail: 'source address is on no trunk', headers: {} };

/** A method we know and do not serve (UAS-2). */
export const NOT_ALLOWED: Refusal = { status: 405, detail: 'method not allowed', headers: { Allow: ALLOW } };

/** No call can be taken now. The client is told why in a word or two, which is no secret and saves its administrator a search. */
export const unavailable = (reason: string): Refusal => ({
  status: 503,
  detail: reason,
  headers: warning('', reason),
});

/** What any new request must satisfy, in the order of UAS-1. */
export function checkRequest(request: SipRequest): Refusal | undefined {
  const [scheme = ''] = /^[a-z][a-z0-9+.-]*(?=:)/i.exec(request.uri) ?? [];
  if (!/^(?:sips?|tel)$/i.test(scheme))
    return { status: 416, detail: `request URI scheme ${scheme}`, headers: {} };
  return checkOptions(request);
}

/** UAS-5 and TMR-1, for every request that may bring extensions, in a dialog or before one. */
export function checkOptions(request: SipRequest): Refusal | undefined {
  const unknown = unknownTags(tagsOf(request, 'require'));
  if (unknown.length > 0) {
    const tags = unknown
      .join(', ')
      .replace(/[^\x20-\x7e]/g, '?')
      .slice(0, 200);
    return { status: 420, detail: `Require: ${tags}`, headers: { Unsupported: tags } };
  }
  const seconds = sessionExpires(request);
  if (seconds !== undefined && seconds < SHORTEST_SESSION)
    return {
      status: 422,
      detail: `Session-Expires ${seconds}`,
      headers: { 'Min-SE': String(SHORTEST_SESSION) },
    };
  return undefined;
}

/** What an INVITE must have so that a dialog can be made of it once the 200 is out (drachtio-protocol.md trap 7). */
export function checkDialogHeaders(request: SipRequest, host: string): Refusal | undefined {
  if (!request.has('contact'))
    return { status: 400, detail: 'no Contact', headers: warning(host, 'no Contact') };
  if (!hasTag(request)) return { status: 400, detail: 'no From tag', headers: warning(host, 'no From tag') };
  return undefined;
}

function hasTag(request: SipRequest): boolean {
  try {
    request.getParsedHeader('to');
    return typeof request.getParsedHeader('from').params?.['tag'] === 'string';
  } catch {
    return false;
  }
}

/**
 * What a new recording session brings; `offered` is false when the client leaves the offer to us (DLG-10). Throws
 * SiprecError when it is none or cannot be recorded.
 */
export function readSession(
  request: SipRequest,
  trunk: Trunk,
  at: number,
  security: SecurityPolicy,
): ReadBody {
  const read = readBody(request, undefined, at, security);
  const recognition = recognise(request, trunk, read.hasMetadata);
  if (!recognition.recording)
    throw new SiprecError('NOT_RECORDING_SESSION', `not a recording session: ${recognition.missing}`);
  const plan = planLines(read.content.offer);
  if (!plan.some((line) => line.accepted)) throw noAudio(plan);
  return read;
}

const recognise = (request: SipRequest, trunk: Trunk, hasMetadata: boolean): Recognition =>
  recogniseSession(
    {
      required: tagsOf(request, 'require'),
      supported: tagsOf(request, 'supported'),
      contact: request.get('contact') ?? '',
      hasMetadata,
      ciscoParticipant: request.has('x-cisco-recording-participant'),
      from: request.get('from') ?? '',
    },
    trunk.mode,
  );
