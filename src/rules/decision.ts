/** Which sides of a call are kept. */
export type Legs = 'both' | 'caller' | 'callee';

/** One file with two channels, or one file a leg. */
export type Layout = 'stereo' | 'per-leg';

/** Somebody of the call who was a logged-in member of a group when the call began. */
export interface LoggedIn {
  readonly group: string;
  readonly member: string;
}

/**
 * What the rules said about one call, and why. Plain data: it is stored with the recording, or in place of one. `rule` and `version` together
 * name the rule for ever, since every version of the rules is kept. No number or name of the call is in it.
 */
export interface Decision {
  readonly record: boolean;
  /** The rule's id; `default` when none matched, `feature-code` for numbers with `*` or `#`. */
  readonly rule: string;
  /** Of the whole set of rules; 0 while there never were any. */
  readonly version: number;
  /** For people: which conditions matched. */
  readonly reason: string;
  readonly legs: Legs;
  readonly layout: Layout;
  /** Retention profile; absent: the installation's. */
  readonly retention?: string;
  readonly destinations: 'all' | readonly string[];
  /** Whether the users may stop the recording during the call. */
  readonly mayStop: boolean;
  /** Name of the announcement that belongs to such calls. */
  readonly announcement?: string;
  /** The members that made a group condition match. */
  readonly loggedIn?: readonly LoggedIn[];
}

/** `<rule>@<version>`, as the evidence log names it. */
export const policyName = ({ rule, version }: Pick<Decision, 'rule' | 'version'>): string =>
  `${rule}@${version}`;

/** Everything is recorded: what holds while nobody has made rules. */
export const RECORD_ALL: Decision = {
  record: true,
  rule: 'default',
  version: 0,
  reason: 'no rules, so every call is recorded',
  legs: 'both',
  layout: 'stereo',
  destinations: 'all',
  mayStop: false,
};
