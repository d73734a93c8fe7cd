import { parseEntry } from '../evidence/entry.ts';
import { parseOrigin } from '../evidence/origin.ts';
import type { EvidenceFigures } from '../web/evidence-metrics.ts';
import type { ArchiveLine } from './archive-line.ts';

/** How the evidence log stands. Rejects with StoreError while the database is away. */
export async function evidenceFigures(
  { rolling, peering }: Pick<ArchiveLine, 'rolling' | 'peering'>,
  authorities: readonly string[],
  now: number,
): Promise<EvidenceFigures> {
  const { chain, store } = rolling;
  const { evidence } = store;
  const { origin } = chain;
  const since = (at: number | undefined): number | undefined =>
    at === undefined || at === 0 ? undefined : (now - at) / 1000;
  const [exported, anchor, due] = await Promise.all([
    evidence.newestExported(origin),
    evidence.newestOf(origin, ['anchor']),
    evidence.waitingStamps(),
  ]);
  const anchoredAt = anchor === undefined ? undefined : Date.parse(parseEntry(anchor.bytes).header.time);
  const stamps = authorities.map(async (authority) => ({
    authority,
    waiting: due.filter((row) => row.authority === authority).length,
    age: since((await evidence.newestDone(authority))?.doneAt),
  }));
  return {
    entries: chain.head.size,
    epoch: parseOrigin(origin).epoch,
    checkpoint: exported && { size: exported.size, age: (now - exported.at) / 1000 },
    anchorAge: since(anchoredAt),
    stamps: await Promise.all(stamps),
    peers: peering.standing.map(({ name, size, answeredAt, forked }) => ({
      name,
      entries: size,
      age: since(answeredAt),
      forked,
    })),
  };
}
