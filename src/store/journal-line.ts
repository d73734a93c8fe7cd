import { crc32 } from 'node:zlib';
import type { NumberedEvent } from '../jobs/ports.ts';

const LF = 0x0a;
const LINE = /^([0-9a-f]{8}) ([1-9][0-9]{0,15}) (\{.*\})$/s;

/** `<CRC-32 of the rest, 8 hex digits> <sequence> <event as JSON>` and LF. JSON escapes every LF of its own. */
export function encodeLine(sequence: number, json: string): Buffer {
  const rest = `${sequence} ${json}`;
  return Buffer.from(`${checksum(rest)} ${rest}\n`);
}

/** One line without its LF; undefined when it is damaged in any way. */
export function decodeLine(line: Buffer): NumberedEvent | undefined {
  const match = LINE.exec(line.toString());
  if (match === null) return undefined;
  const [, sum, sequence, json = ''] = match;
  if (checksum(`${sequence} ${json}`) !== sum) return undefined;
  try {
    return { sequence: Number(sequence), event: JSON.parse(json) as NumberedEvent['event'] };
  } catch {
    return undefined;
  }
}

/** Where one good line lies in its file; `length` includes the LF. */
export interface LinePlace {
  readonly sequence: number;
  readonly offset: number;
  readonly length: number;
}

export interface FileScan {
  readonly places: readonly LinePlace[];
  /** Complete lines that cannot be read. */
  readonly damaged: readonly { readonly offset: number; readonly length: number }[];
  /** Where the last complete line ends; what follows was never acknowledged. */
  readonly end: number;
  /** Whether anything follows `end`. */
  readonly torn: boolean;
}

/**
 * Finds the good lines of a journal file. Whatever the bytes are, every undamaged line is found. Sequence numbers must rise; a
 * line that goes back is damage. Octets of zero before a line, as a power cut leaves them, and empty lines are passed over.
 */
export function scanFile(bytes: Buffer): FileScan {
  const places: LinePlace[] = [];
  const damaged: { offset: number; length: number }[] = [];
  let offset = 0;
  let last = 0;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, offset)) {
    const start = skipZeros(bytes, offset, at);
    const sequence = start === at ? undefined : decodeLine(bytes.subarray(start, at))?.sequence;
    if (sequence !== undefined && sequence > last) {
      places.push({ sequence, offset: start, length: at + 1 - start });
      last = sequence;
    } else if (start < at) {
      damaged.push({ offset, length: at + 1 - offset });
    }
    offset = at + 1;
  }
  return { places, damaged, end: offset, torn: offset < bytes.length };
}

function skipZeros(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] === 0) at += 1;
  return at;
}

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0');
