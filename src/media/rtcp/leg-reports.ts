import type { ReportCounts } from '../capture.ts';
import type { Arrival } from '../receiver/receiver.ts';
import type { RtpStream } from '../rtp-stream.ts';
import { Reception } from './reception.ts';
import { readRtcp, type SenderReport } from './rtcp-packet.ts';
import { receiverReport, type ReportBlock } from './reports-sent.ts';

/** Sources whose reports are remembered; a client that invents them fills no memory. */
const REMEMBERED = 8;

/** A sender report as it came in. */
export interface HeardReport extends SenderReport {
  /** Time of arrival, epoch ms. */
  readonly at: number;
  /** `address:port` it came from. */
  readonly from: string;
  /** The name its sender gives itself, where it ever said one. */
  readonly name: string | undefined;
}

/** The reports of one leg: what its sources say of themselves, and what we say of them. */
export class LegReports {
  // Tables come with the first report: many clients send none, and an empty table takes as much memory as one with a few entries.
  #heard: Map<number, HeardReport> | undefined;
  #names: Map<number, string> | undefined;
  readonly #reception = new Reception();
  readonly #counts = { received: 0, sent: 0, malformed: 0, byes: 0 };
  /** Packets the client says it sent, by source: kept although a report is forgotten. */
  #packets: Map<number, number> | undefined;
  /** Grows with every sender report. */
  changes = 0;

  /** Takes one datagram that looks like RTCP; false when it is none. Never throws. */
  take(arrival: Arrival, from: string): boolean {
    const news = readRtcp(arrival.slab, arrival.start, arrival.end);
    if (news === undefined) {
      this.#counts.malformed++;
      return false;
    }
    this.#counts.received++;
    this.#counts.byes += news.byes.length;
    for (const [source, name] of news.names) this.#names = remember(this.#names, source, name);
    for (const report of news.reports) {
      const name = this.#names?.get(report.ssrc);
      this.#heard = remember(this.#heard, report.ssrc, { at: arrival.at, from, name, ...report });
      this.#packets = remember(this.#packets, report.ssrc, report.packets);
      this.changes++;
    }
    return true;
  }

  /** The last report of a source. */
  of(ssrc: number): HeardReport | undefined {
    return this.#heard?.get(ssrc);
  }

  /** The clock of a source began anew: its report says nothing any more. */
  forget(ssrc: number): void {
    this.#heard?.delete(ssrc);
  }

  /** What is to be said now (`now` in epoch ms) of the streams of the leg; counted as sent. */
  compose(
    own: { readonly ssrc: number; readonly name: string },
    streams: readonly RtpStream[],
    { now, leaves }: { readonly now: number; readonly leaves: boolean },
  ): Buffer {
    this.#counts.sent++;
    const blocks: ReportBlock[] = [];
    for (const stream of streams) {
      const block = this.#reception.blockOf(stream);
      const report = this.#heard?.get(stream.ssrc);
      if (block === undefined) continue;
      if (report === undefined) blocks.push(block);
      else blocks.push({ lastReport: { middle: report.middle, ago: now - report.at }, ...block });
    }
    return receiverReport(own, blocks, leaves);
  }

  get counts(): ReportCounts {
    let packetsSent: number | undefined;
    for (const packets of this.#packets?.values() ?? []) packetsSent = (packetsSent ?? 0) + packets;
    return { packetsSent, ...this.#counts };
  }
}

function remember<T>(known = new Map<number, T>(), source: number, value: T): Map<number, T> {
  if (known.size >= REMEMBERED && !known.has(source)) known.clear();
  return known.set(source, value);
}
