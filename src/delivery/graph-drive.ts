import { Readable } from 'node:stream';
import { permanent } from './delivery-error.ts';
import { GraphRefusal, type GraphClient } from './graph-client.ts';
import { fromNetworkError } from './https-caller.ts';

/** Which document library: one of a site (its default one without a name), a person's OneDrive, or a drive by its id. */
export type DrivePlace =
  | { readonly drive: string }
  /** `bank.sharepoint.com:/sites/recordings`, or an id as Graph has it. */
  | { readonly site: string; readonly library?: string | undefined }
  | { readonly user: string };

/** What Graph tells of a file or folder (resource driveItem). */
export interface DriveItem {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly eTag?: string;
  readonly lastModifiedDateTime?: string;
  readonly file?: { readonly hashes?: { readonly quickXorHash?: string } };
  readonly folder?: object;
}

/** What Graph tells of an item's retention label (resource itemRetentionLabel). */
export interface ItemLabel {
  readonly name?: string;
  readonly retentionSettings?: {
    readonly isDeleteAllowed?: boolean;
    readonly isRecordLocked?: boolean;
  };
}

export interface FoundDrive {
  readonly id: string;
  /** For people. */
  readonly webUrl: string;
  readonly driveType?: string;
  readonly quota?: { readonly state?: string; readonly remaining?: number };
}

const ITEM = '$select=id,name,size,eTag,lastModifiedDateTime,file,folder';
const DRIVE = '$select=id,webUrl,driveType,quota';
const PAGE = 200;
/** Characters of a decoded path in SharePoint. */
const LONGEST_PATH = 400;
/** Names that SharePoint takes for its own or that Windows cannot hold. */
const RESERVED = /^(?:\.lock|con|prn|aux|nul|com\d|lpt\d|desktop\.ini|~\$.*|.*_vti_.*)$/i;

/** The files below one folder of a document library. */
export class GraphDrive {
  readonly #client: GraphClient;
  readonly #place: DrivePlace;
  readonly #root: string;
  #found: Promise<FoundDrive> | undefined;
  readonly #made = new Set<string>();

  constructor(client: GraphClient, place: DrivePlace, root: string) {
    this.#client = client;
    this.#place = place;
    this.#root = root.replace(/^\/+|\/+$/g, '');
  }

