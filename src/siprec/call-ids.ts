import type { DerivedItem, RelatedId } from './derived.ts';
import { globalId, sessionIdHalves } from './identifier.ts';
import type { MetadataState } from './metadata-state.ts';
import type { KnownSession } from './sessions.ts';
import { plainText } from './plain-text.ts';
import { ownIdsIn } from './vendor-headers.ts';
import type { DerivedFields } from './vendors/profile.ts';

/** An id that is longer is none. */
const LONGEST = 200;

/**
 * The ids of the call in the PBX, the best first (siprec-interop.md 5.4): the vendor's own, sipSessionID, the session's id, and what an
 * administrator let the PBX put into headers of its own.
 */
export function callIdsOf(
  state: MetadataState | undefined,
  derived: DerivedFields,
  headers: Readonly<Record<string, string>> = {},
): readonly DerivedItem[] {
  const session = currentSession(state);
  const general = { confidence: 'medium', rule: '5.4' } as const;
  const ids: readonly DerivedItem[] = [
    ...(derived.callIds ?? []),
    ...(session?.sipSessionIds ?? []).map((value) => ({
      kind: 'sip-session-id',
      value,
      source: 'metadata sipSessionID',
      ...general,
    })),
    ...(session === undefined
      ? []
      : [{ kind: 'session', value: session.id, source: 'metadata session id', ...general }]),
    ...ownIdsIn(Object.keys(headers)).map((name) => ({
      kind: 'header',
      value: plainText(headers[name] ?? '').slice(0, LONGEST),
      source: `${name} header`,
      ...general,
    })),
  ];
  const filled = ids.filter(({ value }) => value !== '');
  return filled.filter(({ value }, index) => filled.findIndex((other) => other.value === value) === index);
}

const currentSession = (state: MetadataState | undefined): KnownSession | undefined =>
  state?.sessions.find(({ stoppedAt }) => stoppedAt === undefined) ?? state?.sessions[0];

/** Enough for a call that was transferred many times. */
const MAX_RELATED = 50;

/** What links this recording with others of the same call (siprec-interop.md 5.5). Ids that count within one dialog do not. */
export function relatedOf(state: MetadataState | undefined, derived: DerivedFields): readonly RelatedId[] {
  const sessions = state?.sessions ?? [];
  const groups = [...(state?.groups ?? []), ...sessions.flatMap(({ group }) => group ?? [])];
  const ids: readonly RelatedId[] = [
    ...(derived.related ?? []),
    ...sessions.flatMap(({ sipSessionIds }) =>
      sipSessionIds.flatMap(sessionIdHalves).map((value) => ({ kind: 'sip-session-half', value })),
    ),
    ...global(
      'session',
      sessions.map(({ id }) => id),
    ),
    ...global('group', groups),
  ];
  return [...new Map(ids.map((id) => [`${id.kind} ${id.value}`, id])).values()].slice(0, MAX_RELATED);
}

const global = (kind: string, ids: readonly string[]): readonly RelatedId[] =>
  ids.flatMap((id) => globalId(id) ?? []).map((value) => ({ kind, value }));
