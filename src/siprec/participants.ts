import type { MetadataUpdate, ParticipantElement, SessionAssociation, StreamElement } from './metadata.ts';
import { present } from './optional.ts';
import { ownList } from './own-copy.ts';
import type { KnownSession } from './sessions.ts';
import type { MetadataTime } from './timestamp.ts';

/** A participant with all that was ever said about it; it stays in the list after leaving. */
export interface KnownParticipant {
  readonly id: string;
  /** Communication sessions it is in now. */
  readonly sessions: readonly string[];
  readonly names: ParticipantElement['names'];
  /** Streams it sends now; empty while it is on hold. */
  readonly sends: readonly string[];
  /** Labels of the streams it sent when it last sent any: who sits on which m-line outlives a hold. */
  readonly labels: readonly string[];
  readonly associatedAt?: MetadataTime;
  readonly disassociatedAt?: MetadataTime;
}

interface Around {
  readonly now: MetadataTime;
  /** Sessions and streams as they are after the document. */
  readonly sessions: readonly KnownSession[];
  readonly streams: readonly StreamElement[];
}

/** The participants of a dialog after one more document (siprec-interop.md 2.5), those who left included. */
export function mergeParticipants(
  old: readonly KnownParticipant[],
  update: MetadataUpdate,
  around: Around,
): readonly KnownParticipant[] {
  const known = new Set(around.sessions.map(({ id }) => id));
  const merged = merge(old, update, around.now);
  const associated = update.sessionAssociations.reduce(
    (all, association) => associate(all, association, known),
    merged,
  );
  const stopped = update.sessions.reduce(
    (all, session) => leaveStopped(all, session, update.sessions.length === 1),
    associated,
  );
  return applyStreams(stopped, update, around.streams);
}

function merge(
  old: readonly KnownParticipant[],
  update: MetadataUpdate,
  now: MetadataTime,
): readonly KnownParticipant[] {
  const renamed = update.dialect === 'broadworks' && update.mode === 'complete';
  const pairs = update.participants.map((element) => {
    const before =
      old.find(({ id }) => id === element.id) ?? (renamed ? sameAddress(old, element) : undefined);
    return { before, now: joined(before, element, update.mode) };
  });
  const fresh = pairs.map((pair) => pair.now);
  const replaced = new Set(pairs.flatMap(({ before }) => before?.id ?? []));
  const others = old.filter(({ id }) => !replaced.has(id) && !fresh.some((person) => person.id === id));
  if (update.mode === 'complete')
    return [
      ...fresh,
      ...others.map((gone) => (gone.disassociatedAt ? gone : { ...gone, sends: [], disassociatedAt: now })),
    ];
  // A partial document keeps the order people already have.
  const kept = old.map((person) => fresh.find(({ id }) => id === person.id) ?? person);
  return [...kept, ...fresh.filter(({ id }) => !old.some((person) => person.id === id))];
}

/** A redirection gives everybody another id; whoever keeps the address is the same person. */
function sameAddress(
  old: readonly KnownParticipant[],
  element: ParticipantElement,
): KnownParticipant | undefined {
  const address = element.names.find(({ aor }) => aor !== undefined)?.aor;
  if (address === undefined) return undefined;
  return old.find(
    ({ names, disassociatedAt }) => disassociatedAt === undefined && names.some(({ aor }) => aor === address),
  );
}

/** What a document says of a participant over what was known; naming somebody who left brings them back. */
function joined(
  before: KnownParticipant | undefined,
  element: ParticipantElement,
  mode: MetadataUpdate['mode'],
): KnownParticipant {
  const { id, session, names, associatedAt, disassociatedAt } = element;
  const known: KnownParticipant = before
    ? withoutLeaving(before)
    : { id, names, sessions: [], sends: [], labels: [] };
  const sessions = mode === 'complete' ? [] : known.sessions;
  return present({
    id,
    names: names.length > 0 ? names : known.names,
    sessions: session === undefined ? sessions : [...new Set([...sessions, session])],
    sends: known.sends,
    labels: known.labels,
    associatedAt: associatedAt ?? known.associatedAt,
    disassociatedAt,
  });
}

function withoutLeaving(participant: KnownParticipant): KnownParticipant {
  const { id, sessions, names, sends, labels, associatedAt } = participant;
  return { id, sessions, names, sends, labels, ...(associatedAt && { associatedAt }) };
}

/** A reference to a session nobody named (CUBE repeats the participant's id there) still says who came or left. */
function associate(
  participants: readonly KnownParticipant[],
  association: SessionAssociation,
  known: ReadonlySet<string>,
): readonly KnownParticipant[] {
  const { participant, session, associatedAt, disassociatedAt } = association;
  const real = known.has(session);
  return participants.map((person) => {
    if (person.id !== participant) return person;
    if (disassociatedAt !== undefined) return left(person, real ? session : undefined, disassociatedAt);
    const { id, names, sessions, sends, labels } = person;
    return present({
      id,
      names,
      sessions: real ? [...new Set([...sessions, session])] : sessions,
      sends,
      labels,
      associatedAt: associatedAt ?? person.associatedAt,
    });
  });
}

/** Out of one session; who is in another one at the same time is still there (META-11). */
function left(person: KnownParticipant, session: string | undefined, at: MetadataTime): KnownParticipant {
  const sessions = session === undefined ? [] : person.sessions.filter((id) => id !== session);
  return { ...person, sessions, ...(sessions.length === 0 && { disassociatedAt: at }) };
}

/** The end of a session implies that everyone in it left (RFC 8068 §3.2.3). */
function leaveStopped(
  participants: readonly KnownParticipant[],
  session: KnownSession,
  only: boolean,
): readonly KnownParticipant[] {
  const { id, stoppedAt } = session;
  if (stoppedAt === undefined) return participants;
  return participants.map((person) => {
    if (person.disassociatedAt !== undefined) return person;
    const inside = person.sessions.includes(id) || (only && person.sessions.length === 0);
    return inside ? left(person, id, stoppedAt) : person;
  });
}

/** The send set of a participant is replaced, never merged; a complete document without one means none (META-8). */
function applyStreams(
  participants: readonly KnownParticipant[],
  update: MetadataUpdate,
  streams: readonly StreamElement[],
): readonly KnownParticipant[] {
  return participants.map((person) => {
    const sends = sendsOf(person, update);
    const labels = sends.flatMap((id) => streams.find((stream) => stream.id === id)?.label ?? []);
    return { ...person, sends, labels: labels.length > 0 ? ownList(labels) : person.labels };
  });
}

function sendsOf(person: KnownParticipant, update: MetadataUpdate): readonly string[] {
  const associations = update.streamAssociations.filter(({ participant }) => participant === person.id);
  if (associations.length > 0) return associations.flatMap(({ sends }) => sends);
  const nested = update.participants.find(({ id }) => id === person.id)?.streams;
  if (nested !== undefined) return nested.sends;
  return update.mode === 'complete' || person.disassociatedAt !== undefined ? [] : person.sends;
}
