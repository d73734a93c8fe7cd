import type { MetadataUpdate, SessionElement } from './metadata.ts';
import type { MetadataTime } from './timestamp.ts';

/** A communication session that was named at some time. */
export type KnownSession = SessionElement;

/** A communication session that began while the dialog was already recording another one. */
export interface NewSession {
  readonly id: string;
  /** As the client says; its own clock. */
  readonly startedAt?: MetadataTime;
}

/**
 * The sessions after one more document, newest first. One that a complete document no longer names has ended
 * (RFC 8068 §3.2.3), except in the dialect where a redirection gives the same session another id.
 */
export function mergeSessions(
  old: readonly KnownSession[],
  update: MetadataUpdate,
  now: MetadataTime,
): readonly KnownSession[] {
  const fresh = update.sessions.map((session) => {
    const before = old.find(({ id }) => id === session.id);
    const ids = session.sipSessionIds.length > 0 ? session.sipSessionIds : (before?.sipSessionIds ?? []);
    return { ...before, ...session, sipSessionIds: ids };
  });
  const named = new Set(update.sessions.map(({ id }) => id));
  const others = old.filter(({ id }) => !named.has(id));
  if (update.mode === 'partial') return [...fresh, ...others];
  if (update.dialect === 'broadworks')
    return fresh.length === 0
      ? old
      : [...fresh, ...others.filter(({ stoppedAt }) => stoppedAt !== undefined)];
  return [
    ...fresh,
    ...others.map((session) => (session.stoppedAt ? session : { ...session, stoppedAt: now })),
  ];
}

/**
 * Which session, if any, the newest document opened after another one had ended (siprec-interop.md 2.5): a running id
 * never seen before while none of the former runs any more. A second one beside the first is a conference or a turret
 * (RFC 8068 §3.5), and the first session of a persistent dialog follows nothing.
 */
export function openedSession(
  before: readonly KnownSession[],
  after: readonly KnownSession[],
  update: MetadataUpdate,
): NewSession | undefined {
  const former = before.filter(({ id }) => id !== '');
  if (former.length === 0) return undefined;
  const known = new Set(former.map(({ id }) => id));
  const opened = update.sessions.find(
    ({ id, stoppedAt }) => id !== '' && stoppedAt === undefined && !known.has(id),
  );
  if (opened === undefined) return undefined;
  const goesOn =
    update.dialect === 'broadworks'
      ? former.some(({ id }) => after.find((session) => session.id === id)?.stoppedAt === undefined)
      : after.some(({ id, stoppedAt }) => known.has(id) && stoppedAt === undefined);
  if (goesOn) return undefined;
  return { id: opened.id, ...(opened.startedAt && { startedAt: opened.startedAt }) };
}
