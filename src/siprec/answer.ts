import { formatCrypto } from './crypto-attribute.ts';
import { SiprecError } from './errors.ts';
import type { OfferedFormat, OfferedLine, SessionOffer } from './sdp.ts';

/** What we do with one offered m-line. */
export interface AnswerLine {
  readonly index: number;
  readonly accepted: boolean;
  /** All offered formats in offer order with the offered numbers, since every codec can be kept (SDP-6, SDP-8); empty when rejected. */
  readonly formats: readonly OfferedFormat[];
  /** Ours: we never send media (SDP-3). */
  readonly direction: 'recvonly' | 'inactive';
  /** Why the line is answered with port 0. */
  readonly rejection?: string;
}

export interface AnswerOptions {
  /** Address the client sends RTP to. */
  readonly address: string;
  /** Port per m-line index; a line without one is answered with port 0. */
  readonly ports: ReadonlyMap<number, number>;
  /** Digits, the same for the whole dialog (RFC 8866 §5.2). */
  readonly sessionId: string;
  /** Raised by one with every changed answer (SDP-11). */
  readonly version: number;
  /** Default `sealtape`. */
  readonly userName?: string;
}

/** The spelling of registered names where it is not all capitals; names are read in either case (RFC 4855 §3). */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['TELEPHONE-EVENT', 'telephone-event'],
  ['OPUS', 'opus'],
  ['ILBC', 'iLBC'],
]);

/** Formats that carry no voice of their own: a line with nothing else has nothing to record. */
const NO_VOICE = new Set(['TELEPHONE-EVENT', 'CN', 'RED', 'RTX', 'ULPFEC', 'FLEXFEC-03', 'TONE']);

/** Taken as they are; every other profile needs the security that `secureOffer` found for it. */
const PROTOCOLS = new Set(['RTP/AVP', 'RTP/AVPF']);

/**
 * In place of a port of ours: the line is accepted and nothing is to be sent on it, so it is answered as inactive. RFC 3264 §6 wants a port that
 * is not 0; what is sent there all the same goes nowhere (RFC 863).
 */
export const DISCARD_PORT = 9;

/** The last plan: many ask in turn for that of one offer. */
let latest: { readonly lines: SessionOffer['lines']; readonly plan: readonly AnswerLine[] } | undefined;

/** Which lines of an offer we take and with which formats (SDP-2, SDP-5, SDP-6). Never throws. */
export function planLines({ lines }: Pick<SessionOffer, 'lines'>): readonly AnswerLine[] {
  if (latest?.lines === lines) return latest.plan;
  const plan = planOf(lines);
  latest = { lines, plan };
  return plan;
}

function planOf(lines: SessionOffer['lines']): readonly AnswerLine[] {
  return lines.map((line) => {
    const direction =
      line.direction === 'inactive' || line.direction === 'recvonly' ? 'inactive' : 'recvonly';
    const { formats } = line;
    const rejection = rejectionOf(line, formats);
    return rejection === undefined
      ? { index: line.index, accepted: true, formats, direction }
      : { index: line.index, accepted: false, formats: [], direction: 'inactive', rejection };
  });
}

function rejectionOf(line: OfferedLine, kept: readonly OfferedFormat[]): string | undefined {
  if (line.media !== 'audio') return `${line.media} is not recorded`;
  if (line.port === 0) return 'offered with port 0';
  if (line.refusal !== undefined) return line.refusal;
  if (line.security === undefined && !PROTOCOLS.has(line.protocol.toUpperCase()))
    return `profile ${line.protocol} is not supported`;
  if (!kept.some(isVoice)) return 'no voice among the offered formats';
  return undefined;
}

const isVoice = ({ encoding }: OfferedFormat): boolean => !NO_VOICE.has(encoding);

/**
 * The answer to an offer (RFC 3264 §6): every m-line in its place, ours with a port, the others with port 0; labels as
 * opaque tokens (SDP-9), every payload number with its rtpmap and the offer's fmtp (SDP-6). Throws SiprecError NO_AUDIO when the client
 * offers lines and none can be taken; lines it has switched off itself (port 0) are answered alike.
 */
