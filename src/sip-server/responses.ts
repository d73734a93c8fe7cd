import { createHash } from 'node:crypto';
import { header, splitList, valueOf, type Header } from './headers.ts';
import type { SipRequest, SipResponse } from './message.ts';
import { tagOf } from './name-addr.ts';

const REASONS: Readonly<Record<number, string>> = {
  100: 'Trying',
  200: 'OK',
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Request Entity Too Large',
  422: 'Session Interval Too Small',
  481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected',
  487: 'Request Terminated',
  491: 'Request Pending',
  500: 'Server Internal Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'Version Not Supported',
};

export const reasonOf = (status: number): string => REASONS[status] ?? 'Unknown';

export interface Answer {
  readonly status: number;
  readonly reason?: string;
  readonly localTag: string;
  readonly contact?: string | undefined;
  readonly headers?: readonly Header[];
  readonly body?: string;
}

/** A response with what the request dictates (RFC 3261 §8.2.6, §12.1.1). From and To go back as received. */
export function composeResponse(request: SipRequest, answer: Answer): SipResponse {
  const { status, localTag, contact } = answer;
  const headers: Header[] = [];
  const all = (key: string): Header[] => request.headers.filter((each) => each.key === key);
  headers.push(...all('via'));
  if (request.method === 'INVITE' && status > 100 && status < 300)
    for (const value of recordRoutes(request)) headers.push(header('Record-Route', value));
  headers.push(...all('from'), ...all('to').map((to) => withTag(to, status, localTag)));
  headers.push(...all('call-id'), ...all('cseq'));
  if (status === 100) headers.push(...all('timestamp'));
  if (contact !== undefined) headers.push(header('Contact', contact));
  headers.push(...(answer.headers ?? []));
  const { reason = '', body = '' } = answer;
  return { kind: 'response', status, reason: reason === '' ? reasonOf(status) : reason, headers, body };
}

/** Record-Route one value per line, a comma list split (drachtio-protocol.md section 5). */
export const recordRoutes = (request: SipRequest): string[] =>
  request.headers.filter((each) => each.key === 'record-route').flatMap((each) => splitList(each.value));

function withTag(to: Header, status: number, localTag: string): Header {
  if (status === 100 || tagOf(to.value) !== undefined) return to;
  return { ...to, value: `${to.value};tag=${localTag}` };
}

/** The same request gets the same tag again, without a transaction to remember it (RFC 3261 §8.2.7). */
export function statelessTag(request: SipRequest): string {
  const identity = ['call-id', 'from', 'cseq'].map((key) => valueOf(request.headers, key) ?? '').join('\n');
  return createHash('sha256').update(identity, 'latin1').digest('hex').slice(0, 16);
}
