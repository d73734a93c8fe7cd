/** What an INVITE shows of its purpose, taken from headers and body. */
export interface SessionFacts {
  /** Option tags of Require and Supported, see `optionTags`. */
  readonly required: readonly string[];
  readonly supported: readonly string[];
  /** Contact header as text, well-formed or not. */
  readonly contact: string;
  /** Whether the body has a part with recording metadata. */
  readonly hasMetadata: boolean;
  /** Whether there is an X-Cisco-Recording-Participant header. */
  readonly ciscoParticipant: boolean;
  /** From header as text. */
  readonly from: string;
}

export type Recognition =
  | { readonly recording: true; readonly evidence: readonly string[] }
  | { readonly recording: false; readonly missing: string };

/**
 * Whether an INVITE opens a recording session. `strict` asks for what RFC 7866 §6.2 demands, both signs (RS-1);
 * `compat` takes any one sign from a client that is allowed here (RS-2), for a sixth of real clients lack one (RS-4).
 */
export function recogniseSession(facts: SessionFacts, mode: 'compat' | 'strict'): Recognition {
  const option = facts.required.includes('siprec') || facts.supported.includes('siprec');
  // Seen inside the angle brackets, outside and unterminated (SIG-9), so the text is searched as it is.
  const feature = /;\s*\+sip\.src\b/i.test(facts.contact);
  if (mode === 'strict') {
    if (!feature) return { recording: false, missing: 'Contact without +sip.src' };
    if (!option) return { recording: false, missing: 'no option tag siprec' };
    return { recording: true, evidence: ['option tag siprec', 'Contact +sip.src'] };
  }
  const evidence = [
    option && 'option tag siprec',
    feature && 'Contact +sip.src',
    /;\s*src\s*(?:[;>,=]|$)/i.test(facts.contact) && 'Contact src',
    facts.hasMetadata && 'recording metadata',
    facts.ciscoParticipant && 'X-Cisco-Recording-Participant',
    /;\s*x-(?:near|far)end\b/i.test(facts.from) && 'From x-nearend/x-farend',
  ].filter((sign) => sign !== false);
  return evidence.length > 0
    ? { recording: true, evidence }
    : { recording: false, missing: 'no sign of a recording session' };
}

const TAGS = ['siprec', 'timer', '100rel'];

/**
 * The option tags of a Require or Supported header. `100relsiprec`, two tags glued together, comes from a Cisco SBC
 * (RS-5) and is read as both.
 */
export function optionTags(header: string): readonly string[] {
  return header
    .split(',')
    .map((tag) => tag.trim().toLowerCase())
    .filter((tag) => tag !== '')
    .flatMap((tag) => {
      const first = TAGS.find((known) => tag.startsWith(known) && TAGS.includes(tag.slice(known.length)));
      return first === undefined ? [tag] : [first, tag.slice(first.length)];
    });
}

/** The tags of Require that we do not understand (RFC 3261 §8.2.2.3). 100rel needs nothing: we send no provisionals. */
export const unknownTags = (required: readonly string[]): readonly string[] =>
  required.filter((tag) => !TAGS.includes(tag));
