import { isIPv6 } from 'node:net';
import { ClientError } from './client-error.ts';
import { PAYLOAD_TYPE, type Law } from './g711-encoder.ts';

/** One audio line of our offer. */
interface OfferLine {
  readonly port: number;
  readonly law: Law;
  readonly label: string;
}

export type OfferDirection = 'sendonly' | 'inactive';

const TELEPHONE_EVENT = 101;

export interface OfferFacts {
  readonly address: string;
  readonly sessionId: number;
  readonly version: number;
  readonly direction: OfferDirection;
  readonly lines: readonly OfferLine[];
}

/** The recording client's SDP (RFC 7866 §7.1.1): one audio line a direction of the call, labelled. */
export function buildOffer(facts: OfferFacts): string {
  const family = isIPv6(facts.address) ? 'IP6' : 'IP4';
  const lines = facts.lines.flatMap((line) => {
    const payloadType = PAYLOAD_TYPE[line.law];
    return [
      `m=audio ${line.port} RTP/AVP ${payloadType} ${TELEPHONE_EVENT}`,
      `a=rtpmap:${payloadType} ${line.law}/8000`,
      `a=rtpmap:${TELEPHONE_EVENT} telephone-event/8000`,
      `a=fmtp:${TELEPHONE_EVENT} 0-15`,
      'a=ptime:20',
      `a=label:${line.label}`,
      `a=${facts.direction}`,
    ];
  });
  return [
    'v=0',
    `o=sealtape ${facts.sessionId} ${facts.version} IN ${family} ${facts.address}`,
    's=-',
    `c=IN ${family} ${facts.address}`,
    't=0 0',
    ...lines,
    '',
  ].join('\r\n');
}

/** One line of the server's answer. */
export interface AnswerLine {
  /** Where to send; port 0 when the server refused the line. */
  readonly address: string;
  readonly port: number;
  readonly direction: string;
  readonly label: string | undefined;
  readonly payloadTypes: readonly number[];
}

const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];

/** Reads the lines of an SDP answer. Throws ClientError BAD_ANSWER. */
export function parseAnswer(sdp: string): readonly AnswerLine[] {
  const [session = '', ...media] = sdp.split(/\r?\n(?=m=)/);
  if (!session.startsWith('v=0')) throw new ClientError('BAD_ANSWER', 'the answer carries no SDP');
  return media.map((section) => parseLine(section, session));
}

function parseLine(section: string, session: string): AnswerLine {
  const match = /^m=\S+ (\d{1,5}) \S+ (.*)/.exec(section);
  const port = Number(match?.[1]);
  const address = connectionOf(section) ?? connectionOf(session) ?? '';
  // NaN, when there is no port, fails the comparison too.
  if (!(port <= 65535) || (port !== 0 && address === ''))
    throw new ClientError('BAD_ANSWER', `cannot read the line ${section.slice(0, 80)}`);
  return {
    address,
    port,
    direction: directionOf(section) ?? directionOf(session) ?? 'sendrecv',
    label: /^a=label:(.+?)\s*$/m.exec(section)?.[1],
    payloadTypes: (match?.[2] ?? '').trim().split(/\s+/).map(Number).filter(Number.isInteger),
  };
}

const connectionOf = (section: string): string | undefined => /^c=IN IP[46] ([^\s/]+)/m.exec(section)?.[1];

const directionOf = (section: string): string | undefined =>
  DIRECTIONS.find((direction) => new RegExp(`^a=${direction}\\s*$`, 'm').test(section));
