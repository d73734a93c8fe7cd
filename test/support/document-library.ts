import { randomUUID } from 'node:crypto';

/** What a retention label lets happen to the items that have it (Graph, retentionLabelSettings). */
export interface LabelSettings {
  readonly isDeleteAllowed: boolean;
  readonly isRecordLocked: boolean;
}

export interface LibraryItem {
  readonly id: string;
  name: string;
  readonly parent: string | undefined;
  /** Undefined for a folder. */
  content: Buffer | undefined;
  changes: number;
  modifiedAt: number;
  label: string;
}

/** An answer of the service that is not a success. */
export class LibraryRefusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string = code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The items of one document library, in memory: names without regard to case, eTags that count changes, a quota, labels. */
export class DocumentLibrary {
  readonly root: LibraryItem = newItem('root', undefined, undefined);
  readonly labels = new Map<string, LabelSettings>();
  /** Label that new files get by themselves; '' for none. */
  defaultLabel = '';
  /** Octets. */
  quota = Infinity;
  /** The service makes checksums late, or not at all: the number of looks without one. */
  looksWithoutChecksum = 0;
  /** Changes what is stored, as SharePoint does with some kinds of document. */
  alter: (content: Buffer) => Buffer = (content) => content;
  readonly #items = new Map<string, LibraryItem>([[this.root.id, this.root]]);

  byId(id: string): LibraryItem {
    const found = id === 'root' ? this.root : this.#items.get(id);
    if (found === undefined)
      throw new LibraryRefusal(404, 'itemNotFound', 'The resource could not be found.');
    return found;
  }

  byPath(path: string): LibraryItem | undefined {
    let found: LibraryItem | undefined = this.root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (found?.content !== undefined) return undefined;
      found = found && this.childOf(found, name);
    }
    return found;
  }

  children(folder: LibraryItem): readonly LibraryItem[] {
    return [...this.#items.values()].filter(({ parent }) => parent === folder.id);
  }

  childOf(folder: LibraryItem, name: string): LibraryItem | undefined {
    return this.children(folder).find((item) => item.name.toLowerCase() === name.toLowerCase());
  }

  makeFolder(parent: LibraryItem, name: string): LibraryItem {
    mustBeName(name);
    if (this.childOf(parent, name) !== undefined) throw taken();
    return this.#add(newItem(name, parent.id, undefined));
  }

  store(
    parent: LibraryItem,
    name: string,
    { content, conflict }: { readonly content: Buffer; readonly conflict: 'fail' | 'replace' },
  ): { readonly item: LibraryItem; readonly isNew: boolean } {
    mustBeName(name);
    const there = this.childOf(parent, name);
    if (there !== undefined && (conflict === 'fail' || there.content === undefined)) throw taken();
    if (this.used() + content.length > this.quota)
      throw new LibraryRefusal(507, 'quotaLimitReached', 'The quota is used up.');
    if (there === undefined) {
      const item = this.#add(newItem(name, parent.id, this.alter(content)));
      item.label = this.defaultLabel;
      return { item, isNew: true };
    }
    if (this.settingsOf(there)?.isRecordLocked === true)
      throw new LibraryRefusal(423, 'resourceLocked', 'The item is a locked record.');
    there.content = this.alter(content);
    touch(there);
    return { item: there, isNew: false };
  }

  remove(item: LibraryItem): void {
    if (this.settingsOf(item)?.isDeleteAllowed === false)
      throw new LibraryRefusal(423, 'resourceLocked', 'The item cannot be deleted.');
    this.#items.delete(item.id);
  }

  settingsOf({ label }: LibraryItem): LabelSettings | undefined {
    return this.labels.get(label);
  }

  setLabel(item: LibraryItem, name: string): void {
    if (!this.labels.has(name)) throw new LibraryRefusal(400, 'invalidRequest', 'There is no such label.');
    item.label = name;
    touch(item);
  }

  used(): number {
    return [...this.#items.values()].reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
  }

  /** As the service describes it (resource driveItem). */
  describe(item: LibraryItem): Readonly<Record<string, unknown>> {
    const { id, name, content, changes, modifiedAt } = item;
    const late = content !== undefined && this.looksWithoutChecksum > 0;
    if (late) this.looksWithoutChecksum -= 1;
    const hashes = late || content?.length === 0 ? {} : { hashes: { quickXorHash: slowQuickXor(content) } };
    return {
      id,
      name,
      size: content?.length ?? 0,
      eTag: eTagOf(item),
      cTag: `"c:{${id}},${changes}"`,
      lastModifiedDateTime: new Date(modifiedAt).toISOString(),
      ...(content === undefined
        ? { folder: { childCount: this.children(item).length } }
        : { file: { mimeType: 'application/octet-stream', ...hashes } }),
    };
  }

  #add(item: LibraryItem): LibraryItem {
    this.#items.set(item.id, item);
    return item;
  }
}

export const eTagOf = ({ id, changes }: LibraryItem): string => `"{${id}},${changes}"`;

const taken = (): LibraryRefusal =>
  new LibraryRefusal(409, 'nameAlreadyExists', 'The specified item name already exists.');

const newItem = (name: string, parent: string | undefined, content: Buffer | undefined): LibraryItem => ({
  id: randomUUID().toUpperCase(),
  name,
  parent,
  content,
  changes: 1,
  modifiedAt: Date.now(),
  label: '',
});

function touch(item: LibraryItem): void {
  item.changes += 1;
  item.modifiedAt = Date.now();
}

function mustBeName(name: string): void {
  if (name === '' || /["*:<>?/\\|]|^[ ]|[ .]$|^~\$|_vti_/.test(name) || name.length > 255)
    throw new LibraryRefusal(400, 'invalidRequest', 'The name is not valid.');
}

const hashes = new WeakMap<Buffer, string>();

/** QuickXorHash octet by octet, as it is described; made apart from the one that is tested with it. */
function slowQuickXor(content: Buffer | undefined): string {
  const octets = content ?? Buffer.alloc(0);
  const known = hashes.get(octets);
  if (known !== undefined) return known;
  const ring = new Uint8Array(20);
  for (let number = 0, bit = 0; number < octets.length; number += 1) {
    const shifted = (octets[number] as number) << (bit & 7);
    const at = bit >> 3;
    ring[at] = (ring[at] as number) ^ (shifted & 255);
    const next = at === 19 ? 0 : at + 1;
    ring[next] = (ring[next] as number) ^ (shifted >> 8);
    bit += bit < 149 ? 11 : -149;
  }
  for (let at = 12, left = octets.length; at < 20; at += 1) {
    ring[at] = (ring[at] as number) ^ (left % 256);
    left = Math.floor(left / 256);
  }
  const hash = Buffer.from(ring).toString('base64');
  hashes.set(octets, hash);
  return hash;
}
