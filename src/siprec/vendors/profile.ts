import type { HeaderIdentity } from '../address.ts';
import type { Derived, DerivedItem, DerivedParty, DialogPair, RelatedId } from '../derived.ts';
import type { MetadataState } from '../metadata-state.ts';
import type { SessionOffer } from '../sdp.ts';

/** What a vendor may be known by and what its data is taken from. */
export interface CallEvidence {
  readonly offer: SessionOffer;
  readonly state: MetadataState | undefined;
  /** SIP headers by lower-case name; a repeated one with commas between its values. */
  readonly headers: Readonly<Record<string, string>>;
  readonly from?: HeaderIdentity;
  readonly to?: HeaderIdentity;
}

/** What a vendor's own data says of a call; what it does not say is decided by the general rules. */
export interface DerivedFields {
  readonly caller?: DerivedParty;
  readonly callee?: DerivedParty;
  /** Which way, when it is signalled. */
  readonly direction?: Derived<'in' | 'out'>;
  /** Both parties are known, who of them called is not: the number plan can only tell internal calls. */
  readonly unordered?: boolean;
  /** Whose calls are recorded. */
  readonly user?: Derived;
  readonly group?: Derived;
  /** A hint only: metadata alone never selects a tenant (siprec-interop.md 5.3). */
  readonly tenant?: Derived;
  /** Ids of the call in the PBX, the best one first. */
  readonly callIds?: readonly DerivedItem[];
  readonly related?: readonly RelatedId[];
  /** Numbers the call went through before. */
  readonly redirects?: readonly DerivedItem[];
  /** Participants that stand for nobody. */
  readonly dummies?: readonly string[];
  readonly pair?: DialogPair;
}

/** One vendor's dialect of who and whom. */
export interface VendorProfile {
  readonly name: string;
  /** The sign by which a call of this vendor is known; undefined when there is none. */
  recognise(evidence: CallEvidence): string | undefined;
  /** Never throws. */
  derive(evidence: CallEvidence): DerivedFields;
}
