import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { CLOCK_RATE, type CapturedFile, type LineRole } from './capture.ts';
import { MediaError } from './media-error.ts';
import { ENDS, readOggPage, setOggChecksum } from './ogg-page.ts';
import { PCAP_HEADER_BYTES, pcapHeader, RECORD_HEADER_BYTES } from './pcap.ts';
import { overwrite, recoverWav, type Limit } from './recover-wav.ts';

/**
 * Makes a working file that a crash left behind a right file again, by its kind: see `recoverWav`; of Ogg and capture files whole
 * pages and records only. With `limit` nothing is left that came after it. On disk when this resolves; may be repeated.
 *
 * @throws MediaError BAD_WAV when nothing of it can be kept; errors of the file system as they are.
 */
export function recoverFile(path: string, limit?: Limit): Promise<CapturedFile> {
  if (path.endsWith('.opus.part')) return recoverWhole(path, OPUS, limit);
  if (path.endsWith('.pcap.part')) return recoverWhole(path, DUMP, limit);
  return recoverWav(path, limit);
}

/** How the sound part of a file is found, and finished. */
interface Kind {
  readonly codec: string;
  readonly extension: 'opus' | 'pcap';
  readonly rate: number;
  /** Octets that are whole, at least a header, and the ticks they last; repairs the last page in place. */
  readonly read: (
    bytes: Buffer,
    limit: Limit | undefined,
  ) => { readonly octets: number; readonly ticks: number } | undefined;
}

const OPUS: Kind = { codec: 'OPUS', extension: 'opus', rate: 48_000, read: readOpus };
const DUMP: Kind = { codec: 'RTP', extension: 'pcap', rate: CLOCK_RATE, read: readDump };

const SAMPLES_PER_TICK = 48_000 / CLOCK_RATE;

async function recoverWhole(path: string, kind: Kind, limit: Limit | undefined): Promise<CapturedFile> {
  const file = await open(path, 'r+');
  try {
    const bytes = await file.readFile();
    const found = kind.read(bytes, limit);
    if (found === undefined) throw new MediaError('BAD_WAV', `${path}: not a file of ours`);
    const whole = bytes.subarray(0, found.octets);
    if (limit !== undefined) await overwrite(file, whole.length, bytes.length);
    await rewrite(file, whole);
    return {
      path,
      ...describeName(path),
      codec: kind.codec,
      extension: kind.extension,
      rate: kind.rate,
      samples: found.ticks,
      bytes: whole.length,
      audioSha256: createHash('sha256').update(whole).digest('hex'),
      audioOffset: 0,
    };
  } finally {
    await file.close();
  }
}

async function rewrite(file: FileHandle, whole: Buffer): Promise<void> {
  await file.write(whole, 0, whole.length, 0);
  await file.truncate(whole.length);
  await file.sync();
}

/** The last page says that it is the last one (RFC 3533 §6). */
function readOpus(bytes: Buffer, limit: Limit | undefined): { octets: number; ticks: number } | undefined {
  let [end, last, pages] = [0, 0, 0];
  for (let length = readOggPage(bytes, 0); length !== undefined; length = readOggPage(bytes, end)) {
    // Behind the end may lie what an earlier flush left there.
    if (bytes.readUInt32LE(end + 18) !== pages) break;
    // A page ends where its position says (RFC 7845 §4); one that reaches over the limit goes.
    if (limit !== undefined && Number(bytes.readBigUInt64LE(end + 6)) > (limit.until - limit.startedAt) * 48)
      break;
    last = end;
    end += length;
    pages++;
  }
  // Two pages of headers hold no audio.
  if (pages < 3) return undefined;
  bytes[last + 5] = (bytes[last + 5] ?? 0) | ENDS;
  setOggChecksum(bytes.subarray(last, end));
  return { octets: end, ticks: Number(bytes.readBigUInt64LE(last + 6)) / SAMPLES_PER_TICK };
}

function readDump(bytes: Buffer, limit: Limit | undefined): { octets: number; ticks: number } | undefined {
  if (!bytes.subarray(0, PCAP_HEADER_BYTES).equals(pcapHeader())) return undefined;
  let [at, first, last] = [PCAP_HEADER_BYTES, NaN, NaN];
  while (at + RECORD_HEADER_BYTES <= bytes.length) {
    const length = bytes.readUInt32LE(at + 8);
    if (length === 0 || at + RECORD_HEADER_BYTES + length > bytes.length) break;
    const when = bytes.readUInt32LE(at) * 1000 + bytes.readUInt32LE(at + 4) / 1000;
    if (limit !== undefined && when >= limit.until) break;
    last = when;
    if (Number.isNaN(first)) first = last;
    at += RECORD_HEADER_BYTES + length;
  }
  return at === PCAP_HEADER_BYTES
    ? undefined
    : { octets: at, ticks: Math.max(1, Math.round(((last - first) * CLOCK_RATE) / 1000)) };
}

/** The working names are made in `track-layout.ts`. */
function describeName(path: string): Pick<CapturedFile, 'suffix' | 'channelRoles' | 'channelLines'> {
  const name = basename(path).replace(/\.[a-z]+\.part$/, '');
  const suffix = name === 'audio' ? '' : name;
  const line = /^line(\d+)/.exec(name)?.[1];
  if (line !== undefined) return { suffix, channelRoles: ['extra'], channelLines: [Number(line)] };
  const side = /^(caller|callee)/.exec(name)?.[1] as LineRole | undefined;
  return { suffix, channelRoles: [side ?? 'mixed'], channelLines: [] };
}
