import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { CLOCK_RATE, type CapturedFile, type LineRole } from './capture.ts';
import { MediaError } from './media-error.ts';
import { parseWavHeader, wavHeader, WAV_HEADER_BYTES, wavOctets, wavRate, wavSamples } from './wav-header.ts';

const CHUNK = 1024 * 1024;

/**
 * Makes a working file that a crash left behind a right WAV file again: whole frames only, every size as the file's length says,
 * on disk when this resolves. May be repeated. Roles come from the file's name; `channelLines` is empty where the name does not
 * tell the line (the recording's journal does).
 *
 * @throws MediaError BAD_WAV when the file has no header of ours; errors of the file system as they are.
 */
export async function recoverWav(path: string, limit?: Limit): Promise<CapturedFile> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const header = Buffer.alloc(WAV_HEADER_BYTES);
    const { bytesRead } = await file.read(header, 0, WAV_HEADER_BYTES, 0);
    const { dataBytes, ...format } = parseWavHeader(header.subarray(0, bytesRead));
    const { law, channels } = format;

    const present = size - WAV_HEADER_BYTES;
    const there = wavSamples(format, isPadded(present, dataBytes) ? dataBytes : present);
    const samples = limit === undefined ? there : Math.min(there, samplesBefore(limit, wavRate(format)));
    const audio = wavOctets(format, samples);
    await overwrite(file, WAV_HEADER_BYTES + audio, size);
    const bytes = WAV_HEADER_BYTES + audio + (audio % 2);
    await file.write(wavHeader(format, samples), 0, WAV_HEADER_BYTES, 0);
    // Cutting first and growing again makes the pad octet zero.
    await file.truncate(WAV_HEADER_BYTES + audio);
    await file.truncate(bytes);
    await file.sync();
    const audioSha256 = await hashAudio(file, bytes - WAV_HEADER_BYTES);
    return {
      path,
      ...describeName(path, channels),
      codec: law,
      rate: wavRate(format),
      samples: Math.floor((samples * CLOCK_RATE) / wavRate(format)),
      bytes,
      audioSha256,
      audioOffset: WAV_HEADER_BYTES,
    };
  } finally {
    await file.close();
  }
}

/** A moment from which on nothing may stay, epoch milliseconds. */
export interface Limit {
  /** Position 0 of the file. */
  readonly startedAt: number;
  readonly until: number;
}

const samplesBefore = ({ startedAt, until }: Limit, rate: number): number =>
  Math.max(0, Math.floor(((until - startedAt) * rate) / 1000));

/** Zeros over what is to be cut off, on the disk before it is: a file system does not overwrite what it gives free. */
export async function overwrite(file: FileHandle, from: number, to: number): Promise<void> {
  if (to <= from) return;
  const zeros = Buffer.alloc(Math.min(CHUNK, to - from));
  for (let at = from; at < to; at += zeros.length)
    await file.write(zeros, 0, Math.min(zeros.length, to - at), at);
  await file.sync();
}

/** A file that was finished before the crash has one octet more than its odd audio. */
const isPadded = (present: number, dataBytes: number): boolean =>
  dataBytes % 2 === 1 && present === dataBytes + 1;

async function hashAudio(file: FileHandle, audio: number): Promise<string> {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(Math.min(CHUNK, audio));
  for (let done = 0; done < audio;) {
    const { bytesRead } = await file.read(chunk, 0, Math.min(CHUNK, audio - done), WAV_HEADER_BYTES + done);
    if (bytesRead === 0) throw new MediaError('BAD_WAV', 'the file shrank while it was read');
    hash.update(chunk.subarray(0, bytesRead));
    done += bytesRead;
  }
  return hash.digest('hex');
}

/** The working names are made in `track-layout.ts`. */
function describeName(
  path: string,
  channels: number,
): Pick<CapturedFile, 'suffix' | 'channelRoles' | 'channelLines'> {
  const name = basename(path).replace(/\.wav(\.part)?$/, '');
  const suffix = name === 'audio' ? '' : name;
  if (channels === 2 && /^(audio|stereo)$/.test(name))
    return { suffix, channelRoles: ['caller', 'callee'], channelLines: [] };
  // Two channels under the name of one leg: its packets held both.
  const ofLeg = <T>(value: T): readonly T[] => new Array<T>(channels).fill(value);
  const line = /^line(\d+)/.exec(name)?.[1];
  if (line !== undefined)
    return { suffix, channelRoles: ofLeg<LineRole>('extra'), channelLines: ofLeg(Number(line)) };
  const side = /^(caller|callee)/.exec(name)?.[1] as LineRole | undefined;
  return { suffix, channelRoles: ofLeg(side ?? 'mixed'), channelLines: [] };
}
