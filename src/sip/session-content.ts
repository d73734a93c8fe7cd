import { parseBody } from '../siprec/body.ts';
import {
  describeCall,
  type CallDescription,
  type HeaderIdentity,
  type MetadataStatus,
} from '../siprec/description.ts';
import { SiprecError } from '../siprec/errors.ts';
import { applyUpdate, type MetadataState } from '../siprec/metadata-state.ts';
import { parseMetadata } from '../siprec/metadata.ts';
import { parseSdp, type SessionOffer } from '../siprec/sdp.ts';
import type { SipRequest } from './drachtio.ts';
import { receivedBody } from './received-body.ts';

/** What the bodies of a dialog have said so far. */
export interface SessionContent {
  readonly offer: SessionOffer;
  readonly state: MetadataState | undefined;
  readonly metadataStatus: MetadataStatus;
  /** What had to be tolerated, each once. */
  readonly warnings: readonly string[];
}

export interface ReadBody {
  readonly content: SessionContent;
  /** Whether the body brought an offer, and whether it brought metadata, readable or not. */
  readonly offered: boolean;
  readonly hasMetadata: boolean;
}

const MAX_WARNINGS = 50;

/**
 * Takes a request's body into what is known. Metadata that cannot be read is flagged and never refused (META-7). Throws
 * SiprecError for a body or SDP that cannot be used, NO_SDP when there was never an offer; nothing has changed then.
 */
export function readBody(request: SipRequest, before: SessionContent | undefined, at: number): ReadBody {
  const received = receivedBody(request);
  const body = parseBody(request.get('content-type') ?? request.get('c'), received.text);
  const offer = body.sdp === undefined ? before?.offer : parseSdp(received.asText(body.sdp));
  if (offer === undefined)
    throw new SiprecError('NO_SDP', 'no SDP offer in the INVITE; a delayed offer is not supported');
  const known = {
    offer,
    state: before?.state,
    metadataStatus: before?.metadataStatus ?? 'absent',
    warnings: merge(before?.warnings ?? [], body.warnings),
  };
  const offered = body.sdp !== undefined;
  if (body.metadata === undefined) return { content: known, offered, hasMetadata: false };
  const metadata = { xml: received.asXml(body.metadata), charset: body.metadataCharset };
  return { content: takeMetadata(metadata, known, at), offered, hasMetadata: true };
}

function takeMetadata(
  { xml, charset }: { readonly xml: string | Uint8Array; readonly charset: string | undefined },
  known: SessionContent,
  at: number,
): SessionContent {
  // A drachtio-server hands bodies over as UTF-8 text alone; there other encodings arrive damaged.
  const damage = typeof xml === 'string' && xml.includes('\uFFFD') ? ['metadata is not valid UTF-8'] : [];
  try {
    const state = applyUpdate(known.state, parseMetadata(xml, charset), at);
    return { ...known, state, metadataStatus: state.mode, warnings: merge(known.warnings, damage) };
  } catch (error) {
    if (!(error instanceof SiprecError)) throw error;
    const warnings = merge(known.warnings, [...damage, `metadata unreadable: ${error.message}`]);
    return { ...known, metadataStatus: 'invalid', warnings };
  }
}

const merge = (old: readonly string[], fresh: readonly string[]): readonly string[] =>
  [...new Set([...old, ...fresh])].slice(0, MAX_WARNINGS);

/** The description of the call as things stand. */
export function describeContent(
  content: SessionContent,
  headers: { readonly from: HeaderIdentity | undefined; readonly to: HeaderIdentity | undefined },
): CallDescription {
  const { from, to } = headers;
  return describeCall({ ...content, ...(from && { from }), ...(to && { to }) });
}
