import { userOf } from '../address.ts';
import type { Derived, DerivedItem, DerivedParty } from '../derived.ts';
import type { ExtensionField } from '../extension.ts';
import { sameNumber } from '../number-plan.ts';
import type { KnownParticipant } from '../participants.ts';
import { plainText } from '../plain-text.ts';
import type { CallEvidence } from './profile.ts';

/** A header's text as one clean line, '' when it was not sent. */
export const header = ({ headers }: CallEvidence, name: string): string => plainText(headers[name] ?? '');

/** The extension field whose path is or ends in `path`, of the newest document. */
export const field = (evidence: CallEvidence, path: string): ExtensionField | undefined =>
  fields(evidence, path)[0];

export const fields = ({ state }: CallEvidence, path: string): readonly ExtensionField[] =>
  (state?.extensions ?? []).filter((entry) => entry.path === path || entry.path.endsWith(`/${path}`));

/** Makes what names the first pattern that a header, `o=` or a namespace shows. */
export function signs(
  patterns: Readonly<Record<string, RegExp>>,
): (evidence: CallEvidence) => string | undefined {
  const all = Object.entries(patterns);
  return (evidence) => {
    for (const [where, pattern] of all) {
      const found = shownAt(where, pattern, evidence);
      if (found !== undefined) return `${where} ${plainText(found)}`;
    }
    return undefined;
  };
}

function shownAt(where: string, pattern: RegExp, evidence: CallEvidence): string | undefined {
  if (where === 'o=') return pattern.exec(evidence.offer.origin)?.[0];
  if (where !== 'namespace') return pattern.exec(header(evidence, where))?.[0];
  for (const namespace of evidence.state?.namespaces ?? []) {
    const found = pattern.exec(namespace)?.[0];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A fact from extension data, always of high confidence: the vendor says what it means. */
export const fromField = (found: ExtensionField | undefined, rule: string): Derived | undefined =>
  found && { value: found.value, source: `metadata ${found.path}`, confidence: 'high', rule };

/** A call id of the PBX (5.4). */
export const callId = (kind: string, value: string, source: string): readonly DerivedItem[] =>
  value === '' ? [] : [{ kind, value, source, confidence: 'high', rule: '5.4' }];

/** Who is in the call, those who left last. */
export function people({ state }: CallEvidence): readonly KnownParticipant[] {
  const all = state?.participants ?? [];
  const present = all.filter(({ disassociatedAt }) => disassociatedAt === undefined);
  return [...present, ...all.filter((person) => !present.includes(person))];
}

export const numberOf = (person: KnownParticipant | undefined): string | undefined => {
  const aor = person?.names.find((entry) => entry.aor !== undefined)?.aor;
  return aor === undefined ? undefined : userOf(aor);
};

/** The participant with this number, however it is spelt. */
export const personWith = (
  among: readonly KnownParticipant[],
  number: string | undefined,
): KnownParticipant | undefined =>
  among.find((person) =>
    person.names.some(({ aor }) => {
      const user = aor === undefined ? undefined : userOf(aor);
      return user !== undefined && (user === number || sameNumber(user, number));
    }),
  );

/** A participant as a side of the call. */
export function partyOf(
  person: KnownParticipant | undefined,
  why: Pick<DerivedParty, 'source' | 'confidence' | 'rule'>,
): DerivedParty | undefined {
  if (person === undefined) return undefined;
  const number = numberOf(person);
  return { participant: person.id, ...(number !== undefined && { number }), ...why };
}
