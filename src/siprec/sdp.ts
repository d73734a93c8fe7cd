export type StreamDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** One format of an m-line, static ones completed from RFC 3551 table 4. */
export interface OfferedFormat {
  readonly payloadType: number;
  /** Upper case, for example `PCMA`, `TELEPHONE-EVENT`. */
  readonly encoding: string;
  readonly clockRate: number;
  readonly channels: number;
  readonly fmtp?: string;
}

/** One m-line of an offer, in its place. */
export interface OfferedLine {
  readonly index: number;
  readonly media: string;
  readonly protocol: string;
  readonly port: number;
  /** The format list of the m-line as sent. */
  readonly formatList: readonly string[];
  readonly formats: readonly OfferedFormat[];
  /** Connection address of the line, or the session's. */
  readonly address?: string;
  readonly direction: StreamDirection;
  /** RFC 4574, as an opaque token. */
  readonly label?: string;
  readonly packetTime?: number;
}

export interface SessionOffer {
  /** The whole o= value, for the log. */
  readonly origin: string;
  /** The t= value, repeated in the answer (SDP-12). */
  readonly timing: string;
  readonly lines: readonly OfferedLine[];
  /** What was tolerated while reading. */
  readonly warnings: readonly string[];
}
