import {
  CLOCK_RATE,
  type CapturedFile,
  type CaptureResult,
  type LineRole,
  type Stopped,
} from '../media/capture.ts';
import { recoverFile } from '../media/recover-file.ts';
import type { CallDescription } from '../siprec/description.ts';

/**
 * What a crash left of a recording: every working file with its header repaired (evidence.md 1.7). Files too short to hold
 * audio are passed over. Of one that somebody stopped nothing is left from then on. Leg statistics died with the process; the info file says so.
 */
export async function recoverCapture(
  recording: {
    readonly startedAt: number;
    readonly description: CallDescription;
    readonly stopped?: Stopped | undefined;
  },
  parts: readonly string[],
): Promise<CaptureResult> {
  const { startedAt, stopped } = recording;
  const limit = stopped && { startedAt, until: stopped.at };
  const files: CapturedFile[] = [];
  for (const part of parts) {
    try {
      const file = await recoverFile(part, limit);
      if (file.samples > 0) files.push(withLines(file, recording.description));
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'BAD_WAV') throw error;
    }
  }
  const samples = Math.max(0, ...files.map((file) => file.samples));
  return {
    startedAt,
    endedAt: startedAt + (samples * 1000) / CLOCK_RATE,
    files,
    legs: [],
    ...(stopped && { stopped }),
  };
}

/** The file's name tells the roles of its channels; the journal knows which m-line each role was. */
function withLines(file: CapturedFile, description: CallDescription): CapturedFile {
  if (file.channelLines.length > 0) return file;
  const { callerLine, calleeLine } = description;
  // The only line has the name that both sides share otherwise; two channels in it are its own.
  const isOnly = file.suffix === '' && callerLine === undefined && calleeLine === undefined;
  const channelRoles = isOnly ? file.channelRoles.map((): LineRole => 'mixed') : file.channelRoles;
  return { ...file, channelRoles, channelLines: channelRoles.map((role) => lineOf(role, description)) };
}

function lineOf(role: LineRole, description: CallDescription): number {
  if (role === 'callee') return description.calleeLine ?? 1;
  return role === 'caller' ? (description.callerLine ?? 0) : 0;
}
