import { readFileSync } from 'node:fs';
import { planLines } from '../../src/siprec/answer.ts';
import { identityFrom } from '../../src/siprec/address.ts';
import { parseBody, type SiprecBody } from '../../src/siprec/body.ts';
import { describeCall, type CallDescription } from '../../src/siprec/description.ts';
import { applyUpdate, type MetadataState } from '../../src/siprec/metadata-state.ts';
import { heldLines } from '../../src/siprec/held.ts';
import { parseMetadata } from '../../src/siprec/metadata.ts';
import { parseSdp, type SessionOffer } from '../../src/siprec/sdp.ts';
import { mergeHeaders, VENDOR_HEADERS } from '../../src/siprec/vendor-headers.ts';
import { readStoredMessage } from '../support/stored-message.ts';

/** What a .json file states, see fixtures/siprec/README.md. */
export interface VendorCase {
  readonly title: string;
  readonly requirements: readonly string[];
  readonly after?: readonly string[];
  readonly body: { readonly hasSdp: boolean; readonly hasMetadata: boolean };
  readonly lines?: readonly ExpectedLine[];
  readonly description?: ExpectedDescription;
  readonly events?: { readonly paused?: boolean; readonly held?: boolean; readonly newSession?: boolean };
}

interface ExpectedLine {
  readonly index: number;
  readonly media: string;
  readonly label?: string;
  readonly direction: string;
  readonly accepted?: boolean;
  readonly answer?: string;
  readonly codecs: readonly string[];
}

/** One value, or the spellings of which any is right. */
type OneOf = string | readonly string[];

interface ExpectedParty {
  readonly number: OneOf;
  readonly name?: string;
}

export interface ExpectedDescription {
  readonly profile?: string;
  readonly caller?: ExpectedParty;
  readonly callee?: ExpectedParty;
  readonly parties?: readonly string[];
  readonly neverNamed?: readonly string[];
  readonly direction?: string;
  readonly user?: OneOf;
  readonly group?: OneOf;
  readonly pbxCallId?: OneOf;
  readonly related?: readonly { readonly kind: string; readonly value: string }[];
  readonly callerLine?: number;
  readonly calleeLine?: number;
  readonly noChannels?: boolean;
  readonly participants?: number;
  readonly metadataStatus?: string;
  readonly pair?: string;
}

/** One message in its dialog, and what is concluded after it. */
export interface Concluded {
  readonly body: SiprecBody;
  /** The offer of this very message. */
  readonly offer: SessionOffer | undefined;
  readonly state: MetadataState | undefined;
  readonly description: CallDescription;
}

const folder = new URL('../../fixtures/siprec/', import.meta.url);
const at = Date.UTC(2026, 10, 23, 18, 45, 31);
const noOffer: SessionOffer = { origin: '', timing: '0 0', lines: [], warnings: [] };

export const loadCase = (vendor: string, name: string): VendorCase =>
  JSON.parse(readFileSync(new URL(`${vendor}/${name}.json`, folder), 'utf8')) as VendorCase;

interface Dialog {
  /** The newest offer, for messages without SDP (META-12). */
  readonly offer?: SessionOffer;
  readonly state?: MetadataState;
  /** Those the product keeps of a dialog. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Runs the messages of one dialog through the parsers in their order and concludes after the last. */
export function concludeDialog(
  vendor: string,
  before: readonly string[],
  name: string,
  ownNumbers: readonly string[] = [],
): Concluded {
  const earlier = before.reduce<Dialog>((dialog, message) => take(dialog, vendor, message).dialog, {});
  const { dialog, body, offer } = take(earlier, vendor, name);
  return { body, offer, state: dialog.state, description: describeDialog(dialog, ownNumbers) };
}

function take(
  before: Dialog,
  vendor: string,
  name: string,
): Pick<Concluded, 'body' | 'offer'> & { readonly dialog: Dialog } {
  const message = readStoredMessage(new URL(`${vendor}/${name}.sip`, folder));
  const body = parseBody(message.headers['content-type'], message.body);
  const offer = body.sdp === undefined ? undefined : parseSdp(body.sdp);
  const kept = Object.entries(message.headers).filter(([header]) => VENDOR_HEADERS.includes(header));
  const dialog = {
    ...before,
    ...(offer && { offer }),
    ...(body.metadata !== undefined && {
      state: applyUpdate(before.state, parseMetadata(body.metadata), at),
    }),
    headers: mergeHeaders(before.headers, Object.fromEntries(kept)),
  };
  return { body, offer, dialog };
}

function describeDialog(
  { offer, state, headers = {} }: Dialog,
  ownNumbers: readonly string[],
): CallDescription {
  const from = identityFrom(headers['from'] ?? '');
  return describeCall({
    offer: offer ?? noOffer,
    state,
    metadataStatus: state?.mode ?? 'absent',
    headers,
    ownNumbers,
    ...(from && { from }),
    // All clients here call the recorder by this name; it is nobody in the call.
    to: { number: 'srs', aor: 'sip:srs@192.0.2.1' },
  });
}

/** The lines of an offer in the words of the fixtures. */
export function linesOf(
  offer: SessionOffer,
): readonly (Required<Omit<ExpectedLine, 'label'>> & { label?: string })[] {
  const plan = planLines(offer);
  return offer.lines.map(({ index, media, label, direction, formats }) => ({
    index,
    media,
    ...(label !== undefined && { label }),
    direction,
    accepted: plan[index]?.accepted === true,
    answer: plan[index]?.direction ?? '',
    codecs: formats.map(({ payloadType, encoding, clockRate }) => `${payloadType} ${encoding}/${clockRate}`),
  }));
}

/** Paused: every accepted line answered inactive. Held: an accepted line that asks for silence by address (SDP-14). */
export function eventsOf({ offer, state, body }: Concluded): VendorCase['events'] {
  const accepted = offer === undefined ? [] : planLines(offer).filter((line) => line.accepted);
  const held = offer !== undefined && heldLines(offer).length > 0;
  return {
    ...(offer !== undefined && { paused: accepted.every(({ direction }) => direction === 'inactive'), held }),
    newSession: body.metadata !== undefined && state?.newSession !== undefined,
  };
}
