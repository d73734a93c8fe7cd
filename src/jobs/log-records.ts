export interface FileRow {
  readonly recording: string;
  /** Base name, for example `<rec>.wav`. */
  readonly name: string;
  /** `playable`: a derivative of the audio, made afterwards. */
  readonly kind: 'audio' | 'playable' | 'info' | 'hash' | 'signature' | 'entry' | 'proof';
  readonly bytes: number;
  readonly sha256: string;
}

/** One entry of the evidence log as stored: canonical bytes and what is needed to find it. */
export interface EntryRow {
  readonly origin: string;
  readonly index: number;
  /** SHA-256 of the previous entry's bytes, hex. */
  readonly prev: string;
  /** SHA-256 of `bytes`, hex. */
  readonly hash: string;
  readonly type: string;
  readonly recording?: string;
  readonly bytes: Buffer;
}

/** Where the next entry goes. */
export interface ChainHead {
  readonly origin: string;
  /** Number of entries; the next one's index. */
  readonly size: number;
  /** Hash of the newest entry, hex; 64 zeros before genesis. */
  readonly prev: string;
  /** Roots of the full subtrees, largest first, hex (RFC 6962 frontier). */
  readonly frontier: readonly string[];
  /** The newest sealed recording, for `Previous-…` of the next. */
  readonly lastRecording?: { readonly fileName: string; readonly index: number; readonly signature: string };
}

/** Which recordings are looked for; all of it must apply. */
export interface RecordingFilter {
  /** Start, epoch milliseconds: from inclusive, to exclusive. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Either side's number as it was signalled; with a star at its end a beginning. */
  readonly number?: string | undefined;
  readonly caller?: string | undefined;
  readonly callee?: string | undefined;
  /** Part of either side's name. */
  readonly name?: string | undefined;
  readonly direction?: string | undefined;
  readonly trunk?: string | undefined;
  readonly state?: string | undefined;
  /** The recording's own, its file name, the SIP Call-ID, or any id of the call in the PBX. */
  readonly id?: string | undefined;
}

export interface CheckpointRow {
  readonly origin: string;
  readonly size: number;
  /** base64 */
  readonly root: string;
  readonly text: Buffer;
  readonly signature: Buffer;
  /** By the key that takes over, at the size of a key roll. */
  readonly nextSignature?: Buffer;
  /** Whether it leaves; the others are for the proofs beside recordings. */
  readonly exported: boolean;
  readonly at: number;
}

/** A mark in the timeline of a recording, as it is stored. */
export interface MarkRow {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly kind: string;
  readonly source: string;
  readonly detail?: string;
}

/** An announcement that was heard in the call of a recording. */
export interface AnnouncedRow {
  readonly id: string;
  /** Since when, epoch milliseconds; and for how long. */
  readonly at: number;
  readonly milliseconds: number;
  readonly name: string;
  readonly locale: string;
  /** Of the announcement, hex. */
  readonly sha256: string;
  /** False when somebody hung up before its end. */
  readonly whole: boolean;
  /** Of the call that heard it. */
  readonly numbers: readonly string[];
  /** How it is known that it belongs to the recording; the latter is a conclusion. */
  readonly linkedBy: 'call-id' | 'number-and-time';
}
