import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { decode, ffmpeg, loudness } from '../support/ffmpeg.ts';
import { encodeG729 } from '../support/g729.ts';
import { COMPARED_RATE, findSpeech, speakText } from '../support/utterance.ts';
import { EngineHarness } from './engine-harness.ts';

let harness: EngineHarness;
beforeEach(async () => {
  harness = await EngineHarness.create();
});
afterEach(() => harness.dispose());

const LINE = {
  line: 0,
  role: 'mixed',
  active: true,
  formats: [{ payloadType: 18, encoding: 'G729', clockRate: 8000 }],
} as const;

/** A pause of three quarters of a second in the middle, so that annex B has something to leave out. */
const TEXT = 'Buy five hundred at the market, please.';

/** Speech of 8 kHz, silence, the same speech again. */
function samplesOf(path: string): Int16Array {
  const raw = `${path}.s16`;
  ffmpeg(['-i', path, '-ac', '1', '-ar', '8000', '-f', 's16le', raw]);
  const octets = readFileSync(raw);
  const once = new Int16Array(octets.buffer, octets.byteOffset, octets.length >> 1);
  const all = new Int16Array(once.length * 2 + 16_000);
  all.set(once);
  all.set(once, once.length + 16_000);
  return all;
}

describe('speech in G.729 of an encoder of its own', () => {
  test.each([
    ['every frame sent', false],
    ['annex B: silence described or not sent', true],
  ])('is the same speech again where it was heard: %s', async (_name, annexB) => {
    const utterance = await speakText(harness.folder, 'en+m3', TEXT);
    const other = await speakText(harness.folder, 'en+f2', 'Five hundred at the market. Done.');
    const samples = samplesOf(utterance.path);
    const frames = encodeG729(samples, annexB);
    await harness.engine.open(harness.request([LINE]));
    let sequence = 65_500;
    let sent = 0;
    // What is not sent leaves no hole in a packet, so with annex B each frame goes by itself.
    const together = annexB ? 1 : 2;
    for (let index = 0; index < frames.length; index += together) {
      const payload = Buffer.concat(frames.slice(index, index + together));
      if (payload.length === 0) continue;
      harness.send(20_000, 1000 + index * 10, {
        payloadType: 18,
        sequenceNumber: sequence++ & 0xffff,
        timestamp: index * 80,
        ssrc: 5,
        payload,
      });
      sent += 1;
    }
    harness.advanceTo(1000 + frames.length * 10 + 200);
    const result = await harness.close();
    const [leg] = result.legs;
    expect(leg).toMatchObject({ codecs: ['G729'], received: sent, lost: 0, rejected: 0, late: 0 });
    if (annexB) {
      expect(sent).toBeLessThan(frames.length - 50);
      expect(leg?.comfortNoise).toBeGreaterThan(0);
    }
    const path = join(harness.folder, 'speech.wav');
    renameSync(result.files[0]?.path ?? '', path);
    const heard = decode(path, COMPARED_RATE);
    const again = 1 + (samples.length + 16_000) / 2 / 8000;
    for (const from of [1, again]) {
      const part = heard.subarray(
        Math.floor((from - 0.5) * COMPARED_RATE),
        Math.floor((from - 0.5) * COMPARED_RATE) + Math.floor((again - 1) * COMPARED_RATE),
      );
      const found = findSpeech(part, utterance);
      expect(found.likeness).toBeGreaterThan(0.5);
      expect(Math.abs(found.at - 0.5)).toBeLessThanOrEqual(0.02);
      expect(findSpeech(part, other).likeness).toBeLessThan(0.3);
    }
    expect(loudness(heard, COMPARED_RATE, 0, 0.95)).toBeLessThan(60);
  });
});
