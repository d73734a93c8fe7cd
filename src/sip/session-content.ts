import { parseBody } from '../siprec/body.ts';
import {
  describeCall,
  type CallDescription,
  type HeaderIdentity,
  type Interruption,
  type MetadataStatus,
} from '../siprec/description.ts';
import { present } from '../siprec/optional.ts';
import { SiprecError } from '../siprec/errors.ts';
import { applyUpdate, type MetadataState } from '../siprec/metadata-state.ts';
import { parseMetadata } from '../siprec/metadata.ts';
import { agreeIce } from '../siprec/agree-ice.ts';
import { ownOffer } from '../siprec/offer.ts';
import { parseSdp, type SessionOffer } from '../siprec/sdp.ts';
import { NO_ENCRYPTION, secureOffer, type SecurityPolicy } from '../siprec/secure-offer.ts';
import type { NewSession } from '../siprec/sessions.ts';
import { headersToKeep, mergeHeaders } from '../siprec/vendor-headers.ts';
import type { SipRequest } from './drachtio.ts';
import { receivedBody } from './received-body.ts';
import type { Trunk } from './trunks.ts';

/** What the bodies of a dialog have said so far. */
export interface SessionContent {
  readonly offer: SessionOffer;
  readonly state: MetadataState | undefined;
  readonly metadataStatus: MetadataStatus;
  /** SIP headers that say something of the call, see `VENDOR_HEADERS`. */
  readonly headers: Readonly<Record<string, string>>;
  /** What had to be tolerated, each once. */
  readonly warnings: readonly string[];
}

export interface ReadBody {
  readonly content: SessionContent;
  /** Whether the body brought an offer, and whether it brought metadata, readable or not. */
  readonly offered: boolean;
  readonly hasMetadata: boolean;
  /** The communication session this very body opened after another one, see `openedSession`. */
  readonly newSession?: NewSession;
}

/** What is fixed for a dialog and decides how its call is described. */
export interface CallContext {
  readonly from: HeaderIdentity | undefined;
  readonly to: HeaderIdentity | undefined;
  readonly trunk: Pick<Trunk, 'profile' | 'ownNumbers' | 'srcTimeZone' | 'requireSiprec' | 'reInviteAtStop'>;
  /** What the dialog's offers are held to. */
  readonly security: SecurityPolicy;
  /** Set while the dialog's recording goes on with one of before a restart. */
  readonly continues?: Interruption;
}

const MAX_WARNINGS = 50;

/**
 * Takes a request's body into what is known. Metadata that cannot be read is flagged and never refused (META-7). Throws
 * SiprecError for a body or SDP that cannot be used; nothing has changed then. A dialog that began without an offer has our
 * own one until the client answers it (DLG-10).
 */
export function readBody(
  request: SipRequest,
  before: SessionContent | undefined,
  at: number,
  security: SecurityPolicy = NO_ENCRYPTION,
): ReadBody {
  const received = receivedBody(request);
  const body = parseBody(request.get('content-type') ?? request.get('c'), received.text);
  const old = before ?? { offer: ownOffer(security), ...NOTHING };
  const known = {
    ...old,
    offer:
      body.sdp === undefined
        ? old.offer
        : agreeOffer(parseSdp(received.asText(body.sdp)), security, before?.offer),
    headers: mergeHeaders(before?.headers, headersOf(request)),
    warnings: merge(old.warnings, body.warnings),
  };
  const offered = body.sdp !== undefined;
  if (body.metadata === undefined) return { content: known, offered, hasMetadata: false };
  const metadata = { xml: received.asXml(body.metadata), charset: body.metadataCharset };
  const content = takeMetadata(metadata, known, at);
  const newSession = content.state === known.state ? undefined : content.state?.newSession;
  return { content, offered, hasMetadata: true, ...(newSession && { newSession }) };
}

/** What is agreed on of an offer. `before`: the one before it in the dialog. */
function agreeOffer(offer: SessionOffer, policy: SecurityPolicy, before?: SessionOffer): SessionOffer {
  const secured = secureOffer(offer, policy, before);
  return policy.ice === 'off' ? secured : agreeIce(secured, before);
}

const NOTHING: Omit<SessionContent, 'offer'> = {
  state: undefined,
  metadataStatus: 'absent',
  headers: {},
  warnings: [],
};

const headersOf = ({ headers = {} }: SipRequest): Readonly<Record<string, string>> => headersToKeep(headers);

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
  { from, to, trunk, continues }: CallContext,
): CallDescription {
  const { profile, ownNumbers, srcTimeZone } = trunk;
  const description = describeCall(
    Object.assign(present({ from, to, profile, ownNumbers, srcTimeZone }), content),
  );
  return continues === undefined ? description : { ...description, continues };
}
