import type { CapturedFile, CaptureResult, LegStatistics } from './capture.ts';

/** Codecs whose levels are known from the octets that were kept. */
const MEASURED = new Set(['PCMA', 'PCMU', 'L16']);

/**
 * A capture whose legs in other codecs than G.711 and L16 have the levels of the playable copy, where the copy has all of their audio and
 * nobody else's on one channel. Without a copy nothing changes: how loud they were is not known then.
 */
export function withLevelsOf(capture: CaptureResult, copy: CapturedFile | undefined): CaptureResult {
  const known = copy?.lineLevels ?? [];
  if (known.length === 0) return capture;
  const legs = capture.legs.map((leg) => {
    const levels = known.find(({ line }) => line === leg.line)?.levels;
    return levels === undefined || !needsDecoding(leg) || isDumped(leg, capture.files)
      ? leg
      : { ...leg, levels, levelsOfCopy: true };
  });
  return { ...capture, legs };
}

const needsDecoding = ({ codecs }: LegStatistics): boolean => codecs.some((codec) => !MEASURED.has(codec));

/** Whether a part of the leg is in a capture file, which nobody decodes: it may hold any sound. */
const isDumped = ({ line }: LegStatistics, files: readonly CapturedFile[]): boolean =>
  files.some(({ extension, channelLines }) => extension === 'pcap' && channelLines.includes(line));
