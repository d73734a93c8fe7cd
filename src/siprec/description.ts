import type { KnownParticipant, MetadataState } from './metadata-state.ts';
import { decideSides, type HeaderIdentity, type Party } from './parties.ts';
import type { SessionOffer } from './sdp.ts';

export type { HeaderIdentity, Party } from './parties.ts';

export type CallDirection = 'in' | 'out' | 'internal' | 'unknown';

export type MetadataStatus = 'complete' | 'partial' | 'absent' | 'invalid';

export interface ParticipantEntry {
  readonly id: string;
  readonly name?: string;
  readonly aor?: string;
  /** Labels of the streams the participant sends. */
  readonly sends: readonly string[];
  readonly associatedAt?: string;
  readonly disassociatedAt?: string;
}

/** Who, whom, which way: what the metadata and the SIP headers say about a call. Plain data. */
export interface CallDescription {
  readonly direction: CallDirection;
  readonly directionSource: string;
  readonly caller: Party;
  readonly callee: Party;
  readonly pbxCallId?: { readonly value: string; readonly source: string };
  readonly metadataStatus: MetadataStatus;
  readonly participants: readonly ParticipantEntry[];
  /** m-line index of each side and how that was decided; undefined where the client sends no such line. */
  readonly callerLine?: number;
  readonly calleeLine?: number;
  readonly channelSource: string;
  readonly warnings: readonly string[];
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
}

/** Warnings listed one by one; more of them say nothing new. */
const MAX_WARNINGS = 50;

/** Puts together what is known about a call (siprec-interop.md section 5, without vendor data). Never throws. */
export function describeCall(input: DescriptionInput): CallDescription {
  const { offer, state, metadataStatus } = input;
  const headers = { ...(input.from && { from: input.from }), ...(input.to && { to: input.to }) };
  const pbxCallId = pbxCallIdOf(state);
  return {
    direction: 'unknown',
    directionSource: 'not signalled',
    ...decideSides(offer, state, headers),
    ...(pbxCallId && { pbxCallId }),
    metadataStatus,
    participants: (state?.participants ?? []).map(entryOf),
    warnings: [
      ...new Set([
        ...offer.warnings,
        ...(state?.warnings ?? []),
        ...(input.warnings ?? []),
        ...labelWarnings(offer, state),
      ]),
    ].slice(0, MAX_WARNINGS),
  };
}

function entryOf(person: KnownParticipant): ParticipantEntry {
  const aor = person.names.find((entry) => entry.aor !== undefined)?.aor;
  const name = person.names.find((entry) => entry.name !== undefined)?.name;
  return {
    id: person.id,
    ...(name !== undefined && { name }),
    ...(aor !== undefined && { aor }),
    sends: person.labels,
    ...(person.associatedAt && { associatedAt: person.associatedAt.text }),
    ...(person.disassociatedAt && { disassociatedAt: person.disassociatedAt.text }),
  };
}

/** The PBX's own id of the call (siprec-interop.md 5.4): sipSessionID, else the session's id. */
function pbxCallIdOf(
  state: MetadataState | undefined,
): { readonly value: string; readonly source: string } | undefined {
  const session = state?.sessions.find(({ stoppedAt }) => stoppedAt === undefined) ?? state?.sessions[0];
  const sipSessionId = session?.sipSessionIds.find((id) => id !== '');
  if (sipSessionId !== undefined) return { value: sipSessionId, source: 'metadata sipSessionID' };
  if (session !== undefined && session.id !== '') return { value: session.id, source: 'metadata session id' };
  return undefined;
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
