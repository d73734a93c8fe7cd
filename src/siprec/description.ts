import type { MetadataState } from './metadata-state.ts';
import type { KnownParticipant } from './participants.ts';
import { callIdsOf, relatedOf } from './call-ids.ts';
import type { HeaderIdentity } from './address.ts';
import type { Confidence, Derived, DerivedItem, DialogPair, RelatedId } from './derived.ts';
import { decideDirection, type CallDirection } from './direction.ts';
import { decideSides, type Party } from './parties.ts';
import { optional, present } from './optional.ts';
import { ownList } from './own-copy.ts';
import { inZone } from './timestamp.ts';
import { chooseProfile } from './vendors/choose.ts';
import type { CallEvidence, DerivedFields } from './vendors/profile.ts';
import type { SessionOffer } from './sdp.ts';

export type { HeaderIdentity } from './address.ts';
export type { CallDirection } from './direction.ts';
export type { Party } from './parties.ts';

export type MetadataStatus = 'complete' | 'partial' | 'absent' | 'invalid';

export interface ParticipantEntry {
  readonly id: string;
  readonly name?: string;
  readonly aor?: string;
  /** Labels of the streams the participant sends. */
  readonly sends: readonly string[];
  readonly associatedAt?: string;
  readonly disassociatedAt?: string;
  /** It stands for whoever is to come, as long as that is not known. */
  readonly placeholder?: true;
}

/** Where a recording goes on that was cut off. Nothing could be kept from one time to the other, ISO 8601 in UTC. */
export interface Interruption {
  readonly recording: string;
  readonly from: string;
  readonly to: string;
}

/** Who, whom, which way: what the metadata and the SIP headers say about a call. Plain data. */
export interface CallDescription {
  readonly direction: CallDirection;
  readonly directionSource: string;
  /** Absent when nothing was concluded. */
  readonly directionConfidence?: Confidence;
  readonly directionRule?: string;
  readonly caller: Party;
  readonly callee: Party;
  /** The id the call is best known by; confidence and rule are absent in journals of earlier versions. */
  readonly pbxCallId?: Pick<Derived, 'value' | 'source'> & Partial<Pick<Derived, 'confidence' | 'rule'>>;
  readonly metadataStatus: MetadataStatus;
  readonly participants: readonly ParticipantEntry[];
  /** m-line index of each side and how that was decided; undefined where the client sends no such line. */
  readonly callerLine?: number;
  readonly calleeLine?: number;
  readonly channelSource: string;
  readonly warnings: readonly string[];
  /** Vendor profile in use and why; absent when no vendor was recognised. */
  readonly profile?: string;
  readonly profileSource?: string;
  /** Whose calls are recorded, in what group and for whom: as signalled, a hint for the tenant at most. */
  readonly user?: Derived;
  readonly group?: Derived;
  readonly tenant?: Derived;
  /** All ids of the call in the PBX, the one of `pbxCallId` first. */
  readonly pbxCallIds?: readonly DerivedItem[];
  /** What other recordings of the same call carry too (5.5). */
  readonly related?: readonly RelatedId[];
  /** Numbers the call went through before it came here. */
  readonly redirects?: readonly DerivedItem[];
  /** The recording of the same call that an interruption of the recorder cut off. */
  readonly continues?: Interruption;
  /** The recording that goes on with the call after the recorder was interrupted. */
  readonly continuedBy?: string;
  /** Set when this recording is one half of a call whose other half comes in another dialog. */
  readonly pair?: DialogPair;
}

export interface DescriptionInput {
  /** The last accepted offer: labels are resolved against it (META-12). */
  readonly offer: SessionOffer;
  readonly state: MetadataState | undefined;
  readonly metadataStatus: MetadataStatus;
  readonly from?: HeaderIdentity;
  readonly to?: HeaderIdentity;
  /** What the SIP side noticed and an auditor should read. */
  readonly warnings?: readonly string[];
  /** SIP headers by lower-case name, of those in `VENDOR_HEADERS` the client sent. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly userAgent?: string;
  /** Trunk settings: vendor profile, numbers of our own (see `NumberPlan`), zone of times without offset. */
  readonly profile?: string;
  readonly ownNumbers?: readonly string[];
  readonly srcTimeZone?: string;
}

/** Warnings listed one by one; more of them say nothing new. */
const MAX_WARNINGS = 50;

