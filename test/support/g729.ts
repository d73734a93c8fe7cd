import { createRequire } from 'node:module';

type Call = (...args: readonly unknown[]) => unknown;

interface Koffi {
  load(path: string): { func(definition: string): Call };
}

/** Samples of a frame of 10 ms, and the octets it becomes at most. */
const FRAME = 80;
const FRAME_OCTETS = 10;

/**
 * Encodes samples of 8 kHz as G.729 with the encoder of bcg729 (Debian package libbcg729-0), a frame a piece. With annex B frames without speech
 * are descriptors of two octets, or nothing at all.
 */
export function encodeG729(samples: Int16Array, annexB: boolean): readonly Buffer[] {
  const library = (createRequire(import.meta.url)('koffi') as Koffi).load('libbcg729.so.0');
  const open = library.func('void *initBcg729EncoderChannel(uint8_t enableVAD)');
  const encode = library.func(
    'void bcg729Encoder(void *channel, const int16_t *input, uint8_t *stream, uint8_t *length)',
  );
  const close = library.func('void closeBcg729EncoderChannel(void *channel)');
  const channel = open(annexB ? 1 : 0);
  const stream = Buffer.alloc(FRAME_OCTETS);
  const length = Buffer.alloc(1);
  try {
    return Array.from({ length: Math.floor(samples.length / FRAME) }, (_none, index) => {
      encode(channel, samples.subarray(index * FRAME, (index + 1) * FRAME), stream, length);
      return Buffer.from(stream.subarray(0, length[0]));
    });
  } finally {
    close(channel);
  }
}
