import { open } from 'node:fs/promises';
import { DecodedMeter, type Levels } from '../media/levels.ts';
import { StoreError } from './store-error.ts';

const CHANNELS = 2;
/** Read at once; more than the header ever takes. */
const BLOCK = 256 * 1024;
/** `RIFF`, size, `WAVE`; then chunks of a name, a size and what it says. */
const FIRST_CHUNK = 12;
const CHUNK_HEADER = 8;

/**
 * How loud the two channels of a WAV file with 16-bit samples are, left first: read a block at a time, whatever its length. Rejects with
 * StoreError INVALID when it is no such file, and when the signal fires.
 */
export async function measureStereo(path: string, signal: AbortSignal): Promise<readonly Levels[]> {
  const file = await open(path);
  try {
    const meter = new DecodedMeter(CHANNELS);
    const block = Buffer.alloc(BLOCK);
    const first = await file.read(block, 0, BLOCK, 0);
    let at = dataIn(block.subarray(0, first.bytesRead), path);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(block, 0, BLOCK, at);
      if (bytesRead === 0) return meter.levels;
      meter.take(block.subarray(0, bytesRead));
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** Where the samples begin. They reach to the end of the file, as ours do, however long it is (RF64 has no size there). */
function dataIn(head: Buffer, path: string): number {
  for (let at = FIRST_CHUNK; at + CHUNK_HEADER <= head.length;) {
    if (head.toString('latin1', at, at + 4) === 'data') return at + CHUNK_HEADER;
    const size = head.readUInt32LE(at + 4);
    at += CHUNK_HEADER + size + (size % 2);
  }
  throw new StoreError('INVALID', `${path} has no samples`);
}
