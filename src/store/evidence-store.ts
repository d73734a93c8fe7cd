import type { Knex } from 'knex';
import type { EvidenceFile, EvidenceStore, StampRow, WitnessedRow } from '../jobs/evidence-ports.ts';
import { parseEntry } from '../evidence/entry.ts';
import type { ChainHead, CheckpointRow, EntryRow } from '../jobs/ports.ts';
import { toCheckpoint, toEntry, toHead, type SqlRow } from './log-rows.ts';
import { answered } from './sql-error.ts';

/** `config` entries read at once. */
const PAGE = 100;

/** The evidence tables of the log, for reading; see `EvidenceWriter` for changes. */
export class SqlEvidenceStore implements EvidenceStore {
  readonly #knex: Knex;
  readonly #node: string;

  constructor(knex: Knex, node: string) {
    this.#knex = knex;
    this.#node = node;
  }

  async heads(prefix: string): Promise<readonly ChainHead[]> {
    const rows = await answered(this.#from('log_heads').where('origin', 'like', `${prefix}/e%`));
    const epoch = ({ origin }: ChainHead): number => Number(origin.slice(prefix.length + 2));
    return rows.map(toHead).sort((a, b) => epoch(a) - epoch(b));
  }

  async tiles(origin: string): Promise<readonly string[]> {
    const rows = await answered(this.#from('log_tiles').where({ origin }).orderBy('tile'));
    return rows.map((row) => String(row['root']));
  }

  async files(origin: string, after: number, limit: number): Promise<readonly EvidenceFile[]> {
    const query = this.#from('evidence_files').where({ origin }).andWhere('id', '>', after);
    const rows = await answered(query.orderBy('id').limit(limit));
    return rows.map((row) => ({
      id: Number(row['id']),
      path: String(row['path']),
      bytes: row['bytes'] as Buffer,
    }));
  }

  async file(path: string): Promise<Buffer | undefined> {
    const [row] = await answered(this.#from('evidence_files').where({ path }).limit(1));
    return row === undefined ? undefined : (row['bytes'] as Buffer);
  }

  async newestExported(origin: string): Promise<CheckpointRow | undefined> {
    const query = this.#from('checkpoints')
      .where({ origin, exported: true })
      .orderBy('size', 'desc')
      .limit(1);
    return (await answered(query)).map(toCheckpoint)[0];
  }

  async waitingStamps(): Promise<readonly StampRow[]> {
    const rows = await answered(this.#from('stamps').whereNull('done_at').orderBy(['due_at', 'size']));
    return rows.map(toStamp);
  }

  async newestStamp(authority: string): Promise<StampRow | undefined> {
    const query = this.#from('stamps').where({ authority }).orderBy('due_at', 'desc').limit(1);
    return (await answered(query)).map(toStamp)[0];
  }

  async newestDone(authority: string): Promise<StampRow | undefined> {
    const query = this.#from('stamps').where({ authority }).whereNotNull('done_at');
    return (await answered(query.orderBy('done_at', 'desc').limit(1))).map(toStamp)[0];
  }

  async witnessed(origin: string): Promise<WitnessedRow | undefined> {
    const [row] = await answered(this.#from('witnessed').where({ node: this.#node, origin }));
    if (row === undefined) return undefined;
    return { origin, size: Number(row['size']), root: String(row['root']), at: Number(row['at']) };
  }

  async newestOf(origin: string, types: readonly string[]): Promise<EntryRow | undefined> {
    const query = this.#from('log_entries').where({ origin }).whereIn('type', types);
    return (await answered(query.orderBy('index', 'desc').limit(1))).map(toEntry)[0];
  }

  /** They are few, and what they are about stands in their bytes alone. */
  async newestConfig(origin: string, part: string): Promise<EntryRow | undefined> {
    for (let before = Number.MAX_SAFE_INTEGER; ;) {
      const query = this.#from('log_entries')
        .where({ origin, type: 'config' })
        .andWhere('index', '<', before);
      const rows = (await answered(query.orderBy('index', 'desc').limit(PAGE))).map(toEntry);
      const found = rows.find(({ bytes }) => isAbout(bytes, part));
      if (found !== undefined || rows.length < PAGE) return found;
      before = rows.at(-1)?.index ?? 0;
    }
  }

  async entriesOf(recording: string, type: string): Promise<readonly EntryRow[]> {
    return (await answered(this.#from('log_entries').where({ recording, type }))).map(toEntry);
  }

  async unproved(limit: number): Promise<readonly (EntryRow & { readonly fileName: string })[]> {
    const proofs = this.#from('files').where({ kind: 'proof' }).select('recording');
    const query = this.#from('recordings')
      .join('log_entries', 'log_entries.recording', 'recordings.id')
      .where({ 'recordings.node': this.#node, 'recordings.state': 'sealed', 'log_entries.type': 'recording' })
      // Of one that was sealed anew after a restore there is another entry, in the log before.
      .whereRaw('?? = ??', ['log_entries.index', 'recordings.entry_index'])
      .whereNotIn('recordings.id', proofs)
      .orderBy(['log_entries.origin', 'log_entries.index'])
      .limit(limit)
      .select('log_entries.*', 'recordings.file_name');
    const rows = (await answered(query)) as readonly SqlRow[];
    return rows.map((row) => ({ ...toEntry(row), fileName: String(row['file_name']) }));
  }

  #from(table: string) {
    return this.#knex<SqlRow, SqlRow[]>(table);
  }
}

function isAbout(entry: Buffer, part: string): boolean {
  const { body } = parseEntry(entry);
  return body.type === 'config' && body.part === part;
}

function toStamp(row: SqlRow): StampRow {
  const done = row['done_at'];
  return {
    origin: String(row['origin']),
    size: Number(row['size']),
    authority: String(row['authority']),
    dueAt: Number(row['due_at']),
    ...(done === null || done === undefined ? {} : { doneAt: Number(done) }),
  };
}
