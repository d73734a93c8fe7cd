/** How sure a derived field is (siprec-interop.md section 5). */
export type Confidence = 'high' | 'medium' | 'low';

/** Something concluded: never without where it comes from, how sure it is and the rule of section 5 that gave it. */
export interface Derived<T = string> {
  readonly value: T;
  readonly source: string;
  readonly confidence: Confidence;
  /** Number of the section and of the priority in it, for example `5.1-1`. */
  readonly rule: string;
}

/** A derived field of which a call may have several. */
export interface DerivedItem extends Derived {
  readonly kind: string;
}

/** One side of the call as a vendor's own data names it. */
export interface DerivedParty {
  readonly name?: string;
  readonly number?: string;
  readonly aor?: string;
  /** Id of the metadata participant it is, when there is one: that gives the channel. */
  readonly participant?: string;
  /** Index of the m-line it speaks on, when that is signalled without metadata. */
  readonly line?: number;
  readonly source: string;
  readonly confidence: Confidence;
  readonly rule: string;
}

/** An id that other recordings of the same call carry too (5.5): linked by it, never merged. */
export interface RelatedId {
  readonly kind: string;
  readonly value: string;
}

/** A recording of one end only, whose other half comes in a dialog of its own (siprec-interop.md 4.6). */
export interface DialogPair {
  readonly side: 'near' | 'far';
  /** Equal for both halves. */
  readonly key: string;
}
