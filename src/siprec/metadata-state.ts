import type {
  MetadataUpdate,
  ParticipantElement,
  SessionAssociation,
  SessionElement,
  StreamElement,
} from './metadata.ts';
import type { MetadataTime } from './timestamp.ts';

/** A participant with all that was ever said about it; it stays in the list after leaving. */
export interface KnownParticipant {
  readonly id: string;
  readonly session?: string;
  readonly names: ParticipantElement['names'];
  /** Streams it sends now; empty while it is on hold. */
  readonly sends: readonly string[];
  /** Labels of the streams it sent when it last sent any: who sits on which m-line outlives a hold. */
  readonly labels: readonly string[];
  readonly associatedAt?: MetadataTime;
  readonly disassociatedAt?: MetadataTime;
}

/** The metadata of one dialog after all updates so far. */
export interface MetadataState {
  /** `partial` until the first complete document: what is missing then was never said. */
  readonly mode: 'complete' | 'partial';
  /** Newest document first, then what earlier ones said of others. */
  readonly sessions: readonly SessionElement[];
  readonly participants: readonly KnownParticipant[];
  readonly streams: readonly StreamElement[];
  /** What was odd in the newest document. */
  readonly warnings: readonly string[];
}

/** How much history of one dialog is kept: far more than a call has, far less than an endless one could bring. */
const MAX_KNOWN = 500;

/**
 * The state after one more document (siprec-interop.md 2.5): a complete one replaces, a partial one changes what it
 * names; whoever left stays in the history. `at` (epoch ms) dates a leaving that the document only implies.
 */
export function applyUpdate(
  state: MetadataState | undefined,
  update: MetadataUpdate,
  at: number,
): MetadataState {
  const streams = mergeById(update.mode === 'partial' ? (state?.streams ?? []) : [], update.streams);
  const now: MetadataTime = { text: new Date(at).toISOString(), epoch: at };
  const merged = mergeParticipants(state, update, now);
  const associated = update.sessionAssociations.reduce(applySessionAssociation, merged);
  const left = update.sessions.reduce((all, session) => leaveStopped(all, session, update), associated);
  const warnings = [...update.warnings];
  if (update.mode === 'partial' && state === undefined)
    warnings.push('partial metadata before any complete one');
  return {
    mode: state?.mode === 'complete' ? 'complete' : update.mode,
    sessions: mergeSessions(state, update, now),
    participants: applyStreams(left, update, streams),
    streams,
    warnings,
  };
}

function mergeById<T extends { readonly id: string }>(old: readonly T[], fresh: readonly T[]): readonly T[] {
  const merged = new Map(old.map((item) => [item.id, item]));
  for (const item of fresh) merged.set(item.id, { ...merged.get(item.id), ...item });
  return [...merged.values()].slice(-MAX_KNOWN);
}

/** A session that a complete document no longer names has ended (RFC 8068 §3.2.3). */
function mergeSessions(
  state: MetadataState | undefined,
  update: MetadataUpdate,
  now: MetadataTime,
): readonly SessionElement[] {
  const old = state?.sessions ?? [];
  const named = new Set(update.sessions.map(({ id }) => id));
  const fresh = update.sessions.map((session) => {
    const before = old.find(({ id }) => id === session.id);
    const ids = session.sipSessionIds.length > 0 ? session.sipSessionIds : (before?.sipSessionIds ?? []);
    return { ...before, ...session, sipSessionIds: ids };
  });
  const others = old.filter(({ id }) => !named.has(id));
  if (update.mode === 'partial') return [...others, ...fresh].slice(-MAX_KNOWN);
  return [
    ...fresh,
    ...others.map((session) => (session.stoppedAt ? session : { ...session, stoppedAt: now })),
  ].slice(0, MAX_KNOWN);
}

function mergeParticipants(
  state: MetadataState | undefined,
  update: MetadataUpdate,
  now: MetadataTime,
): readonly KnownParticipant[] {
  const old = state?.participants ?? [];
  const fresh = update.participants.map((element) =>
    joined(
      old.find(({ id }) => id === element.id),
      element,
    ),
  );
  const named = new Set(fresh.map(({ id }) => id));
  const others = old.filter(({ id }) => !named.has(id));
  if (update.mode === 'complete')
    return [
      ...fresh,
      ...others.map((gone) => (gone.disassociatedAt ? gone : { ...gone, sends: [], disassociatedAt: now })),
    ].slice(0, MAX_KNOWN);
  // A partial document keeps the order people already have.
  const known = old.map((person) => fresh.find(({ id }) => id === person.id) ?? person);
  return [...known, ...fresh.filter(({ id }) => !old.some((person) => person.id === id))].slice(-MAX_KNOWN);
}

/** What a document says of a participant over what was known; naming somebody who left brings them back. */
function joined(before: KnownParticipant | undefined, element: ParticipantElement): KnownParticipant {
  const { id, session, names, associatedAt, disassociatedAt } = element;
  const known = before ? withoutLeaving(before) : { id, names, sends: [], labels: [] };
  return {
    ...known,
    ...(session !== undefined && { session }),
    ...(associatedAt && { associatedAt }),
    ...(disassociatedAt && { disassociatedAt }),
    names: names.length > 0 ? names : known.names,
  };
}

function withoutLeaving(participant: KnownParticipant): KnownParticipant {
  const { id, session, names, sends, labels, associatedAt } = participant;
  return {
    id,
    names,
    sends,
    labels,
    ...(session !== undefined && { session }),
    ...(associatedAt && { associatedAt }),
  };
}

function applySessionAssociation(
  participants: readonly KnownParticipant[],
  association: SessionAssociation,
): readonly KnownParticipant[] {
  const { participant, session, associatedAt, disassociatedAt } = association;
  return participants.map((person) => {
    if (person.id !== participant) return person;
    return {
      ...(disassociatedAt === undefined ? withoutLeaving(person) : { ...person, disassociatedAt }),
      ...(session !== '' && { session }),
      ...(associatedAt !== undefined && { associatedAt }),
    };
  });
}

/** The end of a session implies that everyone in it left (RFC 8068 §3.2.3). */
function leaveStopped(
  participants: readonly KnownParticipant[],
  session: SessionElement,
  update: MetadataUpdate,
): readonly KnownParticipant[] {
  const { stoppedAt } = session;
  if (stoppedAt === undefined) return participants;
  const only = update.sessions.length === 1;
  return participants.map((person) =>
    person.disassociatedAt === undefined &&
    (person.session === session.id || (only && person.session === undefined))
      ? { ...person, disassociatedAt: stoppedAt }
      : person,
  );
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
    return { ...person, sends, labels: labels.length > 0 ? labels : person.labels };
  });
}

function sendsOf(person: KnownParticipant, update: MetadataUpdate): readonly string[] {
  const associations = update.streamAssociations.filter(({ participant }) => participant === person.id);
  if (associations.length > 0) return associations.flatMap(({ sends }) => sends);
  const nested = update.participants.find(({ id }) => id === person.id)?.streams;
  if (nested !== undefined) return nested.sends;
  return update.mode === 'complete' || person.disassociatedAt !== undefined ? [] : person.sends;
}
