/** How sure a derived field is (siprec-interop.md section 5). */
export type Confidence = 'high' | 'medium' | 'low';

/** One side of the recorded call, as far as the client named it. */
export interface Party {
  readonly name?: string;
  /** Telephone number or user part, as sent. */
  readonly number?: string;
  readonly aor?: string;
  /** Where it was taken from, for example `metadata participant 1 (send label 1)`. */
  readonly source: string;
  readonly confidence: Confidence;
}

export type CallDirection = 'in' | 'out' | 'internal' | 'unknown';

export type MetadataStatus = 'complete' | 'partial' | 'absent' | 'invalid';

export interface ParticipantEntry {
  readonly id: string;
  readonly name?: string;
  readonly aor?: string;
  /** Labels of the streams the participant sends. */
  readonly sends: readonly string[];
  readonly associatedAt?: string;
  readonly disassociatedAt?: string;
}

/** Who, whom, which way: what the metadata and the SIP headers say about a call. Plain data. */
export interface CallDescription {
  readonly direction: CallDirection;
  readonly directionSource: string;
  readonly caller: Party;
  readonly callee: Party;
  readonly pbxCallId?: { readonly value: string; readonly source: string };
  readonly metadataStatus: MetadataStatus;
  readonly participants: readonly ParticipantEntry[];
  /** m-line index of each side and how that was decided; undefined where the client sends no such line. */
  readonly callerLine?: number;
  readonly calleeLine?: number;
  readonly channelSource: string;
  readonly warnings: readonly string[];
}