export function buildAnswer(offer: SessionOffer, options: AnswerOptions): string {
  const plan = planLines(offer);
  if (!plan.some((line) => line.accepted) && !isSwitchedOff(offer)) throw noAudio(plan);
  const family = options.address.includes(':') ? 'IP6' : 'IP4';
  const text = [
    'v=0',
    `o=${options.userName ?? 'sealtape'} ${options.sessionId} ${options.version} IN ${family} ${options.address}`,
    's=-',
    `c=IN ${family} ${options.address}`,
    `t=${offer.timing}`,
    ...(usesIce(offer, plan, options) ? ['a=ice-lite', 'a=ice-options:ice2'] : []),
    ...offer.lines.flatMap((line) =>
      mediaLines(line, plan[line.index], { port: options.ports.get(line.index), address: options.address }),
    ),
  ];
  return `${text.join('\r\n')}\r\n`;
}

/** Why an offer without any line for us is turned away, line by line. */
export function noAudio(plan: readonly AnswerLine[]): SiprecError {
  const reasons = plan.map((line) => `m-line ${line.index + 1}: ${line.rejection ?? 'no port'}`);
  return new SiprecError('NO_AUDIO', reasons.slice(0, 4).join('; ') || 'the offer has no m-line');
}

const isSwitchedOff = (offer: SessionOffer): boolean =>
  offer.lines.length > 0 && offer.lines.every((line) => line.port === 0);

interface Place {
  readonly address: string;
  readonly port: number | undefined;
}

function mediaLines(
  line: OfferedLine,
  plan: AnswerLine | undefined,
  { address, port }: Place,
): readonly string[] {
  if (plan?.accepted !== true || port === undefined)
    return [`m=${line.media} 0 ${line.protocol} ${line.formatList.join(' ')}`];
  return [
    `m=${line.media} ${port} ${line.protocol} ${plan.formats.map((format) => format.payloadType).join(' ')}`,
    ...plan.formats.flatMap(formatLines),
    ...securityLines(line),
    // Offered or not at all (RFC 5761 §5.1.1).
    ...(line.rtcpMux === true && port !== DISCARD_PORT ? ['a=rtcp-mux'] : []),
    ...(port === DISCARD_PORT ? [] : iceLines(line, address, port)),
    ...(line.label === undefined ? [] : [`a=label:${line.label}`]),
    `a=${port === DISCARD_PORT ? 'inactive' : plan.direction}`,
  ];
}

/** What is said for all lines is true where one of them does ICE (RFC 8839 §5.3, RFC 8445 §10). */
const usesIce = (offer: SessionOffer, plan: readonly AnswerLine[], { ports }: AnswerOptions): boolean =>
  offer.lines.some(({ index, ownIce }) => {
    const port = ports.get(index);
    const accepted = plan[index]?.accepted === true && port !== undefined && port !== DISCARD_PORT;
    return accepted && ownIce !== undefined && ownIce !== 'mismatch';
  });

/** Of host candidates, the one address there is (RFC 8445 §5.1.2.1); a component counts one less than the one before it. */
const FIRST_PRIORITY = 2_130_706_431;

/** Our only candidate for audio and, where they have a port of their own, for reports (RFC 8839 §5.1). */
function iceLines({ ownIce, rtcpMux }: OfferedLine, address: string, port: number): readonly string[] {
  if (ownIce === undefined) return [];
  if (ownIce === 'mismatch') return ['a=ice-mismatch'];
  const components = rtcpMux === true ? [0] : [0, 1];
  return [
    `a=ice-ufrag:${ownIce.ufrag}`,
    `a=ice-pwd:${ownIce.password}`,
    ...components.map(
      (more) => `a=candidate:1 ${1 + more} UDP ${FIRST_PRIORITY - more} ${address} ${port + more} typ host`,
    ),
  ];
}

function securityLines({ security }: OfferedLine): readonly string[] {
  if (security === undefined) return [];
  if (security.crypto !== undefined) return [formatCrypto(security.crypto, security.own)];
  const { role, ownFingerprint, tlsId } = security;
  return [
    `a=setup:${role}`,
    `a=fingerprint:sha-256 ${ownFingerprint}`,
    ...(tlsId === undefined ? [] : [`a=tls-id:${tlsId.own}`]),
  ];
}

function formatLines(format: OfferedFormat): readonly string[] {
  const { payloadType, encoding, clockRate, channels, fmtp } = format;
  const name = NAMES.get(encoding) ?? encoding;
  const parameters = channels === 1 ? '' : `/${channels}`;
  return [
    // A number that the offer does not explain cannot be explained by us.
    ...(encoding === 'UNKNOWN' ? [] : [`a=rtpmap:${payloadType} ${name}/${clockRate}${parameters}`]),
    // OpenSIPS hangs up when the fmtp of telephone-event is missing (siprec-interop.md 4.11); modes must be the same on both sides.
    ...(fmtp === undefined ? [] : [`a=fmtp:${payloadType} ${fmtp}`]),
  ];
}
