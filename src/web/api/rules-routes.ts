import { z } from 'zod';
import type { CallToDecide } from '../../rules/call-to-decide.ts';
import type { Explanation } from '../../rules/rule-book.ts';
import { RuleSet, unknownNames, type KnownNames } from '../../rules/rule-set.ts';
import { WebError } from '../web-error.ts';
import { apiRoute, type ApiRoute } from './route.ts';

/** What these routes need; `recorder/policy.ts` fits. */
export interface RulesPolicy {
  readonly rules: {
    readonly version: number;
    readonly source: 'none' | 'file' | 'api';
    readonly set: RuleSet;
  };
  /** Rejects with code FIXED where the configuration file has the rules. */
  replaceRules(set: RuleSet, actor: string): Promise<number>;
  explain(call: CallToDecide): Explanation;
}

export interface RuleVersion {
  readonly version: number;
  readonly at: number;
  readonly source: string;
  readonly actor: string;
  readonly hash: string;
  readonly rules: unknown;
}

/** What the database keeps of rules; `store/policy-queries.ts` fits. */
export interface RuleHistory {
  /** Newest first. */
  ruleVersions(): Promise<readonly RuleVersion[]>;
}

const Version = z.object({
  version: z.number(),
  at: z.number().describe('epoch milliseconds'),
  source: z.string(),
  actor: z.string(),
  hash: z.string().describe('SHA-256 of the rules, as in the config entry of the evidence log'),
  rules: z.unknown(),
});

const Trunk = z.string().optional().describe('over which it comes; default the first of the configuration');

const Question = z.strictObject({
  from: z.string().max(200).optional(),
  to: z.string().max(200).optional(),
  direction: z.enum(['in', 'out', 'internal', 'unknown']).default('unknown'),
  trunk: Trunk,
  user: z.string().max(200).optional().describe('the recorded user, where the PBX names it'),
  at: z.number().optional().describe('epoch milliseconds, default now'),
});

const Answer = z.object({
  decision: z.object({
    record: z.boolean(),
    rule: z.string(),
    version: z.number(),
    reason: z.string(),
    legs: z.string(),
    layout: z.string(),
    retention: z.string().optional(),
    destinations: z.union([z.literal('all'), z.array(z.string()).readonly()]),
    mayStop: z.boolean(),
    announcement: z.string().optional(),
    loggedIn: z
      .array(z.object({ group: z.string(), member: z.string() }))
      .readonly()
      .optional(),
  }),
  rules: z.array(z.object({ rule: z.string(), matched: z.boolean(), why: z.string() })).readonly(),
  users: z.array(z.string()).readonly(),
  caller: z.array(z.string()).readonly(),
  callee: z.array(z.string()).readonly(),
});

/** What rules may name, and the trunks over which calls come, in the order of the configuration. */
type Names = KnownNames & { readonly trunks: readonly string[] };

/** Rules: which hold, which held, what they would say. */
export const rulesRoutes = (
  policy: RulesPolicy,
  history: RuleHistory,
  describe: (message: Uint8Array, trunk: string, at: number) => CallToDecide['description'],
  known: Names,
): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/rules',
    tag: 'rules',
    summary: 'The rules that hold now',
    answer: z.object({ version: z.number(), source: z.enum(['none', 'file', 'api']), rules: RuleSet }),
    handle: () => {
      const { version, source, set } = policy.rules;
      return { version, source, rules: set };
    },
  }),
  apiRoute({
    method: 'PUT',
    path: '/rules',
    tag: 'rules',
    summary: 'Replaces all rules; they hold from the next call on',
    changes: 'rules replaced by API',
    body: RuleSet,
    answer: z.object({ version: z.number() }),
    handle: async ({ body, actor, note }) => {
      const faults = unknownNames(body, known).map(({ path, message }) => ({
        path: ['body', ...path].join('.'),
        message,
      }));
      const [first] = faults;
      if (first !== undefined) throw new WebError('INVALID', `${first.path}: ${first.message}`, { faults });
      const version = await policy.replaceRules(body, actor.name).catch(refused);
      note(`version ${version}`);
      return { version };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/rules/versions',
    tag: 'rules',
    summary: 'Every version of the rules there ever was, newest first',
    answer: z.object({ versions: z.array(Version) }),
    handle: async () => ({ versions: [...(await history.ruleVersions())] }),
  }),
  ...questionRoutes(policy, describe, known.trunks),
];

/** What would be decided, asked by people. */
const questionRoutes = (
  policy: RulesPolicy,
  describe: (message: Uint8Array, trunk: string, at: number) => CallToDecide['description'],
  trunks: readonly string[],
): readonly ApiRoute[] => [
  apiRoute({
    method: 'POST',
    path: '/rules/test',
    tag: 'rules',
    summary: 'What would be decided about a call, and why',
    body: Question,
    answer: Answer,
    handle: ({ body }) => policy.explain(callOf(body, trunkOf('body', body.trunk, trunks))),
  }),
  apiRoute({
    method: 'POST',
    path: '/rules/test-message',
    tag: 'rules',
    summary: 'What would be decided about a call whose INVITE was saved from a trace',
    query: z.strictObject({ trunk: Trunk, at: z.coerce.number().optional() }),
    raw: { limit: 1_000_000, types: ['message/sip'] },
    answer: Answer,
    handle: ({ body, query }) => {
      const at = query.at ?? Date.now();
      const trunk = trunkOf('query', query.trunk, trunks);
      return policy.explain({ description: describe(body, trunk, at), trunk, at });
    },
  }),
];

/** Throws WebError INVALID for a trunk that there is not: the answer would be that of no call. */
function trunkOf(where: string, asked: string | undefined, trunks: readonly string[]): string {
  const [first = ''] = trunks;
  if (asked === undefined || trunks.includes(asked)) return asked ?? first;
  const fault = { path: `${where}.trunk`, message: `not one of ${trunks.join(', ')}` };
  throw new WebError('INVALID', `${fault.path}: ${fault.message}`, { faults: [fault] });
}

function callOf({ from, to, direction, user, at }: z.output<typeof Question>, trunk: string): CallToDecide {
  const party = (text: string | undefined) => ({
    ...(text === undefined ? {} : text.includes('@') ? { aor: text } : { number: text }),
    source: 'asked',
    confidence: 'high' as const,
  });
  const described = { value: user ?? '', source: 'asked', confidence: 'high', rule: '-' } as const;
  return {
    description: {
      direction,
      caller: party(from),
      callee: party(to),
      participants: [],
      ...(user === undefined ? {} : { user: described }),
    },
    trunk,
    at: at ?? Date.now(),
  };
}

/** Throws WebError for what the recorder refuses. */
export function refused(error: unknown): never {
  const { code, message = '' } = error as { readonly code?: string; readonly message?: string };
  if (code === 'FIXED') throw new WebError('CONFLICT', message, { cause: error });
  if (code === 'NO_GROUP' || code === 'NO_MEMBER') throw new WebError('NOT_FOUND', message, { cause: error });
  throw error;
}
