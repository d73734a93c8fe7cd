import { createHash } from 'node:crypto';
import { memberKey, type CallToDecide, type Membership } from '../rules/call-to-decide.ts';
import type { Decision } from '../rules/decision.ts';
import { changeGroup, membershipOf, type GroupChange, type Groups } from '../rules/groups.ts';
import { RuleBook, type Explanation } from '../rules/rule-book.ts';
import { NO_RULES, RuleSet } from '../rules/rule-set.ts';
import type { CallPolicy } from './call.ts';
import type { MembershipEvent, RulesEvent } from './events.ts';
import { PolicyError } from './policy-error.ts';

/** Everything that decides about calls, as it is kept beside the journal: deciding needs no database. */
export interface PolicyState {
  readonly version: number;
  readonly source: RuleSource;
  readonly rules: unknown;
  readonly groups: Groups;
}

/** Where a version of the rules came from; `none` while there never were any. */
export type RuleSource = 'none' | 'file' | 'api';

/** Keeps the state; `store/policy-file.ts` fits. */
export interface PolicyFile {
  /** Undefined when there is none yet. Rejects when it cannot be read. */
  load(): Promise<PolicyState | undefined>;
  /** Resolves when the state is on disk, whole. */
  save(state: PolicyState): Promise<void>;
}

export interface PolicyOptions {
  readonly file: PolicyFile;
  /** States a change; see `Recorder`. Never rejects. */
  readonly state: (event: RulesEvent | MembershipEvent) => Promise<void>;
  readonly now: () => number;
  /** For time windows without a zone. */
  readonly timeZone: string;
  /** Rules of the configuration file; with them the API cannot change any. */
  readonly configured: RuleSet | undefined;
}

interface State extends Omit<PolicyState, 'rules'> {
  readonly rules: RuleSet;
}

/**
 * The rules and memberships that hold now. A change is on disk before it holds, it is stated in the log with who made it, and it holds for the
 * next call: a running one follows the decision of its beginning.
 */
export class Policy implements CallPolicy {
  readonly #options: PolicyOptions;
  #state: State;
  #book: RuleBook;
  #membership: Membership;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: PolicyOptions, state: State) {
    this.#options = options;
    this.#state = state;
    this.#book = new RuleBook(state.rules, state.version, options.timeZone);
    this.#membership = membershipOf(state.groups);
  }

  /** Reads what held before; rules of the configuration that differ from it become a new version. */
  static async open(options: PolicyOptions): Promise<Policy> {
    const stored = (await options.file.load()) ?? { version: 0, source: 'none', rules: {}, groups: {} };
    const policy = new Policy(options, { ...stored, rules: RuleSet.parse(stored.rules) });
    const { configured } = options;
    if (configured !== undefined) await policy.#replace(configured, 'file', 'configuration file');
    // The file no longer has any: what the API may change is again what holds without rules.
    else if (stored.source === 'file') await policy.#replace(NO_RULES, 'api', 'configuration file');
    return policy;
  }

  decide(call: CallToDecide): Decision {
    return this.#book.decide(call, this.#membership);
  }

  /** The same, with the rules passed on the way. */
  explain(call: CallToDecide): Explanation {
    return this.#book.explain(call, this.#membership);
  }

  get rules(): { readonly version: number; readonly source: RuleSource; readonly set: RuleSet } {
    const { version, source, rules } = this.#state;
    return { version, source, set: rules };
  }

  get groups(): Groups {
    return this.#state.groups;
  }

  /** Resolves with the version that holds now. Rejects with PolicyError FIXED, or with what keeps the file from being written. */
  replaceRules(set: RuleSet, actor: string): Promise<number> {
    if (this.#options.configured !== undefined)
      return Promise.reject(
        new PolicyError('FIXED', 'The rules stand in the configuration file; change them there and restart.'),
      );
    return this.#replace(set, 'api', actor);
  }

  /**
   * Changes who belongs to a group or is logged in. Resolves with whether that changed anything. Rejects with PolicyError NO_MEMBER for
   * somebody who cannot log in, or with what keeps the file from being written.
   */
  changeMembership(
    group: string,
    member: string,
    on: { readonly change: GroupChange; readonly actor: string },
  ): Promise<boolean> {
    return this.#inTurn(async () => {
      const { change, actor } = on;
      const at = this.#options.now();
      const key = memberKey(member);
      if (change.startsWith('logged') && this.#state.groups[group]?.[key] === undefined)
        throw new PolicyError('NO_MEMBER', `${key} is no member of ${group}.`);
      const wasIn = this.#state.groups[group]?.[key]?.loggedInSince !== undefined;
      const groups = changeGroup(this.#state.groups, group, key, { change, at });
      if (groups === undefined) return false;
      await this.#take({ ...this.#state, groups });
      // Who leaves a group is logged out of it by that.
      if (change === 'removed' && wasIn)
        await this.#options.state({
          type: 'membership',
          at,
          group,
          member: key,
          change: 'logged-out',
          actor,
        });
      await this.#options.state({ type: 'membership', at, group, member: key, change, actor });
      return true;
    });
  }

  /** Logs in who is out, and out who is in. Resolves with what was done. */
  async toggle(group: string, member: string, actor: string): Promise<'logged-in' | 'logged-out'> {
    const isIn = this.#state.groups[group]?.[memberKey(member)]?.loggedInSince !== undefined;
    const change = isIn ? 'logged-out' : 'logged-in';
    await this.changeMembership(group, member, { change, actor });
    return change;
  }

  #replace(set: RuleSet, source: 'file' | 'api', actor: string): Promise<number> {
    return this.#inTurn(async () => {
      const [hashBefore, hashAfter] = [hashOf(this.#state.rules), hashOf(set)];
      const known = this.#state;
      if (hashBefore === hashAfter && known.source === source) return known.version;
      const version = known.version + 1;
      await this.#take({ ...known, version, source, rules: set });
      const at = this.#options.now();
      const rules = JSON.stringify(set);
      await this.#options.state({ type: 'rules', at, version, source, actor, hashBefore, hashAfter, rules });
      return version;
    });
  }

  async #take(state: State): Promise<void> {
    await this.#options.file.save(state);
    const rulesChanged = state.version !== this.#state.version;
    this.#state = state;
    if (rulesChanged) this.#book = new RuleBook(state.rules, state.version, this.#options.timeZone);
    this.#membership = membershipOf(state.groups);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** Of the rules as they are stored: what the `config` entries of the evidence log name. */
const hashOf = (set: RuleSet): string => createHash('sha256').update(JSON.stringify(set)).digest('hex');
