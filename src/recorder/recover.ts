import type { CapturedFile, CaptureResult } from '../media/capture.ts';
import { recoverWav } from '../media/recover-wav.ts';

/**
 * What a crash left of a recording: every working file with its header repaired (evidence.md 1.7). Files too short to hold
 * audio are passed over. Leg statistics died with the process; the info file says so.
 */
export async function recoverCapture(parts: readonly string[], startedAt: number): Promise<CaptureResult> {
  const files: CapturedFile[] = [];
  for (const part of parts) {
    try {
      const file = await recoverWav(part);
      if (file.samples > 0) files.push(file);
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'BAD_WAV') throw error;
    }
  }
  const samples = Math.max(0, ...files.map((file) => file.samples));
  return { startedAt, endedAt: startedAt + (samples * 1000) / 8000, files, legs: [] };
}
