import { isNumber, userOf } from './address.ts';
import { planLines } from './answer.ts';
import type { KnownParticipant, MetadataState } from './metadata-state.ts';
import type { OfferedLine, SessionOffer } from './sdp.ts';

/** How sure a derived field is (siprec-interop.md section 5). */
type Confidence = 'high' | 'medium' | 'low';

/** One side of the recorded call, as far as the client named it. */
export interface Party {
  readonly name?: string;
  /** Telephone number or user part, as sent. */
  readonly number?: string;
  readonly aor?: string;
  /** Where it was taken from, for example `metadata participant 1 (send label 1)`. */
  readonly source: string;
  readonly confidence: Confidence;
}

/** A name and address from a SIP header. */
export interface HeaderIdentity {
  readonly name?: string;
  readonly number?: string;
  readonly aor?: string;
}

/** Who is who, and on which m-line. */
export interface Sides {
  readonly caller: Party;
  readonly callee: Party;
  readonly callerLine?: number;
  readonly calleeLine?: number;
  readonly channelSource: string;
}

/** An audio line and the person who speaks on it. */
interface Seat {
  readonly line: number;
  readonly label: string | undefined;
  readonly person: KnownParticipant | undefined;
}

/**
 * Decides caller and callee by the rules of siprec-interop.md 5.1 that need no vendor data. A person gets a channel only
 * through association, stream and label; which of two lines is the caller's is a rule of low confidence, and named.
 */
export function decideSides(
  offer: SessionOffer,
  state: MetadataState | undefined,
  headers: { readonly from?: HeaderIdentity; readonly to?: HeaderIdentity },
): Sides {
  const people = inOrderOfPresence(state);
  const { seats, basis } = seatPeople(audioLines(offer), people, state);
  if (seats.length < 2) return mixedSides(people, headers);
  const caller = callerSeat(seats, people);
  const callee = calleeSeat(seats, caller.seat);
  const unseated = people.filter((person) => !seats.some((seat) => seat.person?.id === person.id));
  const callerPerson = caller.seat.person ?? unseated.shift();
  const calleePerson = callee.person ?? unseated.shift();
  return {
    caller: partyOf(callerPerson, caller.seat, people) ?? headerParty(headers, 'from'),
    callee: partyOf(calleePerson, callee, people) ?? headerParty(headers, 'to'),
    callerLine: caller.seat.line,
    calleeLine: callee.line,
    channelSource: `${caller.rule} (low confidence); ${basis}`,
  };
}

/** Lines we record first, so that a rejected one never takes a side from a recorded one. */
function audioLines(offer: SessionOffer): readonly OfferedLine[] {
  const plan = planLines(offer);
  const audio = offer.lines.filter((line) => line.media === 'audio');
  const taken = audio.filter((line) => plan[line.index]?.accepted === true);
  return [...taken, ...audio.filter((line) => !taken.includes(line))];
}

/** Present participants in document order, then those who left, the latest first: an end of call names nobody present. */
function inOrderOfPresence(state: MetadataState | undefined): readonly KnownParticipant[] {
  const all = state?.participants ?? [];
  const present = all.filter(({ disassociatedAt }) => disassociatedAt === undefined);
  const left = all.filter(({ disassociatedAt }) => disassociatedAt !== undefined);
  const leaving = (person: KnownParticipant): number => person.disassociatedAt?.epoch ?? 0;
  return [...present, ...left.toSorted((a, b) => leaving(b) - leaving(a))];
}

function seatPeople(
  lines: readonly OfferedLine[],
  people: readonly KnownParticipant[],
  state: MetadataState | undefined,
): { readonly seats: readonly Seat[]; readonly basis: string } {
  const seat = (person: (label: string) => KnownParticipant | undefined): readonly Seat[] =>
    lines.map(({ index, label }) => ({
      line: index,
      label,
      person: label === undefined ? undefined : person(label),
    }));
  const associated = seat((label) => people.find(({ labels }) => labels.includes(label)));
  if (associated.some(({ person }) => person !== undefined))
    return { seats: associated, basis: 'persons by send association and label' };
  const ordered = seat((label) => {
    const position = (state?.streams ?? []).findIndex((stream) => stream.label === label);
    return position === -1 ? undefined : people[position];
  });
  if (ordered.some(({ person }) => person !== undefined))
    return { seats: ordered, basis: 'persons by order of streams and participants (low confidence)' };
  return {
    seats: ordered,
    basis: people.length === 0 ? 'nobody named' : 'persons by participant order (low confidence)',
  };
}

