import { spawn } from 'node:child_process';
import { oggPackets } from '../media/ogg-packets.ts';
import { ClientError } from './client-error.ts';
import { equalPackets, type FormattedAudio } from './stream-format.ts';
import { speakTones, toneSamples, type Voice } from './tones.ts';

/** What a test call can be placed with. */
export const TEST_CODECS = ['pcma', 'pcmu', 'l16', 'l16-stereo', 'g722', 'g729', 'opus'] as const;
export type TestCodec = (typeof TEST_CODECS)[number];

const WIDE = 16_000;
const FULL = 48_000;
/** Two frames of G.729 in 20 ms. */
const G729_PACKET = 20;

/**
 * The audio of a test call in a codec. G.722 and Opus are encoded by ffmpeg; of G.729, which it cannot encode, frames without meaning are
 * sent. Rejects with ClientError BAD_OPTION when there is no ffmpeg.
 */
export async function encodeTones(voice: Voice, seconds: number, codec: TestCodec): Promise<FormattedAudio> {
  switch (codec) {
    case 'pcma':
      return { law: 'PCMA', audio: speakTones(voice, seconds, 'PCMA') };
    case 'pcmu':
      return { law: 'PCMU', audio: speakTones(voice, seconds, 'PCMU') };
    case 'l16':
      return linear(toneSamples(voice, seconds, WIDE));
    case 'l16-stereo':
      return stereo(voice, seconds);
    case 'g722':
      return g722(await ffmpeg(toneSamples(voice, seconds, WIDE), WIDE, ['-c:a', 'g722', '-f', 'g722']));
    case 'g729':
      return g729(seconds);
    case 'opus':
      return opus(await ffmpeg(toneSamples(voice, seconds, FULL), FULL, OPUS));
    default:
      return codec satisfies never;
  }
}

const OPUS = ['-c:a', 'libopus', '-b:a', '24k', '-application', 'voip', '-frame_duration', '20', '-f', 'ogg'];

function linear(samples: Int16Array): FormattedAudio {
  const audio = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength).swap16();
  const shape = equalPackets(audio.length, (WIDE / 50) * 2, WIDE / 50);
  return { law: 'PCMA', audio, format: { encoding: 'L16', payloadType: 100, clockRate: WIDE, shape } };
}

/** Two channels in one stream: the voice on the left, an octave higher on the right. */
function stereo(voice: Voice, seconds: number): FormattedAudio {
  const left = toneSamples(voice, seconds, WIDE);
  const right = toneSamples({ ...voice, frequency: 2 * voice.frequency }, seconds, WIDE);
  const audio = Buffer.alloc(left.length * 4);
  left.forEach((sample, at) => {
    audio.writeInt16BE(sample, at * 4);
    audio.writeInt16BE(right[at] ?? 0, at * 4 + 2);
  });
  const shape = equalPackets(audio.length, (WIDE / 50) * 4, WIDE / 50);
  const format = { encoding: 'L16', payloadType: 102, clockRate: WIDE, channels: 2, shape };
  return { law: 'PCMA', audio, format };
}

function g722(audio: Buffer): FormattedAudio {
  const shape = equalPackets(audio.length, 160, 160);
  return { law: 'PCMA', audio, format: { encoding: 'G722', payloadType: 9, clockRate: 8000, shape } };
}

/** Every frame differs from its neighbours, and none is all zeros. */
function g729(seconds: number): FormattedAudio {
  const audio = Buffer.alloc(Math.round(seconds * 50) * G729_PACKET);
  for (let at = 0; at < audio.length; at++) audio[at] = 1 + ((at * 7 + (at >> 6)) % 200);
  const shape = equalPackets(audio.length, G729_PACKET, 160);
  const format = { encoding: 'G729', payloadType: 18, clockRate: 8000, fmtp: 'annexb=no', shape };
  return { law: 'PCMA', audio, format };
}

function opus(ogg: Buffer): FormattedAudio {
  const packets = oggPackets(ogg).slice(2);
  const shape = { sizes: packets.map(({ length }) => length), step: FULL / 50 };
  const format = {
    encoding: 'opus',
    payloadType: 111,
    clockRate: FULL,
    channels: 2,
    fmtp: 'usedtx=0',
    shape,
  };
  return { law: 'PCMA', audio: Buffer.concat(packets), format };
}

/** Has ffmpeg encode samples of one channel. */
function ffmpeg(samples: Int16Array, rate: number, output: readonly string[]): Promise<Buffer> {
  const input = [
    '-hide_banner',
    '-v',
    'error',
    '-f',
    's16le',
    '-ar',
    String(rate),
    '-ac',
    '1',
    '-i',
    'pipe:0',
  ];
  return new Promise((resolve, reject) => {
    const child = spawn('ffmpeg', [...input, ...output, 'pipe:1'], { stdio: ['pipe', 'pipe', 'pipe'] });
    const [encoded, complaint]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => encoded.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => complaint.push(chunk));
    child.stdin.on('error', () => undefined);
    child.on('error', () => {
      reject(new ClientError('BAD_OPTION', 'this codec needs ffmpeg, and there is none'));
    });
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(encoded));
      else reject(new ClientError('BAD_OPTION', `ffmpeg: ${Buffer.concat(complaint).toString().trim()}`));
    });
    child.stdin.end(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength));
  });
}
