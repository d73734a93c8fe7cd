import type { ReadEntry } from './chain-check.ts';
import type { SegmentBody } from './entry-types.ts';
import { fault, type Finding } from './finding.ts';

/** The first octets of the audio of a file. */
export interface AudioBeginning {
  /** Base name of the file. */
  readonly name: string;
  readonly bytes: number;
  /** Hex; undefined when the file has fewer. */
  readonly sha256: string | undefined;
}

/** A recording as far as its segments are compared. */
interface HeardView {
  readonly name: string;
  readonly folder: string;
  readonly beginnings?: readonly AudioBeginning[];
}

/** A `segment` entry: what a file of a recording began with while the call was still running. */
export interface SegmentEntry {
  readonly index: number;
  readonly body: SegmentBody;
}

/** Follows what the log says of recordings while they grow: of each file more and more, and nothing once it has ended. */
export class SegmentCheck {
  readonly findings: Finding[] = [];
  /** By the recording's UUID, in order. */
  readonly segments = new Map<string, SegmentEntry[]>();
  readonly #running = new Set<string>();

  add(entry: ReadEntry): void {
    const { body } = entry;
    if (body.type === 'open') this.#running.add(body.rec);
    else if (body.type === 'recording' || body.type === 'failed') this.#running.delete(body.rec);
    else if (body.type === 'segment') this.#addSegment(entry, body);
  }

  #addSegment({ header: { index }, file }: ReadEntry, body: SegmentBody): void {
    const known = this.segments.get(body.rec) ?? [];
    const last = known.findLast((each) => each.body.file === body.file)?.body ?? { n: 0, bytes: 0 };
    if (!this.#running.has(body.rec))
      this.findings.push(
        fault('SEQUENCE_INVALID', file, `entry ${index}: recording ${body.rec} is not running`),
      );
    if (body.n !== last.n + 1 || body.bytes <= last.bytes) {
      const detail = `entry ${index}: does not continue segment ${last.n} of ${body.file} of recording ${body.rec}`;
      this.findings.push(fault('SEQUENCE_INVALID', file, detail));
    }
    this.segments.set(body.rec, [...known, { index, body }]);
  }
}

/** Every file must begin with what the log said of it while the call was running. */
export function compareSegments(
  view: HeardView,
  rec: string | undefined,
  logs: Iterable<{ readonly segments: ReadonlyMap<string, readonly SegmentEntry[]> }>,
): readonly Finding[] {
  const segments = [...logs].flatMap((log) => log.segments.get(rec ?? '') ?? []);
  return segments.flatMap(({ index, body }) => {
    const name = `${view.name}${body.file}`;
    const found = view.beginnings?.find((each) => each.name === name && each.bytes === body.bytes);
    if (found?.sha256 === body.hash) return [];
    const when = `entry ${index} was written, while the call was running`;
    const detail =
      found === undefined
        ? `is not here, though entry ${index} speaks of it while the call was running`
        : found.sha256 === undefined
          ? `has fewer than the ${body.bytes} octets of audio that were there when ${when}`
          : `does not begin with the ${body.bytes} octets of audio that were there when ${when}`;
    return [fault('SEGMENT_DIFFERS', `${view.folder}${name}`, detail)];
  });
}
