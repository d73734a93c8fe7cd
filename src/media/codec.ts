import { CLOCK_RATE, type PayloadFormat } from './capture.ts';
import { opusTicks } from './opus-packet.ts';

/** How audio that is not G.711 is kept: as what kind of file. */
export type Keeping = 'l16' | 'g722' | 'g729' | 'opus' | 'dump';

/** A codec whose packets are kept whole, each in its place. */
export interface Codec {
  /** The RTP encoding name, upper case. */
  readonly name: string;
  readonly keeping: Keeping;
  /** Of the RTP timestamps; 0 where nobody said it. */
  readonly clockRate: number;
  /** In one packet, their samples by turns. Default 1; Opus says by itself how many it has. */
  readonly channels?: 2;
  /** Packets of one key go to one file of a leg. */
  readonly key: string;
}

/** Ticks of the timeline (CLOCK_RATE) that a payload lasts; 0 for what is no audio of the codec. */
export function ticksOf(codec: Codec, slab: Buffer, start: number, end: number): number {
  switch (codec.keeping) {
    case 'g722':
      return end - start;
    case 'g729':
      // Frames of 10 octets and 10 ms; a silence descriptor of 2 octets may follow them (RFC 3551 §4.5.6).
      return Math.floor((end - start) / G729_FRAME) * G729_TICKS;
    case 'l16':
      return Math.round((Math.floor((end - start) / (2 * channelsOf(codec))) * CLOCK_RATE) / codec.clockRate);
    case 'opus':
      return opusTicks(slab, start, end);
    case 'dump':
      return DUMP_TICKS;
    default:
      return codec.keeping satisfies never;
  }
}

/** Channels in a packet of linear samples. */
export const channelsOf = ({ channels }: Codec): number => channels ?? 1;

export const G729_FRAME = 10;
export const G729_TICKS = 80;

/** What a packet of an unread codec is taken to last when gaps are listed: 20 ms. */
const DUMP_TICKS = CLOCK_RATE / 50;

const L16_RATES = new Set([8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]);

const LINEAR_CHANNELS = new Set([1, 2]);

/** The codec of a payload number that is neither G.711 nor signalling. */
export function codecOf({ encoding, clockRate, channels = 1 }: PayloadFormat): Codec {
  // The registration says 8000, the samples are 16,000; a client that says 16000 sends the same octets (RFC 3551 §4.5.2).
  if (encoding === 'G722' && channels === 1)
    return { name: 'G722', keeping: 'g722', clockRate: CLOCK_RATE, key: 'g722' };
  if (/^G729A?B?$/.test(encoding) && clockRate === CLOCK_RATE)
    return { name: 'G729', keeping: 'g729', clockRate, key: 'g729' };
  if (encoding === 'OPUS' && clockRate === 48_000)
    return { name: 'OPUS', keeping: 'opus', clockRate, key: 'opus' };
  if (encoding === 'L16' && LINEAR_CHANNELS.has(channels) && L16_RATES.has(clockRate))
    return linear(clockRate, channels === 2);
  return { name: encoding, keeping: 'dump', clockRate, key: 'rtp' };
}

function linear(clockRate: number, stereo: boolean): Codec {
  const mono: Codec = { name: 'L16', keeping: 'l16', clockRate, key: `l16-${clockRate}` };
  return stereo ? { ...mono, channels: 2, key: `${mono.key}-stereo` } : mono;
}

/** A payload number that no SDP explained: kept as it came. */
export const UNKNOWN_CODEC: Codec = { name: 'UNKNOWN', keeping: 'dump', clockRate: 0, key: 'rtp' };

/** What static payload numbers mean without an SDP that names them (RFC 3551 table 4), as far as they are no G.711. */
export const STATIC_CODECS: ReadonlyMap<number, Codec> = new Map(
  [
    { payloadType: 2, encoding: 'G726-32', clockRate: 8000 },
    { payloadType: 3, encoding: 'GSM', clockRate: 8000 },
    { payloadType: 4, encoding: 'G723', clockRate: 8000 },
    { payloadType: 9, encoding: 'G722', clockRate: 8000 },
    { payloadType: 10, encoding: 'L16', clockRate: 44_100, channels: 2 },
    { payloadType: 11, encoding: 'L16', clockRate: 44_100 },
    { payloadType: 15, encoding: 'G728', clockRate: 8000 },
    { payloadType: 18, encoding: 'G729', clockRate: 8000 },
  ].map((format) => [format.payloadType, codecOf(format)]),
);
