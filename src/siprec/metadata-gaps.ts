import type { MetadataUpdate } from './metadata.ts';

type Named = readonly { readonly id: string }[];

/** What a partial document takes for known and nobody ever said: the chain of updates is broken (SNAP-1). */
export function gapsIn(
  state: { readonly participants: Named; readonly streams: Named } | undefined,
  update: MetadataUpdate,
): readonly string[] {
  if (state === undefined) return ['partial metadata before any complete one'];
  const people = idsOf(state.participants, update.participants);
  const streams = idsOf(state.streams, update.streams);
  const strangers = [
    ...update.streamAssociations.filter(({ participant }) => !people.has(participant)),
    ...update.sessionAssociations.filter(({ participant }) => !people.has(participant)),
  ];
  const unknown = update.streamAssociations.flatMap(({ sends }) => sends.filter((id) => !streams.has(id)));
  return [
    ...(strangers.length > 0 ? ['partial metadata speaks of a participant that was never named'] : []),
    ...(unknown.length > 0 ? ['partial metadata speaks of a stream that was never named'] : []),
  ];
}

const idsOf = (old: Named, fresh: Named): ReadonlySet<string> =>
  new Set([...old, ...fresh].map(({ id }) => id));
