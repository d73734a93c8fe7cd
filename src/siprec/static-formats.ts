interface StaticFormat {
  readonly encoding: string;
  readonly clockRate: number;
  readonly channels: number;
}

const audio = (encoding: string, clockRate: number, channels = 1): StaticFormat => ({
  encoding,
  clockRate,
  channels,
});

/** RFC 3551 tables 4 and 5: what a payload number means when the offer has no rtpmap for it (SDP-7). */
export const STATIC_FORMATS: ReadonlyMap<number, StaticFormat> = new Map([
  [0, audio('PCMU', 8000)],
  [2, audio('G726-32', 8000)],
  [3, audio('GSM', 8000)],
  [4, audio('G723', 8000)],
  [5, audio('DVI4', 8000)],
  [6, audio('DVI4', 16_000)],
  [7, audio('LPC', 8000)],
  [8, audio('PCMA', 8000)],
  [9, audio('G722', 8000)],
  [10, audio('L16', 44_100, 2)],
  [11, audio('L16', 44_100)],
  [12, audio('QCELP', 8000)],
  [13, audio('CN', 8000)],
  [14, audio('MPA', 90_000)],
  [15, audio('G728', 8000)],
  [16, audio('DVI4', 11_025)],
  [17, audio('DVI4', 22_050)],
  [18, audio('G729', 8000)],
  // Reserved in RFC 3551; Cisco sends comfort noise with it (siprec-interop.md 4.5).
  [19, audio('CN', 8000)],
  [26, audio('JPEG', 90_000)],
  [31, audio('H261', 90_000)],
  [34, audio('H263', 90_000)],
]);
