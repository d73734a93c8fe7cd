import type { LineRole } from '../media/capture.ts';
import type { CallDescription, Party } from '../siprec/description.ts';

/**
 * Who asks for a stop by pressing keys on a line, as the log names them: the recorded user of the call. Undefined when the line is the other
 * side's, who has no say in it. A line that both sides are mixed on, and the signalling, do not tell; there it is taken for the user.
 */
export function stopperOf(description: CallDescription, role: LineRole | undefined): string | undefined {
  const { user, direction } = description;
  if (role === 'caller' && recordedSide(description) === 'callee') return undefined;
  if (role === 'callee' && recordedSide(description) === 'caller') return undefined;
  if (user !== undefined) return `user ${user.value}`;
  const party = role === 'callee' || (role !== 'caller' && direction === 'in') ? 'callee' : 'caller';
  return `user ${personOf(description, party)}`;
}

/** A side of the call in words: its number, address, or only which side it is. */
export function personOf(description: CallDescription, role: LineRole | undefined): string {
  if (role !== 'caller' && role !== 'callee') return 'the other side';
  const { number, aor } = description[role];
  return number ?? aor ?? role;
}

/** The side whose calls are recorded; undefined where either may be. */
function recordedSide({ user, direction, caller, callee }: CallDescription): 'caller' | 'callee' | undefined {
  if (user !== undefined) {
    if (isParty(caller, user.value)) return 'caller';
    if (isParty(callee, user.value)) return 'callee';
  }
  if (direction === 'out') return 'caller';
  return direction === 'in' ? 'callee' : undefined;
}

const isParty = ({ number, aor }: Party, user: string): boolean =>
  number === user || aor === user || aor?.replace(/^sips?:/i, '') === user.replace(/^sips?:/i, '');
