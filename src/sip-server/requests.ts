import { randomBytes } from 'node:crypto';
import type { OutgoingRequest } from './client-transaction.ts';
import type { Endpoint, Protocol } from './flow.ts';
import { header, valueOf, type Header } from './headers.ts';
import { serialise, type SipRequest, type SipResponse } from './message.ts';
import { uriHost } from './uri.ts';

export interface RequestParts {
  readonly method: string;
  readonly uri: string;
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: number;
  readonly routes: readonly string[];
  readonly contact?: string | undefined;
  readonly headers: readonly Header[];
  readonly body: string;
}

/** Builds a request of ours (RFC 3261 §8.1.1) with a fresh branch. */
export function composeRequest(parts: RequestParts, protocol: Protocol, local: Endpoint): OutgoingRequest {
  const branch = `z9hG4bK${randomBytes(10).toString('hex')}`;
  const via = `SIP/2.0/${protocol.toUpperCase()} ${uriHost(local.address)}:${local.port};branch=${branch};rport`;
  const request = withHead(parts, via);
  return {
    method: parts.method,
    branch,
    text: serialise(request),
    ackFor: (response) => serialise(ackToRefusal(request, response)),
  };
}

function withHead(parts: RequestParts, via: string): SipRequest {
  const { method, uri, from, to, callId, cseq, routes, contact, headers, body } = parts;
  const head = [
    header('Via', via),
    ...routes.map((route) => header('Route', route)),
    header('Max-Forwards', valueOf(headers, 'max-forwards') ?? '70'),
    header('From', from),
    header('To', to),
    header('Call-ID', callId),
    header('CSeq', `${cseq} ${method}`),
    ...(contact === undefined ? [] : [header('Contact', contact)]),
  ];
  const extra = headers.filter((each) => each.key !== 'max-forwards');
  return { kind: 'request', method, uri, headers: [...head, ...extra], body };
}

/** RFC 3261 §17.1.1.3: same branch, the To of the refusal. */
function ackToRefusal(invite: SipRequest, response: SipResponse): SipRequest {
  const kept = new Set(['via', 'route', 'max-forwards', 'from', 'call-id']);
  const headers = invite.headers.filter((each) => kept.has(each.key));
  const cseq = valueOf(invite.headers, 'cseq')?.replace('INVITE', 'ACK') ?? '';
  const to = valueOf(response.headers, 'to') ?? valueOf(invite.headers, 'to') ?? '';
  return {
    ...invite,
    method: 'ACK',
    headers: [...headers, header('To', to), header('CSeq', cseq)],
    body: '',
  };
}

/** The CANCEL of an INVITE: its top Via, routes and numbers (RFC 3261 §9.1). */
export function composeCancel(invite: SipRequest, branch: string): OutgoingRequest {
  const kept = new Set(['via', 'route', 'max-forwards', 'from', 'to', 'call-id']);
  const headers = invite.headers.filter((each) => kept.has(each.key));
  const cseq = valueOf(invite.headers, 'cseq')?.replace('INVITE', 'CANCEL') ?? '';
  const cancel: SipRequest = {
    ...invite,
    method: 'CANCEL',
    headers: [...headers, header('CSeq', cseq)],
    body: '',
  };
  return { method: 'CANCEL', branch, text: serialise(cancel), ackFor: () => '' };
}