  /** The library itself. Rejects for good when there is none of that name. */
  find(signal: AbortSignal): Promise<FoundDrive> {
    this.#found ??= this.#look(signal).catch((error: unknown) => {
      this.#found = undefined;
      throw error;
    });
    return this.#found;
  }

  /** Makes the next call look again. */
  forget(): void {
    this.#found = undefined;
    this.#made.clear();
  }

  /** For people: an address that a browser opens, where the library is known already. */
  async locationOf(path: string, signal: AbortSignal): Promise<string> {
    const { webUrl } = await this.find(signal);
    return [webUrl, this.#root, path].filter((part) => part !== '').join('/');
  }

  /** Undefined when there is certainly no such item. */
  async item(path: string, signal: AbortSignal): Promise<DriveItem | undefined> {
    const at = await this.at(path, signal);
    return this.#unlessAbsent(signal, async () => {
      const found = (await this.#client.ask({ method: 'GET', at: `${at}?${ITEM}` }, signal)) as DriveItem;
      return found;
    });
  }

  itemById(id: string, signal: AbortSignal): Promise<DriveItem> {
    return this.#byId(id, '', signal).then(
      (at) => this.#client.ask({ method: 'GET', at: `${at}?${ITEM}` }, signal) as Promise<DriveItem>,
    );
  }

  /** Everything in a folder; empty when there is none. */
  async children(folder: string, signal: AbortSignal): Promise<readonly DriveItem[]> {
    const at = await this.at(folder, signal, 'children');
    const found = await this.#unlessAbsent(signal, async () => {
      const items: DriveItem[] = [];
      for (let next: string | undefined = `${at}?${ITEM}&$top=${PAGE}`; next !== undefined;) {
        const page = (await this.#client.ask({ method: 'GET', at: next }, signal)) as {
          readonly value: readonly DriveItem[];
          readonly '@odata.nextLink'?: string;
        };
        items.push(...page.value);
        next = page['@odata.nextLink'];
      }
      return items;
    });
    return found ?? [];
  }

  /** The octets of an item. What fails later comes as the stream's error. */
  async open(id: string, signal: AbortSignal): Promise<Readable> {
    const at = await this.#byId(id, '/content', signal);
    let answer = await this.#client.call({ method: 'GET', at }, signal);
    const { location } = answer.headers;
    if (answer.status >= 300 && location !== undefined) {
      // An address that carries its own permission; it does not belong to Graph, so neither does our token belong there.
      answer.body.resume();
      answer = await this.#client.call({ method: 'GET', at: location, bare: true }, signal);
    }
    return Readable.from(octetsOf(answer.body, signal), { objectMode: false });
  }

  /** Makes a folder and those above it; fine when they are there. */
  async makeFolder(folders: readonly string[], signal: AbortSignal): Promise<void> {
    const all = [...this.#root.split('/').filter((part) => part !== ''), ...folders];
    if (this.#made.has(all.join('/'))) return;
    const { id } = await this.find(signal);
    for (const end of all.keys()) {
      const key = all.slice(0, end + 1).join('/');
      if (this.#made.has(key)) continue;
      const parent = addressOf(id, all.slice(0, end).join('/'), 'children');
      await this.#makeOne(parent, all[end] ?? '', signal);
      if (this.#made.size > 1000) this.#made.clear();
      this.#made.add(key);
    }
  }

  /** Folders that went away are made again. */
  forgetFolders(): void {
    this.#made.clear();
  }

  /**
   * Removes an item for good where the service lets us, otherwise into the recycle bin of the library; `kept` when a label or a hold
   * forbids it, `absent` when it is not there any more.
   */
  async remove(id: string, signal: AbortSignal): Promise<'removed' | 'absent' | 'kept'> {
    const forGood = await this.#tryRemove({ method: 'POST', end: '/permanentDelete', id }, signal);
    if (forGood === undefined) return 'removed';
    if (forGood.status === 429 || (forGood.status >= 500 && forGood.status !== 501)) throw forGood;
    // Not offered everywhere, and not to every permission.
    const refused = await this.#tryRemove({ method: 'DELETE', end: '', id }, signal);
    if (refused === undefined) return 'removed';
    if (refused.status === 404) return 'absent';
    if (await this.#isKept(id, refused, signal)) return 'kept';
    throw refused;
  }

  async label(id: string, signal: AbortSignal): Promise<ItemLabel> {
    const at = await this.#byId(id, '/retentionLabel', signal);
    return (await this.#client.ask({ method: 'GET', at }, signal)) ?? {};
  }

  async setLabel(id: string, name: string, signal: AbortSignal): Promise<void> {
    const at = await this.#byId(id, '/retentionLabel', signal);
    await this.#client.ask({ method: 'PATCH', at, body: { name } }, signal);
  }

  /** Address of an item by its path, or of what it has. */
  async at(path: string, signal: AbortSignal, end = ''): Promise<string> {
    const whole = [this.#root, path].filter((part) => part !== '').join('/');
    if (whole.length > LONGEST_PATH)
      throw permanent('BAD_PATH', `${whole}: longer than ${LONGEST_PATH} characters`);
    const reserved = path.split('/').find((part) => RESERVED.test(part));
    if (reserved !== undefined)
      throw permanent('BAD_PATH', `${JSON.stringify(reserved)} is a name that SharePoint does not take`);
    return addressOf((await this.find(signal)).id, whole, end);
  }

  async #byId(id: string, end: string, signal: AbortSignal): Promise<string> {
    const drive = await this.find(signal);
    return `/drives/${encodeURIComponent(drive.id)}/items/${encodeURIComponent(id)}${end}`;
  }

  async #look(signal: AbortSignal): Promise<FoundDrive> {
    const place = this.#place;
    try {
      if ('drive' in place) return await this.#drive(`/drives/${encodeURIComponent(place.drive)}`, signal);
      if ('user' in place) return await this.#drive(`/users/${encodeURIComponent(place.user)}/drive`, signal);
      const site = `/sites/${encodeURI(place.site)}`;
      if (place.library === undefined)
        return await this.#drive(`${site}${siteEnd(place.site)}/drive`, signal);
      return await this.#library(`${site}${siteEnd(place.site)}/drives`, place.library, signal);
    } catch (error) {
      if (error instanceof GraphRefusal && (error.status === 404 || error.status === 400))
        throw permanent('MISCONFIGURED', `there is no ${describe(place)}: ${error.message}`, {
          cause: error,
        });
      throw error;
    }
  }

  async #drive(at: string, signal: AbortSignal): Promise<FoundDrive> {
    return (await this.#client.ask({ method: 'GET', at: `${at}?${DRIVE}` }, signal)) as FoundDrive;
  }

  async #library(at: string, name: string, signal: AbortSignal): Promise<FoundDrive> {
    const page = (await this.#client.ask({ method: 'GET', at: `${at}?${DRIVE},name` }, signal)) as {
      readonly value: readonly (FoundDrive & { readonly name: string })[];
    };
    const found = page.value.find((each) => each.name.toLowerCase() === name.toLowerCase());
    if (found !== undefined) return found;
    const names = page.value.map((each) => each.name).join(', ');
    throw permanent('MISCONFIGURED', `the site has no library ${name}; there are: ${names}`);
  }

  async #makeOne(parent: string, name: string, signal: AbortSignal): Promise<void> {
    const body = { name, folder: {}, '@microsoft.graph.conflictBehavior': 'fail' };
    try {
      await this.#client.ask({ method: 'POST', at: parent, body }, signal);
    } catch (error) {
      if (!(error instanceof GraphRefusal) || error.status !== 409) throw error;
    }
  }

  /** A library that is gone answers like one without the file: only one that is there can say so. */
  async #unlessAbsent<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof GraphRefusal) || error.status !== 404) throw error;
      const { id } = await this.find(signal);
      try {
        await this.#client.ask({ method: 'GET', at: `${addressOf(id, '', '')}?$select=id` }, signal);
      } catch (gone) {
        this.forget();
        throw gone;
      }
      return undefined;
    }
  }

  async #tryRemove(
    { method, end, id }: { readonly method: 'POST' | 'DELETE'; readonly end: string; readonly id: string },
    signal: AbortSignal,
  ): Promise<GraphRefusal | undefined> {
    try {
      await this.#client.ask({ method, at: await this.#byId(id, end, signal) }, signal);
      return undefined;
    } catch (error) {
      if (error instanceof GraphRefusal) return error;
      throw error;
    }
  }

  async #isKept(id: string, { status, message }: GraphRefusal, signal: AbortSignal): Promise<boolean> {
    if (status !== 403 && status !== 423) return false;
    if (/\bon hold\b|\bretention\b/i.test(message)) return true;
    const { name, retentionSettings: is } = await this.label(id, signal).catch((): ItemLabel => ({}));
    return (name ?? '') !== '' && (is?.isDeleteAllowed === false || is?.isRecordLocked === true);
  }
}

/** `/drives/{id}/root:/{path}:/{end}`, every part encoded. */
function addressOf(drive: string, path: string, end: string): string {
  const root = `/drives/${encodeURIComponent(drive)}/root`;
  const tail = end === '' ? '' : `/${end}`;
  if (path === '') return `${root}${tail}`;
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return `${root}:/${encoded}${end === '' ? '' : `:${tail}`}`;
}

/** A site given by host and path needs a colon before what follows. */
const siteEnd = (site: string): string => (site.includes(':/') ? ':' : '');

const describe = (place: DrivePlace): string =>
  'drive' in place
    ? `drive ${place.drive}`
    : 'user' in place
      ? `OneDrive of ${place.user}`
      : `site ${place.site}`;

async function* octetsOf(body: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    for await (const part of body) yield part;
  } catch (error) {
    throw fromNetworkError(error, 'a download', signal);
  }
}
