/* Compares recordings, octet by octet, with what the load has sent. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readWav } from '../support/wav.ts';
import { callerNumber } from './held-calls.ts';
import { noiseTable, PAYLOAD_OCTETS, payloadAt } from './rtp-load.ts';

export interface Comparison {
  readonly calls: number;
  readonly octets: number;
  readonly wrong: number;
}

const SILENCE = 0xd5;
const TABLE = noiseTable();

/** Waits for the sealed recordings of some calls and compares both channels of each, `turns` packets long. */
export async function compareRecordings(
  archive: string,
  calls: readonly number[],
  turns: number,
): Promise<Comparison> {
  let octets = 0;
  let wrong = 0;
  for (const call of calls) {
    const { audio } = readWav(await recordingOf(archive, call));
    for (const [leg, channel] of audio.entries()) {
      octets += turns * PAYLOAD_OCTETS;
      wrong += wrongOctets(channel, call * 2 + leg, turns);
    }
  }
  return { calls: calls.length, octets, wrong };
}

/** The stream must stand in one piece, with silence around it. */
function wrongOctets(channel: Buffer, stream: number, turns: number): number {
  const expected = Buffer.concat(
    Array.from({ length: turns }, (_none, turn) => {
      const from = payloadAt(stream, turn);
      return TABLE.subarray(from, from + PAYLOAD_OCTETS);
    }),
  );
  const at = Math.max(0, channel.indexOf(expected.subarray(0, PAYLOAD_OCTETS)));
  let wrong = 0;
  for (let index = 0; index < channel.length; index += 1) {
    const inside = index >= at && index < at + expected.length;
    if (channel[index] !== (inside ? expected[index - at] : SILENCE)) wrong += 1;
  }
  return wrong + Math.max(0, at + expected.length - channel.length);
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
