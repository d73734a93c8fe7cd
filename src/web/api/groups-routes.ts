import { z } from 'zod';
import type { GroupChange, Groups } from '../../rules/groups.ts';
import { WebError } from '../web-error.ts';
import { apiRoute, type ApiRoute } from './route.ts';
import { refused } from './rules-routes.ts';

/** What these routes need; `recorder/policy.ts` fits. */
export interface GroupsPolicy {
  readonly groups: Groups;
  /** Resolves with whether anything changed. Rejects with code NO_MEMBER. */
  changeMembership(
    group: string,
    member: string,
    on: { readonly change: GroupChange; readonly actor: string },
  ): Promise<boolean>;
}

export interface MembershipSpan {
  readonly group: string;
  readonly member: string;
  readonly kind: 'member' | 'logged-in';
  readonly since: number;
  readonly until?: number;
  readonly begunBy: string;
  readonly endedBy?: string;
}

/** `store/policy-queries.ts` fits. */
export interface MembershipHistory {
  /** Spans of a group that touch the time between two moments (epoch milliseconds), in order of their beginning. */
  membershipSpans(on: {
    readonly group?: string | undefined;
    readonly from: number;
    readonly to: number;
  }): Promise<readonly MembershipSpan[]>;
}

const Name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, { error: 'not a name (small letters, digits, dashes)' });
const Member = z.string().min(1).max(200).describe('extension, number or address of record');
const InGroup = z.strictObject({ group: Name, member: Member });
const Group = z.object({
  group: z.string(),
  members: z.array(z.object({ member: z.string(), loggedIn: z.boolean(), since: z.number().optional() })),
});
const Span = z.object({
  group: z.string(),
  member: z.string(),
  kind: z.enum(['member', 'logged-in']),
  since: z.number(),
  until: z.number().optional(),
  begunBy: z.string(),
  endedBy: z.string().optional(),
});
const Moment = z.coerce.number().describe('epoch milliseconds');

/** Groups, their members, and who is or was logged in. */
export const groupsRoutes = (policy: GroupsPolicy, history: MembershipHistory): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/groups',
    tag: 'groups',
    summary: 'All groups with their members',
    answer: z.object({ groups: z.array(Group) }),
    handle: () => ({ groups: Object.keys(policy.groups).map((group) => groupOf(policy.groups, group)) }),
  }),
  apiRoute({
    method: 'GET',
    path: '/groups/{group}',
    tag: 'groups',
    summary: 'One group with its members',
    params: z.strictObject({ group: Name }),
    answer: Group,
    handle: ({ params }) => {
      if (policy.groups[params.group] === undefined)
        throw new WebError('NOT_FOUND', 'There is no such group.');
      return groupOf(policy.groups, params.group);
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/groups/history',
    tag: 'groups',
    summary: 'Who was a member and who was logged in, between two moments or at one',
    query: z.strictObject({
      group: Name.optional(),
      at: Moment.optional(),
      from: Moment.optional(),
      to: Moment.optional(),
    }),
    answer: z.object({ spans: z.array(Span) }),
    handle: async ({ query }) => {
      const { group, at, from, to } = query;
      const spans = await history.membershipSpans({
        group,
        from: at ?? from ?? 0,
        to: at ?? to ?? Date.now(),
      });
      return { spans: [...spans] };
    },
  }),
  change(policy, 'PUT', '', { change: 'added', summary: 'Makes somebody a member' }),
  change(policy, 'DELETE', '', { change: 'removed', summary: 'Removes a member' }),
  change(policy, 'POST', '/login', { change: 'logged-in', summary: 'Logs a member in' }),
  change(policy, 'POST', '/logout', { change: 'logged-out', summary: 'Logs a member out' }),
];

const change = (
  policy: GroupsPolicy,
  method: 'PUT' | 'DELETE' | 'POST',
  path: string,
  what: { readonly change: GroupChange; readonly summary: string },
): ApiRoute =>
  apiRoute({
    method,
    path: `/groups/{group}/members/{member}${path}`,
    tag: 'groups',
    summary: what.summary,
    changes: `group: member ${what.change}`,
    params: InGroup,
    answer: z.object({ changed: z.boolean() }),
    handle: async ({ params, actor, note }) => {
      const on = { change: what.change, actor: actor.name };
      const changed = await policy.changeMembership(params.group, params.member, on).catch(refused);
      if (!changed) note('it was so already');
      return { changed };
    },
  });

const groupOf = (groups: Groups, group: string): z.input<typeof Group> => ({
  group,
  members: Object.entries(groups[group] ?? {}).map(([member, { loggedInSince }]) => ({
    member,
    loggedIn: loggedInSince !== undefined,
    ...(loggedInSince === undefined ? {} : { since: loggedInSince }),
  })),
});
