import { isNumber, userOf, type HeaderIdentity } from './address.ts';
import { planLines } from './answer.ts';
import type { Confidence, DerivedParty } from './derived.ts';
import type { MetadataState } from './metadata-state.ts';
import type { KnownParticipant } from './participants.ts';
import { present } from './optional.ts';
import type { OfferedLine, SessionOffer } from './sdp.ts';
import { orderable } from './timestamp.ts';

/** One side of the recorded call, as far as the client named it. */
export interface Party {
  readonly name?: string;
  /** Telephone number or user part, as sent. */
  readonly number?: string;
  readonly aor?: string;
  /** Where it was taken from, for example `metadata participant 1 (send label 1)`. */
  readonly source: string;
  readonly confidence: Confidence;
  /** Number of the rule in siprec-interop.md, for example `5.1-1`; absent where nothing was concluded. */
  readonly rule?: string;
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

/** What else than streams and labels tells who is who. */
export interface SideHints {
  readonly from?: HeaderIdentity;
  readonly to?: HeaderIdentity;
  /** As a vendor's own data names them; they come before everything else. */
  readonly caller?: DerivedParty;
  readonly callee?: DerivedParty;
  /** Ids of participants that stand for nobody. */
  readonly dummies?: readonly string[];
}

/**
 * Decides caller and callee by the rules of siprec-interop.md 5.1. A person gets a channel only through association,
 * stream and label; which of two lines is the caller's is said by the vendor's data or is a rule of low confidence, and
 * named.
 */
export function decideSides(offer: SessionOffer, state: MetadataState | undefined, hints: SideHints): Sides {
  const people = inOrderOfPresence(state).filter(({ id }) => hints.dummies?.includes(id) !== true);
  const { seats, basis } = seatPeople(audioLines(offer), people, state);
  if (seats.length < 2) return mixedSides(people, hints);
  const caller = hintedSeat(seats, hints) ?? callerSeat(seats, people);
  const callee = calleeSeat(seats, caller.seat);
  const persons = personsOf(people, hints, {
    caller: caller.seat.person,
    callee: callee.person,
    seated: seats.flatMap(({ person }) => person?.id ?? []),
  });
  return {
    caller: sideOf('caller', persons.caller, { seat: caller.seat, people, hints }),
    callee: sideOf('callee', persons.callee, { seat: callee, people, hints }),
    callerLine: caller.seat.line,
    calleeLine: callee.line,
    channelSource: `${caller.rule} (${caller.confidence} confidence); ${basis}`,
  };
}

/** The persons on both sides: those on the seats, else those the vendor names, else whoever sits nowhere. */
function personsOf(
  people: readonly KnownParticipant[],
  hints: SideHints,
  on: {
    readonly caller: KnownParticipant | undefined;
    readonly callee: KnownParticipant | undefined;
    readonly seated: readonly string[];
  },
): { readonly caller: KnownParticipant | undefined; readonly callee: KnownParticipant | undefined } {
  const named = (party: DerivedParty | undefined): KnownParticipant | undefined =>
    people.find(({ id }) => id === party?.participant);
  const [calling, called] = [named(hints.caller), named(hints.callee)];
  const taken = new Set([...on.seated, calling?.id, called?.id]);
  const unseated = people.filter(({ id }) => !taken.has(id));
  const besides = (person: KnownParticipant | undefined, other: KnownParticipant | undefined) =>
    person !== undefined && person.id === other?.id ? undefined : person;
  const caller = calling ?? besides(on.caller, called) ?? unseated.shift();
  return { caller, callee: called ?? besides(on.callee, caller) ?? unseated.shift() };
}

interface ChosenSeat {
  readonly seat: Seat;
  readonly rule: string;
  readonly confidence: Confidence;
}

/** The caller's line where the vendor's data leads to it: its own line or person, or the other of two than the callee's. */
function hintedSeat(seats: readonly Seat[], { caller, callee }: SideHints): ChosenSeat | undefined {
  const calling = seatOf(seats, caller);
  const called = seatOf(seats, callee);
  if (caller !== undefined && calling !== undefined)
    return { seat: calling, rule: `the caller by ${caller.source}`, confidence: caller.confidence };
  const [other, ...more] = seats.filter((seat) => seat !== called);
  if (callee === undefined || called === undefined || other === undefined || more.length > 0)
    return undefined;
  return { seat: other, rule: `the callee by ${callee.source}`, confidence: callee.confidence };
}

const seatOf = (seats: readonly Seat[], party: DerivedParty | undefined): Seat | undefined =>
  seats.find(
    ({ line, person }) =>
      (party?.line !== undefined && line === party.line) ||
      (party?.participant !== undefined && person?.id === party.participant),
  );

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
  const here = all.filter(({ disassociatedAt }) => disassociatedAt === undefined);
  const left = all.filter(({ disassociatedAt }) => disassociatedAt !== undefined);
  const leaving = ({ disassociatedAt }: KnownParticipant): number =>
    (disassociatedAt && orderable(disassociatedAt)) ?? 0;
  return [...here, ...left.toSorted((a, b) => leaving(b) - leaving(a))];
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

function callerSeat(seats: readonly Seat[], people: readonly KnownParticipant[]): ChosenSeat {
  const labelled = seats.filter(({ label }) => CALLER_LABELS.has(label?.toLowerCase() ?? ''));
  const [first, second] = labelled;
  const low = { confidence: 'low' } as const;
  if (first !== undefined && second === undefined)
    return { seat: first, rule: `label ${first.label ?? ''} is the caller's line`, ...low };
  for (const person of people) {
    const seat = seats.find((candidate) => candidate.person?.id === person.id);
    if (seat !== undefined) return { seat, rule: 'the first participant is the caller', ...low };
  }
  // Two lines are there: decideSides asks only then.
  const [line = { line: 0, label: undefined, person: undefined }] = seats;
  return { seat: line, rule: 'the first m-line is the caller', ...low };
}

function calleeSeat(seats: readonly Seat[], caller: Seat): Seat {
  const others = seats.filter((seat) => seat !== caller);
  const named = others.find(({ person }) => person !== undefined && person.id !== caller.person?.id);
  return named ?? others[0] ?? caller;
}

/** One line carries both sides, or one side alone: people are known, channels are not. */
function mixedSides(people: readonly KnownParticipant[], hints: SideHints): Sides {
  const { caller, callee } = personsOf(people, hints, { caller: undefined, callee: undefined, seated: [] });
  return {
    caller: sideOf('caller', caller, { seat: undefined, people, hints }),
    callee: sideOf('callee', callee, { seat: undefined, people, hints }),
    channelSource: 'one audio line, its channels are not attributed',
  };
}

function sideOf(
  side: 'caller' | 'callee',
  person: KnownParticipant | undefined,
  on: {
    readonly seat: Seat | undefined;
    readonly people: readonly KnownParticipant[];
    readonly hints: SideHints;
  },
): Party {
  const hint = on.hints[side];
  if (hint === undefined)
    return partyOf(person, on.seat, on.people) ?? headerParty(on.hints, side === 'caller' ? 'from' : 'to');
  const { participant, source, confidence, rule } = hint;
  const known = participant !== undefined && person?.id === participant ? identityOf(person) : {};
  return { source, confidence, rule, ...known, ...identity(hint) };
}

const identityOf = (person: KnownParticipant): HeaderIdentity => {
  const aor = person.names.find((entry) => entry.aor !== undefined)?.aor;
  const name = person.names.find((entry) => entry.name !== undefined)?.name;
  return identity(present({ aor, name }));
};

function partyOf(
  person: KnownParticipant | undefined,
  seat: Seat | undefined,
  people: readonly KnownParticipant[],
): Party | undefined {
  if (person === undefined) return undefined;
  const seated = seat?.label !== undefined && seat.person === person;
  return {
    source: `metadata participant ${people.indexOf(person) + 1} (${seated ? `sends label ${seat.label}` : 'by participant order'})`,
    confidence: 'low',
    rule: seated ? '5.1-5' : '5.1-4',
    ...identityOf(person),
  };
}

/**
 * Without metadata the headers of the recording session are all there is. They often name the recorder itself on both
 * sides (OpenSIPS) or the recorded user, so equal ones and a To that is no number say nothing.
 */
function headerParty(headers: Pick<SideHints, 'from' | 'to'>, side: 'from' | 'to'): Party {
  const given = identity(headers[side] ?? {});
  const other = identity(headers[side === 'from' ? 'to' : 'from'] ?? {});
  const useful =
    given.number !== undefined && given.aor !== other.aor && (side === 'from' || isNumber(given.number));
  return useful
    ? {
        source: `${side === 'from' ? 'From' : 'To'} header of the recording session`,
        confidence: 'low',
        rule: '5.1-3',
        ...given,
      }
    : { source: 'not signalled', confidence: 'low' };
}

function identity({ name, number, aor }: HeaderIdentity): HeaderIdentity {
  const user = number ?? (aor === undefined ? undefined : userOf(aor));
  return present({ name: name === '' ? undefined : name, number: user, aor });
}