/** Puts together what is known about a call (siprec-interop.md section 5). Never throws. */
export function describeCall(input: DescriptionInput): CallDescription {
  const { offer, metadataStatus, srcTimeZone } = input;
  const state = srcTimeZone === undefined ? input.state : zoned(input.state, srcTimeZone);
  const evidence = evidenceOf(input, state);
  const chosen = chooseProfile(input.profile, evidence);
  const derived = chosen?.profile.derive(evidence) ?? {};
  const { from, to } = evidence;
  const sides = decideSides(offer, state, present({ from, to, ...derived }));
  const ids = callIdsOf(state, derived, input.headers);
  const [best] = ids;
  return {
    metadataStatus,
    participants: (state?.participants ?? []).map((person) => entryOf(person, derived.dummies ?? [])),
    warnings: warningsOf(input),
    ...decideDirection(derived, sides, input.ownNumbers ?? []),
    ...sides,
    ...(best && { pbxCallId: idOf(best) }),
    ...(chosen && { profile: chosen.profile.name, profileSource: chosen.source }),
    ...derivedOf(derived),
    ...(ids.length > 0 && { pbxCallIds: ownList(ids) }),
    ...filledList('related', relatedOf(state, derived)),
  };
}

const idOf = ({ value, source, confidence, rule }: DerivedItem): Derived => ({
  value,
  source,
  confidence,
  rule,
});

const evidenceOf = (input: DescriptionInput, state: MetadataState | undefined): CallEvidence => ({
  offer: input.offer,
  state,
  headers:
    input.userAgent === undefined
      ? { ...input.headers }
      : { 'user-agent': input.userAgent, ...input.headers },
  ...(input.from && { from: input.from }),
  ...(input.to && { to: input.to }),
});

function derivedOf({
  user,
  group,
  tenant,
  redirects,
  pair,
}: DerivedFields): Pick<CallDescription, 'user' | 'group' | 'tenant' | 'redirects' | 'pair'> {
  const known = redirects !== undefined && redirects.length > 0 ? redirects : undefined;
  return present({ user, group, tenant, redirects: known, pair });
}

const filledList = <K extends string, T>(key: K, items: readonly T[]): Partial<Record<K, readonly T[]>> =>
  optional(key, items.length > 0 ? items : undefined);

/** Times without offset read in the zone the trunk names (siprec-interop.md 2.4). */
const zoned = (state: MetadataState | undefined, timeZone: string): MetadataState | undefined =>
  state && {
    ...state,
    participants: state.participants.map((person) => ({
      ...person,
      ...(person.associatedAt && { associatedAt: inZone(person.associatedAt, timeZone) }),
      ...(person.disassociatedAt && { disassociatedAt: inZone(person.disassociatedAt, timeZone) }),
    })),
  };

const warningsOf = ({ offer, state, warnings }: DescriptionInput): readonly string[] =>
  [
    ...new Set([
      ...offer.warnings,
      ...(state?.warnings ?? []),
      ...(warnings ?? []),
      ...labelWarnings(offer, state),
    ]),
  ].slice(0, MAX_WARNINGS);

function entryOf(person: KnownParticipant, dummies: readonly string[]): ParticipantEntry {
  const aor = person.names.find((entry) => entry.aor !== undefined)?.aor;
  const name = person.names.find((entry) => entry.name !== undefined)?.name;
  return {
    id: person.id,
    ...(name !== undefined && { name }),
    ...(aor !== undefined && { aor }),
    sends: person.labels,
    ...(person.associatedAt && { associatedAt: person.associatedAt.text }),
    ...(person.disassociatedAt && { disassociatedAt: person.disassociatedAt.text }),
    ...(dummies.includes(person.id) && { placeholder: true as const }),
  };
}

/** Two lines with one label, or a label nobody offered (META-10 allows it, an auditor wants to know). */
function labelWarnings(offer: SessionOffer, state: MetadataState | undefined): readonly string[] {
  const labels = offer.lines.flatMap(({ label }) => label ?? []);
  const twice = labels.filter((label, index) => labels.indexOf(label) !== index);
  const missing = (state?.streams ?? []).flatMap(({ label }) =>
    label === undefined || labels.includes(label) ? [] : label,
  );
  return [
    ...twice.map((label) => `label ${label} is on more than one m-line`),
    ...missing.map((label) => `metadata names label ${label}, the SDP does not`),
  ];
}
