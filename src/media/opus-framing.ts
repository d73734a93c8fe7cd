import { CLOCK_RATE } from './capture.ts';
import type { Framing, KeptPacket, Octets } from './kept-packet.ts';
import { BEGINS, ENDS, fitsOnPage, oggPage, segmentsOf } from './ogg-page.ts';
import { concealment, isOpusStereo, OPUS_QUANTUM, opusSilence } from './opus-packet.ts';

const RATE = 48_000;
const SAMPLES_PER_TICK = RATE / CLOCK_RATE;

/** A decoder conceals the beginning of a gap, which is what a short loss or a pause of the encoder needs; what follows is silence. */
const CONCEALED_TICKS = CLOCK_RATE / 2;

/** Longest packet and longest page, in ticks: 120 ms and 1 s. */
const PACKET_TICKS = 960;
const PAGE_TICKS = CLOCK_RATE;

/** The same in every file: a file holds one stream. */
const SERIAL = 0x5ea17a9e;

/**
 * Opus in Ogg (RFC 7845): the packets as they came. A granule position may grow by what its packets last and nothing else, so gaps
 * are filled with packets that ask for concealment (§4.1), and with encoded silence where they are long; a rest below 2.5 ms is carried
 * on. Position 0 of the timeline is the first sample; nothing is skipped.
 */
export class OpusFraming implements Framing {
  readonly extension = 'opus';
  readonly rate = RATE;
  readonly headerBytes = 0;
  position = 0;
  #granule = 0;
  #sequence = 0;
  #stereo = false;
  /** Of the packet before the gap. */
  #toc = -1;
  #gapTicks = 0;
  /** Packets of the page in hand. The last of the file must be on a page that says so, hence one is always held back. */
  #page: Uint8Array[] = [];
  #segments = 0;
  #pageTicks = 0;

  clone(): OpusFraming {
    const copy = new OpusFraming();
    copy.position = this.position;
    copy.#granule = this.#granule;
    copy.#sequence = this.#sequence;
    copy.#stereo = this.#stereo;
    copy.#toc = this.#toc;
    copy.#gapTicks = this.#gapTicks;
    copy.#page = [...this.#page];
    copy.#segments = this.#segments;
    copy.#pageTicks = this.#pageTicks;
    return copy;
  }

  header(): Buffer {
    return Buffer.alloc(0);
  }

  packet(packet: KeptPacket, _channel: number, out: Octets): void {
    // How many channels a decoder makes is fixed by the first packet; the packets stay what they are.
    if (this.#sequence === 0) this.#begin(isOpusStereo(packet.octets[0] ?? 0), out);
    this.silence(packet.position, out);
    this.#add(packet.octets, packet.ticks, out);
    this.#toc = packet.octets[0] ?? 0;
    this.#gapTicks = 0;
  }

  silence(position: number, out: Octets): void {
    if (this.#sequence === 0) {
      // Nothing is known about the packets yet; the silence is written when the first one comes.
      return;
    }
    let rest = Math.floor((position - this.position) / OPUS_QUANTUM) * OPUS_QUANTUM;
    while (rest > 0) {
      const concealed = this.#toc >= 0 && this.#gapTicks < CONCEALED_TICKS;
      const most = concealed ? Math.min(PACKET_TICKS, CONCEALED_TICKS - this.#gapTicks) : PACKET_TICKS;
      const ticks = Math.min(rest, most);
      this.#add(concealed ? concealment(this.#toc, ticks) : opusSilence(this.#stereo, ticks), ticks, out);
      this.#gapTicks += ticks;
      rest -= ticks;
    }
  }

  close(ends: boolean, out: Octets): void {
    if (this.#sequence === 0) return;
    if (this.#page.length > 0 || ends) this.#turnPage(ends ? ENDS : 0, out);
  }

  #begin(stereo: boolean, out: Octets): void {
    this.#stereo = stereo;
    out(this.#headerPage(BEGINS, opusHead(stereo ? 2 : 1)));
    out(this.#headerPage(0, opusTags()));
  }

  #headerPage(flags: number, packet: Buffer): Buffer {
    return oggPage({ flags, granule: 0, serial: SERIAL, sequence: this.#sequence++, packets: [packet] });
  }

  #add(octets: Uint8Array, ticks: number, out: Octets): void {
    const segments = segmentsOf(octets.length);
    if (!fitsOnPage(this.#segments + segments) || this.#pageTicks + ticks > PAGE_TICKS)
      this.#turnPage(0, out);
    this.#page.push(octets);
    this.#segments += segments;
    this.#pageTicks += ticks;
    this.position += ticks;
  }

  #turnPage(flags: number, out: Octets): void {
    this.#granule += this.#pageTicks * SAMPLES_PER_TICK;
    const { granule, sequence, packets } = {
      granule: this.#granule,
      sequence: this.#sequence++,
      packets: this.#page,
    };
    out(oggPage({ flags, granule, serial: SERIAL, sequence, packets }));
    this.#page = [];
    this.#segments = 0;
    this.#pageTicks = 0;
  }
}

/** Identification header (RFC 7845 §5.1): version 1, nothing skipped, input at 48 kHz, no gain, mapping family 0. */
function opusHead(channels: number): Buffer {
  const head = Buffer.alloc(19);
  head.write('OpusHead', 0, 'latin1');
  head[8] = 1;
  head[9] = channels;
  head.writeUInt32LE(RATE, 12);
  return head;
}

/** Comment header (RFC 7845 §5.2) without comments: what there is to say is in the info file. */
function opusTags(): Buffer {
  const vendor = 'Sealtape';
  const tags = Buffer.alloc(8 + 4 + vendor.length + 4);
  tags.write('OpusTags', 0, 'latin1');
  tags.writeUInt32LE(vendor.length, 8);
  tags.write(vendor, 12, 'latin1');
  return tags;
}
