import { PAYLOAD_TYPE, type Law } from '../media/g711-encoder.ts';
import { PACKET_SAMPLES, type PacketShape } from './rtp-plan.ts';

/** How a leg's octets are announced and cut into packets of 20 ms. */
export interface StreamFormat {
  readonly encoding: string;
  readonly payloadType: number;
  readonly clockRate: number;
  readonly channels?: number;
  readonly fmtp?: string;
  readonly shape: PacketShape;
}

/** A leg's octets with their format; G.711 where none is given. */
export interface FormattedAudio {
  readonly audio: Uint8Array;
  readonly law: Law;
  readonly format?: StreamFormat;
}

export const formatOf = ({ audio, law, format }: FormattedAudio): StreamFormat =>
  format ?? {
    encoding: law,
    payloadType: PAYLOAD_TYPE[law],
    clockRate: 8000,
    shape: equalPackets(audio.length, PACKET_SAMPLES, PACKET_SAMPLES),
  };

/** Packets of `size` octets, the last one of what is left; `step`: timestamp units from one to the next. */
export function equalPackets(octets: number, size: number, step: number): PacketShape {
  const sizes = Array.from({ length: Math.ceil(octets / size) }, (_none, index) =>
    Math.min(size, octets - index * size),
  );
  return { sizes, step };
}
