import { createHash } from 'node:crypto';
import { memberKey, type CallToDecide, type Membership } from '../rules/call-to-decide.ts';
import type { Decision } from '../rules/decision.ts';
import { changeGroup, membershipOf, type GroupChange, type Groups } from '../rules/groups.ts';
import { RuleBook, type Explanation } from '../rules/rule-book.ts';
import { NO_RULES, RuleSet } from '../rules/rule-set.ts';
import type { CallPolicy } from './call.ts';
import type { MembershipEvent, RulesEvent } from './events.ts';
import { PolicyError } from './policy-error.ts';
import { distinctMoments, stateAll } from './stated-changes.ts';

/** Everything that decides about calls, as it is kept beside the journal: deciding needs no database. */
export interface PolicyState {
  readonly version: number;
  readonly source: RuleSource;
  readonly rules: unknown;
  readonly groups: Groups;
  /** Changes that hold and of which it is not certain that the journal has them; absent in files of earlier versions. */
  readonly unstated?: readonly PolicyChange[];
}

/** What states a change. */
export type PolicyChange = RulesEvent | MembershipEvent;

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
  /** States a change. Resolves with whether it is on disk, and with it whatever was stated before. Never rejects. */
  readonly state: (event: PolicyChange) => Promise<boolean>;
  readonly now: () => number;
  /** For time windows without a zone. */
  readonly timeZone: string;
  /** Rules of the configuration file; with them the API cannot change any. */
  readonly configured: RuleSet | undefined;
}

interface State extends Omit<PolicyState, 'rules' | 'unstated'> {
  readonly rules: RuleSet;
}

/**
 * The rules and memberships that hold now. A change is on disk before it holds, it is stated in the log with who made it, and it holds for the
 * next call: a running one follows the decision of its beginning. What is to be stated is on disk with the change, so that a process killed
 * between both has it stated by the next one; the log takes the same change once (`LogWriter.isStated`).
 */
export class Policy implements CallPolicy {
  readonly #options: PolicyOptions;
  #state: State;
  #book: RuleBook;
  #membership: Membership;
  #unstated: readonly PolicyChange[];
  readonly #moment: () => number;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: PolicyOptions, state: State, unstated: readonly PolicyChange[]) {
    this.#options = options;
    this.#moment = distinctMoments(options.now);
    this.#state = state;
    this.#unstated = unstated;
    this.#book = new RuleBook(state.rules, state.version, options.timeZone);
    this.#membership = membershipOf(state.groups);
  }

  /** Reads what held before, and states what the process before did not get to; rules of the configuration that differ become a new version. */
  static async open(options: PolicyOptions): Promise<Policy> {
    const known: PolicyState | undefined = await options.file.load();
    const { unstated = [], ...stored } = known ?? { version: 0, source: 'none', rules: {}, groups: {} };
    const policy = new Policy(options, { ...stored, rules: RuleSet.parse(stored.rules) }, unstated);
    if (unstated.length > 0) await policy.#declare(unstated);
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
      const at = this.#moment();
      const key = memberKey(member);
      if (change.startsWith('logged') && this.#state.groups[group]?.[key] === undefined)
        throw new PolicyError('NO_MEMBER', `${key} is no member of ${group}.`);
      const wasIn = this.#state.groups[group]?.[key]?.loggedInSince !== undefined;
      const groups = changeGroup(this.#state.groups, group, key, { change, at });
      if (groups === undefined) return false;
      const changed = { type: 'membership', at, group, member: key, actor } as const;
      await this.#take({ ...this.#state, groups }, [
        // Who leaves a group is logged out of it by that.
        ...(change === 'removed' && wasIn ? [{ ...changed, change: 'logged-out' } as const] : []),
        { ...changed, change },
      ]);
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
      const rules = JSON.stringify(set);
      const at = this.#moment();
      await this.#take({ ...known, version, source, rules: set }, [
        { type: 'rules', at, version, source, actor, hashBefore, hashAfter, rules },
      ]);
      return version;
    });
  }

  async #take(state: State, changes: readonly PolicyChange[]): Promise<void> {
    const unstated = [...this.#unstated, ...changes];
    await this.#options.file.save({ ...state, unstated });
    this.#unstated = unstated;
    const rulesChanged = state.version !== this.#state.version;
    this.#state = state;
    if (rulesChanged) this.#book = new RuleBook(state.rules, state.version, this.#options.timeZone);
    this.#membership = membershipOf(state.groups);
    await this.#declare(changes);
  }

  async #declare(changes: readonly PolicyChange[]): Promise<void> {
    // While the journal refuses, they wait in memory; the file has them for the next start.
    if (!(await stateAll(changes, this.#options.state))) return;
    this.#unstated = [];
    // If this fails they are stated once more by the next start, and the log knows them.
    await this.#options.file.save(this.#state).catch(() => undefined);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** Of the rules as they are stored: what the `config` entries of the evidence log name. */
const hashOf = (set: RuleSet): string => createHash('sha256').update(JSON.stringify(set)).digest('hex');
