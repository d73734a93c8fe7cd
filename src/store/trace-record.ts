/** One SIP message as a server or an application sees it. `text` is a byte string: one character, one octet. */
export interface SeenMessage {
  readonly direction: 'in' | 'out';
  /** `udp`, `tcp`, `tls`; empty where nobody knows. */
  readonly protocol: string;
  /** `address:port` of the other side. */
  readonly remote: string;
  readonly text: string;
}

/** A message in a trace: when, and of which call. */
export interface TracedMessage extends SeenMessage {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly callId: string;
}

const CALL_ID = /^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)/im;
/** Longer ones are cut, when kept and when looked for. */
const LONGEST_CALL_ID = 256;

/** The Call-ID of a message, '' without one. */
export const callIdOf = (text: string): string =>
  (CALL_ID.exec(text.slice(0, 16_384))?.[1] ?? '').trim().slice(0, LONGEST_CALL_ID);

/** How a Call-ID, as an application reads it, stands in a trace. */
export const tracedId = (callId: string): string =>
  Buffer.from(callId, 'utf8').toString('latin1').trim().slice(0, LONGEST_CALL_ID);

/**
 * A record: one line of JSON, then as many octets of message as it says, then a line end. So a file can be read without searching in it,
 * and what a crash tore off is known by its length.
 */
export function encodeTrace({ text, ...facts }: TracedMessage): string {
  return `${asLatin1({ octets: text.length, ...facts })}\n${text}\n`;
}

/** The line itself must be octets as well. */
const asLatin1 = (facts: object): string =>
  JSON.stringify(facts).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** The records of a file as far as they are whole. */
export function* decodeTraces(file: Buffer): Generator<TracedMessage> {
  for (let from = 0; from < file.length;) {
    const lineEnd = file.indexOf(0x0a, from);
    const facts = lineEnd === -1 ? undefined : readFacts(file.toString('latin1', from, lineEnd));
    if (facts === undefined) return;
    const { octets, ...rest } = facts;
    const end = lineEnd + 1 + octets;
    if (end >= file.length) return;
    yield { ...rest, text: file.toString('latin1', lineEnd + 1, end) };
    from = end + 1;
  }
}

function readFacts(line: string): (Omit<TracedMessage, 'text'> & { readonly octets: number }) | undefined {
  try {
    const facts = JSON.parse(line) as Omit<TracedMessage, 'text'> & { readonly octets: number };
    return Number.isSafeInteger(facts.octets) && facts.octets >= 0 ? facts : undefined;
  } catch {
    return undefined;
  }
}
