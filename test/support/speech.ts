import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SILENCE, type Law } from '../../src/media/g711-encoder.ts';
import { wholePackets } from './pcap.ts';

const run = promisify(execFile);

/** G.711 octets of the two sides, each a whole number of 20 ms packets. */
export interface Speech {
  readonly caller: Buffer;
  readonly callee: Buffer;
}

const LINES = {
  caller: { voice: 'en+m3', text: 'Good morning. I would like to order five hundred shares, please.' },
  callee: { voice: 'en+f2', text: 'Certainly. Five hundred shares at the market price. Is that correct?' },
} as const;

/** Has two voices read a line each (espeak-ng) and encodes them (sox). The files stay in `folder`, an existing temporary one. */
export async function makeSpeech(folder: string, law: Law): Promise<Speech> {
  const [caller, callee] = await Promise.all([speak(folder, 'caller', law), speak(folder, 'callee', law)]);
  return { caller, callee };
}

async function speak(folder: string, side: keyof typeof LINES, law: Law): Promise<Buffer> {
  const { voice, text } = LINES[side];
  const wav = join(folder, `${side}.wav`);
  const raw = join(folder, `${side}.${law === 'PCMA' ? 'al' : 'ul'}`);
  await run('espeak-ng', ['-v', voice, '-s', '160', '-w', wav, text]);
  // Without dither the same text always gives the same octets.
  await run('sox', ['-D', '-G', wav, '-r', '8000', '-c', '1', '-t', law === 'PCMA' ? 'al' : 'ul', raw]);
  return wholePackets(await readFile(raw), SILENCE[law]);
}
