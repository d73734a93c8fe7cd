import { mergeFields, type ExtensionField } from './extension.ts';
import { gapsIn } from './metadata-gaps.ts';
import type { MetadataUpdate, StreamElement } from './metadata.ts';
import { mergeParticipants, type KnownParticipant } from './participants.ts';
import { mergeSessions, openedSession, type KnownSession, type NewSession } from './sessions.ts';
import type { MetadataTime } from './timestamp.ts';

/** The metadata of one dialog after all updates so far. */
export interface MetadataState {
  /** `partial` until the first complete document: what is missing then was never said. */
  readonly mode: 'complete' | 'partial';
  /** Newest document first, then what earlier ones said of others. */
  readonly sessions: readonly KnownSession[];
  readonly participants: readonly KnownParticipant[];
  readonly streams: readonly StreamElement[];
  readonly groups: readonly string[];
  readonly extensions: readonly ExtensionField[];
  readonly dialect: MetadataUpdate['dialect'];
  readonly namespaces: readonly string[];
  /** Set when the newest document opens another communication session in this dialog: a recording of its own. */
  readonly newSession?: NewSession;
  /** Whether a partial document spoke of things nobody introduced; a complete one heals that (SNAP-1). */
  readonly incomplete: boolean;
  /** What was odd in the newest document. */
  readonly warnings: readonly string[];
}

/** How much history of one dialog is kept: far more than a call has, far less than an endless one could bring. */
const MAX_KNOWN = 500;

type BeforeAny = Pick<
  MetadataState,
  'sessions' | 'participants' | 'streams' | 'groups' | 'extensions' | 'namespaces' | 'incomplete'
>;

const NOTHING: BeforeAny = {
  sessions: [],
  participants: [],
  streams: [],
  groups: [],
  extensions: [],
  namespaces: [],
  incomplete: false,
};

/**
 * The state after one more document (siprec-interop.md 2.5): a complete one replaces, a partial one changes what it
 * names; whoever left stays in the history. `at` (epoch ms) dates a leaving that the document only implies.
 */
export function applyUpdate(
  state: MetadataState | undefined,
  update: MetadataUpdate,
  at: number,
): MetadataState {
  const old = state ?? NOTHING;
  const partial = update.mode === 'partial';
  const streams = mergeStreams(partial ? old.streams : [], update.streams);
  const now: MetadataTime = { text: new Date(at).toISOString(), epoch: at };
  const sessions = mergeSessions(old.sessions, update, now).slice(0, MAX_KNOWN);
  const participants = mergeParticipants(old.participants, update, { now, sessions, streams });
  const gaps = partial ? gapsIn(state, update) : [];
  const newSession = openedSession(old.sessions, sessions, update);
  return {
    mode: state?.mode === 'complete' ? 'complete' : update.mode,
    sessions,
    participants: keepNewest(participants, partial),
    streams,
    groups: update.groups.length > 0 ? update.groups : old.groups,
    extensions: mergeFields(newSession ? [] : old.extensions, update.extensions, update.mode),
    dialect: update.dialect,
    namespaces: [...new Set([...old.namespaces, ...update.namespaces])].slice(0, MAX_KNOWN),
    ...(newSession && { newSession }),
    incomplete: partial && (old.incomplete || gaps.length > 0),
    warnings: [...update.warnings, ...gaps],
  };
}

/** A complete document puts the newest first, a partial one last. */
const keepNewest = <T>(items: readonly T[], partial: boolean): readonly T[] =>
  partial ? items.slice(-MAX_KNOWN) : items.slice(0, MAX_KNOWN);

function mergeStreams(
  old: readonly StreamElement[],
  fresh: readonly StreamElement[],
): readonly StreamElement[] {
  const merged = new Map(old.map((item) => [item.id, item]));
  for (const item of fresh) merged.set(item.id, Object.assign({}, merged.get(item.id), item));
  return [...merged.values()].slice(-MAX_KNOWN);
}
