import { isIP } from 'node:net';
import type { CaptureLine, LineRole } from '../media/capture.ts';
import type { DtlsTerms } from '../media/dtls/dtls-line.ts';
import { eraseSecurity } from '../media/line-security.ts';
import { planLines } from '../siprec/answer.ts';
import { isNoAddress } from '../siprec/held.ts';
import { ownList } from '../siprec/own-copy.ts';
import { audioTarget, reportTarget } from '../siprec/report-target.ts';
import { RECORD_ALL, type Decision, type Legs } from '../rules/decision.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { DtlsSecurity } from '../siprec/line-security.ts';
import type { OfferedLine, SessionOffer } from '../siprec/sdp.ts';
import type { MediaSources, OfferedCall } from './call.ts';
import type { CallFacts } from './events.ts';

/**
 * The lines of an offer that get a port, with the channel each belongs to. A client that sends one line only mixes both
 * sides on it (or sends one side alone), so it gets a mono file.
 */
export function captureLines(
  offer: SessionOffer,
  description: CallDescription,
  sources: MediaSources,
): readonly CaptureLine[] {
  const single = offer.lines.filter((line) => line.media === 'audio').length === 1;
  return planLines(offer)
    .filter((line) => line.accepted)
    .map((line) => ({
      line: line.index,
      role: single ? 'mixed' : roleOf(line.index, description),
      formats: line.formats.map(({ payloadType, encoding, clockRate, channels }) => ({
        payloadType,
        encoding,
        clockRate,
        channels,
      })),
      active: line.direction !== 'inactive',
      ...offeredOf(
        offer.lines.find(({ index }) => index === line.index),
        sources,
      ),
    }));
}

/** What the offered line itself says of where its packets come from, how often, how encrypted, and where reports go. */
function offeredOf(
  line: OfferedLine | undefined,
  sources: MediaSources,
): Pick<CaptureLine, 'sources' | 'rtcp' | 'packetRate' | 'security' | 'ice'> {
  return {
    sources: sourcesOf(line, sources),
    rtcp: {
      mux: line?.rtcpMux === true,
      target: line && reportTarget(line),
      ...(sources.keepAlive === true && { keepAlive: { target: line && audioTarget(line) } }),
    },
    ...(line?.packetTime !== undefined && { packetRate: rateOf(line.packetTime) }),
    ...securityOf(line),
    ...iceOf(line),
  };
}

/** Our end of ICE and theirs, where it was agreed on. */
function iceOf(line: OfferedLine | undefined): Pick<CaptureLine, 'ice'> {
  const own = line?.ownIce;
  if (line?.ice === undefined || own === undefined || own === 'mismatch') return {};
  return { ice: { ...own, theirUfrag: line.ice.ufrag } };
}

/** Packets of less than 5 ms nobody sends; of more than 20 ms they may become shorter at any time. */
const rateOf = (packetTime: number): number => 1000 / Math.min(20, Math.max(5, packetTime));

/**
 * A name, and the address that stands for none (hold), say nothing about where packets come from. With ICE they come from any of the candidates,
 * which are as much the client's word as the address.
 */
function sourcesOf(line: OfferedLine | undefined, { networks, offered }: MediaSources): readonly string[] {
  if (!offered || line === undefined) return networks;
  const candidates = iceOf(line).ice === undefined ? [] : (line.ice?.candidates ?? []);
  const named = [line.address ?? '', ...candidates.map(({ address }) => address)];
  const useful = named.filter((address) => isIP(address) !== 0 && !isNoAddress(address));
  return ownList([...networks, ...new Set(useful)]);
}

/**
 * What the decision leaves of a call's lines. Where only one side may be kept and the client sends both on one line, nothing may: the other
 * side cannot be taken out of it.
 */
export function keptOf(
  { decision = RECORD_ALL }: Pick<OfferedCall, 'decision'>,
  lines: readonly CaptureLine[],
): { readonly lines: readonly CaptureLine[]; readonly decision: Decision } {
  const { legs } = decision;
  if (legs === 'both') return { lines, decision };
  const kept = lines.filter(({ role }) => role === legs);
  if (kept.length > 0 || !decision.record) return { lines: kept, decision };
  const reason = `${decision.reason}; only the ${legs} may be kept, and the client sends no line of the ${legs} alone`;
  return { lines: [], decision: { ...decision, record: false, reason } };
}

/** What a recording needs to know of the decision: the sides it keeps, and the lines it answers as inactive. */
export const choiceOf = (
  call: OfferedCall,
  all: readonly CaptureLine[],
): {
  readonly offer: SessionOffer;
  readonly description: CallDescription;
  readonly legs: Legs;
  readonly leftOut: readonly number[];
  readonly facts: CallFacts;
  readonly decision: Decision;
} => {
  const { offer, description, facts, decision = RECORD_ALL } = call;
  const { legs } = decision;
  const leftOut = all.filter(({ role }) => legs !== 'both' && role !== legs).map(({ line }) => line);
  return { offer, description, legs, leftOut, facts, decision };
};

function roleOf(line: number, description: CallDescription): LineRole {
  if (line === description.callerLine) return 'caller';
  if (line === description.calleeLine) return 'callee';
  return 'extra';
}

/** The keys of a line as the media side takes them; it overwrites its copy. */
function securityOf(line: OfferedLine | undefined): Pick<CaptureLine, 'security'> {
  const security = line?.security;
  if (line === undefined || security === undefined) return {};
  if (security.crypto === undefined) return { security: { dtls: dtlsTerms(line, security) } };
  const { crypto, own } = security;
  const { suite, unencryptedRtcp } = crypto;
  const masters = crypto.keys.map(({ secret, mki }) => ({
    bytes: Uint8Array.from(secret.reveal()),
    ...(mki && { mki }),
  }));
  return {
    security: {
      theirs: { suite, masters },
      own: { suite, masters: [{ bytes: Uint8Array.from(own.reveal()) }] },
      unencryptedRtcp,
    },
  };
}

function dtlsTerms(line: OfferedLine, security: DtlsSecurity): DtlsTerms {
  const { address, port } = line;
  const { role, fingerprints, tlsId } = security;
  const known = address !== undefined && isIP(address) !== 0;
  return {
    role,
    fingerprints,
    ...(known && { peer: isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}` }),
    ...(iceOf(line).ice && { afterChecks: true }),
    ...(tlsId !== undefined && { association: tlsId.theirs }),
  };
}

/** The lines without their keys, which are overwritten: the media side alone has them now. */
export function withoutKeys(lines: readonly CaptureLine[]): readonly CaptureLine[] {
  return lines.map((line) => {
    const { security } = line;
    if (security === undefined || security === 'unchanged') return line;
    eraseSecurity(security);
    return { ...line, security: 'unchanged' };
  });
}