/** Labels that clients give to the leg of the caller. */
const CALLER_LABELS = new Set(['1', 'a_leg', 'inbound']);

function callerSeat(
  seats: readonly Seat[],
  people: readonly KnownParticipant[],
): { readonly seat: Seat; readonly rule: string } {
  const labelled = seats.filter(({ label }) => CALLER_LABELS.has(label?.toLowerCase() ?? ''));
  const [first, second] = labelled;
  if (first !== undefined && second === undefined)
    return { seat: first, rule: `label ${first.label ?? ''} is the caller's line` };
  for (const person of people) {
    const seat = seats.find((candidate) => candidate.person?.id === person.id);
    if (seat !== undefined) return { seat, rule: 'the first participant is the caller' };
  }
  // Two lines are there: decideSides asks only then.
  const [line = { line: 0, label: undefined, person: undefined }] = seats;
  return { seat: line, rule: 'the first m-line is the caller' };
}

function calleeSeat(seats: readonly Seat[], caller: Seat): Seat {
  const others = seats.filter((seat) => seat !== caller);
  const named = others.find(({ person }) => person !== undefined && person.id !== caller.person?.id);
  return named ?? others[0] ?? caller;
}

/** One line carries both sides, or one side alone: people are known, channels are not. */
function mixedSides(
  people: readonly KnownParticipant[],
  headers: { readonly from?: HeaderIdentity; readonly to?: HeaderIdentity },
): Sides {
  const [caller, callee] = people;
  return {
    caller: partyOf(caller, undefined, people) ?? headerParty(headers, 'from'),
    callee: partyOf(callee, undefined, people) ?? headerParty(headers, 'to'),
    channelSource: 'one audio line, its channels are not attributed',
  };
}

function partyOf(
  person: KnownParticipant | undefined,
  seat: Seat | undefined,
  people: readonly KnownParticipant[],
): Party | undefined {
  if (person === undefined) return undefined;
  const how =
    seat?.label !== undefined && seat.person === person
      ? `sends label ${seat.label}`
      : 'by participant order';
  const aor = person.names.find((entry) => entry.aor !== undefined)?.aor;
  const name = person.names.find((entry) => entry.name !== undefined)?.name;
  return {
    ...identity({ ...(aor !== undefined && { aor }), ...(name !== undefined && { name }) }),
    source: `metadata participant ${people.indexOf(person) + 1} (${how})`,
    confidence: 'low',
  };
}

/**
 * Without metadata the headers of the recording session are all there is. They often name the recorder itself on both
 * sides (OpenSIPS) or the recorded user, so equal ones and a To that is no number say nothing.
 */
function headerParty(
  headers: { readonly from?: HeaderIdentity; readonly to?: HeaderIdentity },
  side: 'from' | 'to',
): Party {
  const given = identity(headers[side] ?? {});
  const other = identity(headers[side === 'from' ? 'to' : 'from'] ?? {});
  const useful =
    given.number !== undefined && given.aor !== other.aor && (side === 'from' || isNumber(given.number));
  return useful
    ? {
        ...given,
        source: `${side === 'from' ? 'From' : 'To'} header of the recording session`,
        confidence: 'low',
      }
    : { source: 'not signalled', confidence: 'low' };
}

function identity({ name, number, aor }: HeaderIdentity): HeaderIdentity {
  const user = number ?? (aor === undefined ? undefined : userOf(aor));
  return {
    ...(name !== undefined && name !== '' && { name }),
    ...(user !== undefined && { number: user }),
    ...(aor !== undefined && { aor }),
  };
}
