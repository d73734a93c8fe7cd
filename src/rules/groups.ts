import { memberKey, type Membership } from './call-to-decide.ts';

/** Members of one group, spelled as `memberKey` does, each with whether it is logged in. */
export type GroupMembers = Readonly<Record<string, { readonly loggedInSince?: number }>>;

export type Groups = Readonly<Record<string, GroupMembers>>;

export type GroupChange = 'added' | 'removed' | 'logged-in' | 'logged-out';

/** The groups after a change, or undefined when it changes nothing (logged in already, no such member). */
export function changeGroup(
  groups: Groups,
  group: string,
  member: string,
  on: { readonly change: GroupChange; readonly at: number },
): Groups | undefined {
  const members = groups[group] ?? {};
  const key = memberKey(member);
  const known = members[key];
  const put = (entry: GroupMembers[string]): Groups => ({ ...groups, [group]: { ...members, [key]: entry } });
  switch (on.change) {
    case 'added':
      return known === undefined ? put({}) : undefined;
    case 'removed': {
      const others = Object.fromEntries(Object.entries(members).filter(([name]) => name !== key));
      return known === undefined ? undefined : { ...groups, [group]: others };
    }
    case 'logged-in':
      return known === undefined || known.loggedInSince !== undefined
        ? undefined
        : put({ loggedInSince: on.at });
    case 'logged-out':
      return known?.loggedInSince === undefined ? undefined : put({});
    default:
      return on.change satisfies never;
  }
}

/** Who is logged in where, as the rules ask for it. */
export const membershipOf = (groups: Groups): Membership =>
  new Map(
    Object.entries(groups).map(([group, members]) => [
      group,
      new Set(
        Object.entries(members).flatMap(([member, { loggedInSince }]) =>
          loggedInSince === undefined ? [] : [member],
        ),
      ),
    ]),
  );
