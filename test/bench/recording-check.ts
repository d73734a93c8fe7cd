/* Compares recordings, octet by octet, with what the load has sent. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readWav } from '../support/wav.ts';
import { callerNumber } from './held-calls.ts';
import { contentOf, noiseTable, PAYLOAD_OCTETS, payloadAt } from './rtp-load.ts';

export interface Comparison {
  readonly calls: number;
  readonly octets: number;
  readonly wrong: number;
  /** Octets of silence inside the streams. */
  readonly silent: number;
}

const SILENCE = 0xd5;
const TABLE = noiseTable();

export interface Sent {
  /** Packets of each stream. */
  readonly turns: number;
  readonly isEncrypted: boolean;
  /** Of the first call. */
  readonly number: number;
}

/** Waits for the sealed recordings of some calls and compares both channels of each with what was sent. */
export async function compareRecordings(
  archive: string,
  calls: readonly number[],
  { turns, isEncrypted, number }: Sent,
): Promise<Comparison> {
  let octets = 0;
  let wrong = 0;
  let silent = 0;
  for (const call of calls) {
    const { audio } = readWav(await recordingOf(archive, number + call));
    for (const [leg, channel] of audio.entries()) {
      octets += turns * PAYLOAD_OCTETS;
      const compared = compareChannel(channel, contentOf(call * 2 + leg, isEncrypted), turns);
      wrong += compared.wrong;
      silent += compared.silent;
    }
  }
  return { calls: calls.length, octets, wrong, silent };
}

/**
 * Every octet of the stream must be there, in order and nothing else, silence apart: the noise holds no octet of silence, and a
 * sender that this machine held up for more than the reordering window is rightly recorded with a gap.
 */
function compareChannel(channel: Buffer, stream: number, turns: number): { wrong: number; silent: number } {
  const expected = Buffer.concat(
    Array.from({ length: turns }, (_none, turn) => {
      const from = payloadAt(stream, turn);
      return TABLE.subarray(from, from + PAYLOAD_OCTETS);
    }),
  );
  const heard = (octet: number): boolean => octet !== SILENCE;
  const spoken = channel.filter(heard);
  let wrong = Math.abs(spoken.length - expected.length);
  for (let index = 0; index < Math.min(spoken.length, expected.length); index += 1)
    if (spoken[index] !== expected[index]) wrong += 1;
  return { wrong, silent: channel.findLastIndex(heard) + 1 - channel.findIndex(heard) - spoken.length };
}

async function recordingOf(archive: string, call: number): Promise<string> {
  const part = callerNumber(call).replace('+', '');
  for (let tries = 0; tries < 600; tries += 1) {
    const found = readdirSync(archive, { recursive: true, encoding: 'utf8' }).find(
      (file) => file.endsWith('.wav') && file.includes(part),
    );
    if (found !== undefined) return join(archive, found);
    await delay(100);
  }
  throw new Error(`no recording of call ${call} in ${archive}`);
}
