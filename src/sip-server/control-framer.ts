import { ByteQueue } from './byte-queue.ts';
import { SipServerError } from './sip-server-error.ts';

const HASH = 0x23;
const ZERO = 0x30;
const NINE = 0x39;
const MOST_DIGITS = 8;

/** Cuts the control connection into frames `<length>#<payload>` (drachtio-protocol.md section 1). */
export class ControlFramer {
  readonly #queue = new ByteQueue();
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Allows longer frames from now on. */
  raiseLimit(limit: number): void {
    this.#limit = limit;
  }

  /** Adds received octets. Frames come out of `next`. */
  push(chunk: Buffer): void {
    this.#queue.append(chunk);
  }

  /** The next whole frame as a byte string, or undefined. Throws BAD_FRAME or FRAME_TOO_LARGE: the stream is lost then. */
  next(): string | undefined {
    const bytes = this.#queue.view;
    const digits = countDigits(bytes);
    if (digits === bytes.length) return undefined;
    if (bytes[digits] !== HASH || digits === 0)
      throw new SipServerError('BAD_FRAME', 'frame does not begin with a length');

    const size = Number(bytes.toString('latin1', 0, digits));
    if (size > this.#limit) throw new SipServerError('FRAME_TOO_LARGE', `frame of ${size} bytes`);
    const end = digits + 1 + size;
    if (bytes.length < end) return undefined;
    const frame = bytes.toString('latin1', digits + 1, end);
    this.#queue.consume(end);
    return frame;
  }
}

function countDigits(bytes: Buffer): number {
  let count = 0;
  for (const octet of bytes.subarray(0, MOST_DIGITS + 1)) {
    if (octet < ZERO || octet > NINE) return count;
    count += 1;
  }
  if (count > MOST_DIGITS) throw new SipServerError('BAD_FRAME', 'length of too many digits');
  return count;
}

/** One frame as a byte string. */
export const controlFrame = (payload: string): string => `${payload.length}#${payload}`;
