import type { Clip, ClipEncoding } from '../media/clip.ts';
import type { Law } from '../media/g711.ts';
import { identityFrom } from '../siprec/address.ts';
import { SiprecError } from '../siprec/errors.ts';
import type { PlainCall } from './announcement-calls.ts';
import { confirmationTones, type Confirmation } from './confirmation-tones.ts';
import type { SipRequest } from './drachtio.ts';
import { identityOf } from './headers.ts';
import { ONCE } from './play-schedule.ts';
import { PlayedCall, type PlayedCallParts } from './played-call.ts';
import { respond } from './respond.ts';
import { securityPolicy } from './security-policy.ts';

/** Who may log in where; wired to the recorder's policy. */
export interface GroupLogins {
  hasGroup(group: string): boolean;
  /**
   * Logs a caller in or out under one of the names the call gives. Resolves with what was done, or `refused` for somebody who is no member.
   * Rejects when it cannot be written down.
   */
  press(group: string, callers: readonly string[], key: 'login' | 'logout' | 'toggle'): Promise<Confirmation>;
}

export interface GroupCallParts extends PlayedCallParts {
  readonly logins: GroupLogins;
  /** What was done, in words; left out, or undefined where there are none, tones tell it. Must not reject. */
  readonly spoken?: SpokenConfirmation | undefined;
}

export type SpokenConfirmation = (what: Confirmation, law: Law) => Promise<Clip | undefined>;

interface PressedKey {
  readonly group: string;
  readonly key: 'login' | 'logout' | 'toggle';
}

/** A function key's call: group and key of `sip:<group>-login@…`; undefined for every other address. */
function groupKeyOf(uri: string): PressedKey | undefined {
  const [, group, key] = /^sips?:([a-z0-9][a-z0-9-]{0,39})-(login|logout|toggle)(?:[@;]|$)/i.exec(uri) ?? [];
  if (group === undefined) return undefined;
  return { group: group.toLowerCase(), key: key?.toLowerCase() as 'login' | 'logout' | 'toggle' };
}

const LAWS: readonly ClipEncoding[] = ['PCMA', 'PCMU'];

/**
 * Ordinary calls from phones on a listed trunk that log a member in or out: answered, confirmed by words or tones, hung up. Nothing of them is recorded.
 * Never rejects.
 */
export class GroupCalls {
  readonly #parts: GroupCallParts;

  constructor(parts: GroupCallParts) {
    this.#parts = parts;
  }

  /** Takes the call when its address is a group's key; false when it is none of ours. */
  takes(call: PlainCall): boolean {
    const pressed = groupKeyOf(call.request.uri);
    if (pressed === undefined || !this.#parts.logins.hasGroup(pressed.group)) return false;
    this.#serve(call, pressed).catch((error: unknown) => {
      const status = error instanceof SiprecError ? 488 : 500;
      this.#parts.log('warn', 'a group key could not be served', {
        group: pressed.group,
        error: String(error),
      });
      respond(call.response, { status, headers: {} }, this.#parts.software);
    });
    return true;
  }

  async #serve(call: PlainCall, { group, key }: PressedKey): Promise<void> {
    const { request, trunk, address } = call;
    const { logins, spoken } = this.#parts;
    let done: Promise<Confirmation> | undefined;
    await PlayedCall.serve(this.#parts, call, {
      encodings: LAWS,
      // Once it is known that the answer can be heard, and before the call is answered.
      clip: async (encoding) => {
        done ??= logins.press(group, callersOf(request), key);
        const [what, law] = [await done, encoding === 'PCMU' ? 'PCMU' : 'PCMA'] as const;
        return (await spoken?.(what, law)) ?? confirmationTones(what, law);
      },
      plan: ONCE,
      address,
      security: securityPolicy(trunk, request.protocol),
    });
  }
}

/** P-Asserted-Identity first (RFC 3325: the trunk vouches for it), then From. */
function callersOf(request: SipRequest): readonly string[] {
  const asserted = identityFrom(request.get('p-asserted-identity') ?? '');
  const from = identityOf(request, 'from');
  const named = asserted ?? from;
  return [named?.number, named?.aor, identityFrom(named?.aor ?? '')?.number].flatMap((name) => name ?? []);
}
