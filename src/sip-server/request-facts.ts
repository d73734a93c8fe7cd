import { mandatory, type SipMessage, type SipRequest } from './message.ts';
import { parseNameAddr, tagAmong, type NameAddr } from './name-addr.ts';
import { SipServerError } from './sip-server-error.ts';
import { parseVia, type Via } from './via.ts';

/** What every request is recognised by, read once. */
export interface RequestFacts {
  readonly via: Via;
  readonly callId: string;
  readonly fromTag: string | undefined;
  readonly toTag: string | undefined;
  readonly cseq: number;
  readonly cseqMethod: string;
}

const HIGHEST_CSEQ = 2 ** 31;

/** Throws BAD_MESSAGE when a header of RFC 3261 §8.1.1 is missing or unreadable. Max-Forwards may be missing (SIG-11). */
export function readFacts(request: SipRequest): RequestFacts {
  const { cseq, cseqMethod } = readCSeq(request);
  requireOnce(request);
  const [from, to] = [addressIn(request, 'from'), addressIn(request, 'to')];
  const facts = {
    via: parseVia(mandatory(request, 'via')),
    callId: mandatory(request, 'call-id'),
    fromTag: tagAmong(from.params),
    toTag: tagAmong(to.params),
    cseq,
    cseqMethod,
  };
  // Both become tokens between bars on the control connection (drachtio-protocol.md section 1).
  if (/[|\x00-\x20\x7f]/.test(`${facts.callId}${facts.fromTag ?? ''}`))
    throw new SipServerError('BAD_MESSAGE', 'Call-ID or From tag with a bar, space or control character');
  return facts;
}

const ONCE = new Set(['from', 'to', 'call-id', 'cseq']);

function requireOnce({ headers }: SipRequest): void {
  for (const [index, { key }] of headers.entries())
    if (ONCE.has(key) && headers.findIndex((each) => each.key === key) < index)
      throw new SipServerError('BAD_MESSAGE', `more than one ${key} header`);
}

function addressIn(request: SipRequest, key: 'from' | 'to'): NameAddr {
  const address = parseNameAddr(mandatory(request, key));
  if (address.uri === '') throw new SipServerError('BAD_MESSAGE', `no URI in ${key}`);
  return address;
}

export function readCSeq(message: SipMessage): { cseq: number; cseqMethod: string } {
  const match = /^(\d{1,10})[ \t]+(\S+)$/.exec(mandatory(message, 'cseq'));
  const cseq = Number(match?.[1] ?? HIGHEST_CSEQ);
  if (match === null || cseq >= HIGHEST_CSEQ) throw new SipServerError('BAD_MESSAGE', 'unreadable CSeq');
  return { cseq, cseqMethod: match[2] ?? '' };
}

/** RFC 3261 §17.2.3: the branch when it is one of ours by its cookie, else what RFC 2543 compared. */
export function transactionKey(facts: RequestFacts, method: string): string {
  const { via, callId, fromTag, cseq } = facts;
  const sentBy = `${via.host.toLowerCase()}:${via.port ?? ''}`;
  // The cookie alone says nothing (RFC 4475 §3.2.1).
  if (via.branch !== undefined && /^z9hg4bk./i.test(via.branch)) return `${via.branch}|${sentBy}|${method}`;
  return `${callId}|${fromTag ?? ''}|${cseq}|${sentBy}|${method}`;
}

/** The same octets by themselves: V8 keeps a text alive as long as any part that was cut from it. */
export const detached = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

/** drachtio's dialog id (drachtio-protocol.md section 4): without our own tag. */
export const dialogIdOf = (callId: string, fromTag: string): string => `${callId};from-tag=${fromTag}`;
