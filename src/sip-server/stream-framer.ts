import { ByteQueue } from './byte-queue.ts';

const CR = 0x0d;
const LF = 0x0a;

/** What a stream yields. After `lost` nothing more comes: the connection must be closed. */
export type Framed =
  | { readonly type: 'message'; readonly text: string }
  /** A double CRLF (RFC 5626 §4.4.1), to be answered with one. */
  | { readonly type: 'keep-alive' }
  /** Octets skipped while looking for the next message. */
  | { readonly type: 'garbage'; readonly bytes: number }
  /** A head or body over the limit; `head` is what was read of it. */
  | { readonly type: 'lost'; readonly head: string };

const START_LINE =
  /^(?:SIP\/2\.0[ \t]+[1-6]\d\d|[A-Za-z0-9\-.!%*_+`'~]+[ \t]+\S+[ \t]+SIP\/2\.0[ \t]*\r?$)/im;
const LENGTH_LINE = /^(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})[ \t]*\r?$/im;

/**
 * Cuts a SIP stream into messages by Content-Length (RFC 3261 §18.3): several in a segment, one in many. A message that
 * cannot be understood is still skipped by its length; octets without any are searched for the next start line,
 * so one broken message costs no other call on the connection (siprec-interop.md SIG-10).
 */
export class StreamFramer {
  readonly #queue = new ByteQueue();
  readonly #limit: number;
  /** How far the head has been searched for its end. */
  #searched = 0;
  #emptyLines = 0;
  #lost = false;

  /** `limit`: octets of one message. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    if (!this.#lost) this.#queue.append(chunk);
  }

  /** The next thing on the stream, or undefined until more octets come. */
  next(): Framed | undefined {
    if (this.#lost) return undefined;
    if (this.#skipEmptyLine()) return { type: 'keep-alive' };

    const bytes = this.#queue.view;
    if (bytes.length === 0) return undefined;
    const headEnd = findHeadEnd(bytes, this.#searched);
    if (headEnd === undefined) {
      this.#searched = Math.max(0, bytes.length - 3);
      return bytes.length > this.#limit ? this.#giveUp(bytes.toString('latin1', 0, this.#limit)) : undefined;
    }

    const head = bytes.toString('latin1', 0, headEnd);
    const garbage = garbageBefore(head);
    if (garbage > 0) {
      this.#take(garbage);
      return { type: 'garbage', bytes: garbage };
    }
    const end = headEnd + Number(LENGTH_LINE.exec(head)?.[1] ?? 0);
    if (end > this.#limit) return this.#giveUp(head);
    if (bytes.length < end) return undefined;
    const text = bytes.toString('latin1', 0, end);
    this.#take(end);
    return { type: 'message', text };
  }

  /** Skips line ends before a message; true when the second one completes a keep-alive. */
  #skipEmptyLine(): boolean {
    for (;;) {
      const bytes = this.#queue.view;
      const size = bytes[0] === LF ? 1 : bytes[0] === CR && bytes[1] === LF ? 2 : 0;
      if (size === 0) return false;
      this.#queue.consume(size);
      this.#searched = 0;
      this.#emptyLines += 1;
      if (this.#emptyLines === 2) {
        this.#emptyLines = 0;
        return true;
      }
    }
  }

  #take(count: number): void {
    this.#queue.consume(count);
    this.#searched = 0;
    this.#emptyLines = 0;
  }

  #giveUp(head: string): Framed {
    this.#lost = true;
    this.#queue.consume(this.#queue.length);
    return { type: 'lost', head };
  }
}

/** The offset behind the first empty line, searching from `from`. */
function findHeadEnd(bytes: Buffer, from: number): number | undefined {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return undefined;
}

/** Octets to throw away before the message: 0 when the head begins with a start line or at least tells its length. */
function garbageBefore(head: string): number {
  const start = START_LINE.exec(head);
  if (start !== null) return start.index;
  return LENGTH_LINE.test(head) ? 0 : head.length;
}
