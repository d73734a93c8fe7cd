import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ffmpeg } from './ffmpeg.ts';

/** Speech as a codec has it, in a file that ffmpeg can send as it is. */
export interface EncodedFile {
  readonly path: string;
  /** How ffmpeg is to read it. */
  readonly input: readonly string[];
  readonly payloadType: number;
}

/** Encodes a WAV file; packets of 20 ms. */
export const ENCODERS = {
  pcmu: (wav: string): EncodedFile => {
    const path = `${wav}.ul`;
    ffmpeg(['-i', wav, '-ac', '1', '-ar', '8000', '-c:a', 'pcm_mulaw', '-f', 'mulaw', path]);
    return { path, input: ['-f', 'mulaw', '-ar', '8000', '-ac', '1'], payloadType: 0 };
  },
  g722: (wav: string): EncodedFile => {
    const path = `${wav}.g722`;
    ffmpeg(['-i', wav, '-ac', '1', '-ar', '16000', '-c:a', 'g722', '-f', 'g722', path]);
    return { path, input: ['-f', 'g722'], payloadType: 9 };
  },
  opus: (wav: string): EncodedFile => {
    const path = `${wav}.ogg`;
    const options = ['-b:a', '32k', '-application', 'voip', '-frame_duration', '20'];
    ffmpeg(['-i', wav, '-ac', '1', '-ar', '48000', '-c:a', 'libopus', ...options, '-f', 'ogg', path]);
    return { path, input: ['-f', 'ogg'], payloadType: 111 };
  },
} as const;

/** 160 octets of audio behind the header of RTP, with the room that ffmpeg keeps for SRTP. */
const PACKET = 160 + 12 + 14;

/**
 * What ffmpeg calls the suites. Under the other name of the second its reports have a tag of 32 bits, too, and nobody who goes by RFC 4568
 * §6.2.2 (80 bits) reads them.
 */
const SUITES = {
  AES_CM_128_HMAC_SHA1_80: 'AES_CM_128_HMAC_SHA1_80',
  AES_CM_128_HMAC_SHA1_32: 'SRTP_AES128_CM_HMAC_SHA1_32',
} as const;

export interface SecureWay {
  readonly port: number;
  readonly suite: keyof typeof SUITES;
  /** Master key and salt as `a=crypto` has them. */
  readonly key: string;
}

/** Has ffmpeg send a file to a port of 127.0.0.1 in real time, encrypted by its own SRTP. Rejects with what it complains about. */
export async function sendSecurely(file: EncodedFile, { port, suite, key }: SecureWay): Promise<void> {
  const child = spawn(
    'ffmpeg',
    [
      ...['-hide_banner', '-nostdin', '-v', 'error', '-re', ...file.input, '-i', file.path, '-c:a', 'copy'],
      ...['-f', 'rtp', '-payload_type', String(file.payloadType)],
      ...['-srtp_out_suite', SUITES[suite], '-srtp_out_params', key],
      `srtp://127.0.0.1:${port}?pkt_size=${PACKET}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`ffmpeg ended with ${String(code)}: ${complaint}`);
}
