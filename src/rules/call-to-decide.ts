import type { CallDescription } from '../siprec/description.ts';
import { userOf } from '../siprec/address.ts';
import { plainNumber } from './number-pattern.ts';

/** A call as far as rules look at it. */
export interface CallToDecide {
  readonly description: Pick<CallDescription, 'direction' | 'caller' | 'callee' | 'user' | 'participants'>;
  readonly trunk: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Members logged in now, by group; members as `memberKey` spells them. */
export type Membership = ReadonlyMap<string, ReadonlySet<string>>;

/** One spelling for one user: an address of record without scheme and parameters in small letters, a number without separators. */
export function memberKey(text: string): string {
  const plain = text.trim();
  return (
    plainNumber(plain.includes('@') ? undefined : plain) ??
    plain
      .replace(/^sips?:/i, '')
      .replace(/[;?].*$/s, '')
      .toLowerCase()
  );
}

/**
 * Everybody whose call this may be called: whom the vendor names as the recorded user; else, as far as the direction tells, the side that is
 * ours: the caller of an outgoing call, the callee of an incoming one, both where that is not known.
 */
export function recordedUsers({ description }: CallToDecide): readonly string[] {
  const { user, direction, caller, callee } = description;
  if (user !== undefined) return identitiesOf({ number: user.value, aor: user.value });
  const sides = direction === 'out' ? [caller] : direction === 'in' ? [callee] : [caller, callee];
  return [...new Set(sides.flatMap(identitiesOf))];
}

function identitiesOf(party: {
  readonly number?: string | undefined;
  readonly aor?: string | undefined;
}): readonly string[] {
  const names = [party.number, party.aor, party.aor === undefined ? undefined : userOf(party.aor)];
  return [...new Set(names.flatMap((name) => (name === undefined || name === '' ? [] : [memberKey(name)])))];
}
