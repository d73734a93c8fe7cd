import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { IssuedCertificate } from './certificates.ts';
import { DocumentLibrary, eTagOf, LibraryRefusal, type LibraryItem } from './document-library.ts';
import { LoginService, type ServiceAnswer } from './login-service.ts';
import { UploadDesk } from './upload-desk.ts';

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly at: number;
}

/** What is answered instead: an answer, the connection cut before anything was done, or after it. */
export type Interference = ServiceAnswer | 'cut' | 'cut-after';

export const refusalAs = (
  status: number,
  code: string,
  {
    message = code,
    headers = {},
  }: { readonly message?: string; readonly headers?: Record<string, string> } = {},
): ServiceAnswer => ({
  status,
  headers,
  json: {
    error: { code, message, innerError: { date: new Date().toISOString(), 'request-id': randomUUID() } },
  },
});

/**
 * Microsoft Graph with its login, over TLS, as far as a document library goes: what the documentation says, and of what it does not
 * say what the maintainers have written in public.
 */
export class GraphServer {
  readonly login: LoginService;
  readonly library = new DocumentLibrary();
  readonly uploads = new UploadDesk(this.library);
  readonly seen: SeenRequest[] = [];
  /** Asked before each request; the first that has something to say is heard. */
  readonly interferences: ((request: SeenRequest) => Interference | undefined)[] = [];
  readonly drive = `b!${randomUUID()}`;
  readonly site = 'bank.sharepoint.example:/sites/recordings';
  pageSize = 200;
  readonly #server: Server;
  readonly #downloads = new Map<string, Buffer>();

  private constructor({ cert, privateKey }: IssuedCertificate) {
    this.login = new LoginService(() => this.base);
    this.#server = createServer({ cert, key: privateKey }, (request, response) => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    });
  }

  static async start(certificate: IssuedCertificate): Promise<GraphServer> {
    const server = new GraphServer(certificate);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  /** Applications whose rights do not reach so far. */
  readonly mayNotDelete = new Set<string>();
  /** Where clients reach the server, when that is not itself. */
  reachedAt: number | undefined;
  #pausedAt: number | undefined;

  get port(): number {
    return this.#pausedAt ?? (this.#server.address() as AddressInfo).port;
  }

  get base(): string {
    return `https://127.0.0.1:${this.reachedAt ?? this.port}`;
  }

  /** Answers the next `times` requests that fit in another way. */
  interfere(fits: (request: SeenRequest) => boolean, what: Interference, times = 1): void {
    let left = times;
    this.interferences.push((request) => {
      if (left === 0 || !fits(request)) return undefined;
      left -= 1;
      return what;
    });
  }

  /** An outage: nothing listens until `resume`. */
  async pause(): Promise<void> {
    this.#pausedAt = this.port;
    await this.stop();
  }

  async resume(): Promise<void> {
    this.#server.listen(this.#pausedAt, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#pausedAt = undefined;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '', this.base);
    const request: SeenRequest = {
      method: incoming.method ?? '',
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      headers: incoming.headers,
      body: Buffer.concat((await incoming.toArray()) as Buffer[]),
      at: Date.now(),
    };
    this.seen.push(request);
    let instead: Interference | undefined;
    for (const each of this.interferences) instead ??= each(request);
    if (instead === 'cut') {
      incoming.socket.destroy();
      return;
    }
    const answer = instead === undefined || instead === 'cut-after' ? this.#answer(request) : instead;
    if (instead === 'cut-after') incoming.socket.destroy();
    else send(response, answer);
  }

  #answer(request: SeenRequest): ServiceAnswer & { readonly octets?: Buffer } {
    const { path, body, headers } = request;
    const login = this.login.answer(path, new URLSearchParams(body.toString('utf8')));
    if (login !== undefined) return login;
    try {
      const [, place = '', token = ''] = path.split('/');
      if (place === 'v1.0') return this.#refusal(request) ?? this.#graph(request, path.slice('/v1.0'.length));
      // Addresses that carry their permission refuse another.
      if (headers.authorization !== undefined) return refusalAs(401, 'unauthenticated');
      if (place === 'up')
        return this.uploads.answer(token, { ...request, range: headers['content-range'] ?? '' });
      const octets = this.#downloads.get(token);
      return octets === undefined ? refusalAs(404, 'itemNotFound') : { status: 200, octets };
    } catch (error) {
      if (error instanceof LibraryRefusal)
        return refusalAs(error.status, error.code, { message: error.message });
      throw error;
    }
  }

  /** What an application gets to hear that is not known, or may not do this. */
  #refusal({ method, path, headers }: SeenRequest): ServiceAnswer | undefined {
    const application = this.login.applicationOf(headers.authorization);
    if (application === undefined)
      return refusalAs(401, 'InvalidAuthenticationToken', { message: 'The access token has expired.' });
    const deletes = method === 'DELETE' || path.endsWith('/permanentDelete');
    return deletes && this.mayNotDelete.has(application) ? refusalAs(403, 'accessDenied') : undefined;
  }

  #graph(request: SeenRequest, path: string): ServiceAnswer {
    const drive = {
      id: this.drive,
      name: 'Recordings',
      driveType: 'documentLibrary',
      webUrl: 'https://bank.sharepoint.example/sites/recordings/Recordings',
      quota: this.library.quota === Infinity ? { state: 'normal' } : { state: 'nearing', remaining: 1000 },
    };
    if (path === `/drives/${this.drive}` || path === `/sites/${this.site}:/drive`)
      return { status: 200, json: drive };
    if (path === '/users/rec@bank.example/drive')
      return { status: 200, json: { ...drive, driveType: 'business' } };
    if (path === `/sites/${this.site}:/drives`) return { status: 200, json: { value: [drive] } };
    const below = `/drives/${this.drive}/`;
    if (!path.startsWith(below))
      throw new LibraryRefusal(404, 'itemNotFound', 'The resource could not be found.');
    return this.#item(request, path.slice(below.length));
  }

  /** `root`, `root/children`, `root:/a/b`, `root:/a/b:/content`, `items/{id}`, `items/{id}/retentionLabel`. */
  #item(request: SeenRequest, address: string): ServiceAnswer {
    const byId = /^items\/([^/:]+)(?:\/(\w+))?$/.exec(address);
    if (byId !== null) return this.#known(request, this.library.byId(byId[1] as string), byId[2] ?? '');
    const byPath = /^root(?::\/([^:]*)|)(?::?\/(\w+))?$/.exec(address);
    if (byPath === null) throw new LibraryRefusal(400, 'invalidRequest', `Not an address: ${address}`);
    const [, path = '', what = ''] = byPath;
    if (what === 'content' && request.method === 'PUT') return this.#store(request, path);
    if (what === 'createUploadSession') {
      const { parent, name } = this.#place(path);
      const body: unknown = JSON.parse(request.body.toString('utf8'));
      const begun = this.uploads.begin(parent, name, body, request.headers['if-match']);
      const expirationDateTime = new Date(begun.endsAt).toISOString();
      return { status: 200, json: { uploadUrl: `${this.base}/up/${begun.token}`, expirationDateTime } };
    }
    const item = this.library.byPath(path);
    if (item === undefined) throw new LibraryRefusal(404, 'itemNotFound', 'The resource could not be found.');
    return this.#known(request, item, what);
  }

  #place(path: string): { readonly parent: LibraryItem; readonly name: string } {
    const parts = path.split('/');
    const parent = this.library.byPath(parts.slice(0, -1).join('/'));
    if (parent === undefined) throw new LibraryRefusal(404, 'itemNotFound', 'The folder could not be found.');
    return { parent, name: parts.at(-1) ?? '' };
  }

  #store({ body, query, headers }: SeenRequest, path: string): ServiceAnswer {
    const { parent, name } = this.#place(path);
    const conflict = query.get('@microsoft.graph.conflictBehavior') === 'fail' ? 'fail' : 'replace';
    const there = this.library.childOf(parent, name);
    const ifMatch = headers['if-match'];
    if (ifMatch !== undefined && there !== undefined && eTagOf(there) !== ifMatch)
      throw new LibraryRefusal(412, 'resourceModified', 'The eTag does not match.');
    const { item, isNew } = this.library.store(parent, name, { content: body, conflict });
    return { status: isNew ? 201 : 200, json: this.library.describe(item) };
  }

  #known(request: SeenRequest, item: LibraryItem, what: string): ServiceAnswer {
    switch (`${request.method} ${what}`) {
      case 'GET ':
        return { status: 200, json: selected(this.library.describe(item), request.query) };
      case 'GET children':
        return this.#page(request, item);
      case 'POST children': {
        const { name } = JSON.parse(request.body.toString('utf8')) as { readonly name: string };
        return { status: 201, json: this.library.describe(this.library.makeFolder(item, name)) };
      }
      case 'GET content': {
        const token = randomUUID();
        this.#downloads.set(token, item.content ?? Buffer.alloc(0));
        return { status: 302, headers: { Location: `${this.base}/down/${token}` } };
      }
      case 'POST permanentDelete':
      case 'DELETE ':
        this.library.remove(item);
        return { status: 204 };
      case 'PATCH retentionLabel':
        this.library.setLabel(item, (JSON.parse(request.body.toString('utf8')) as { name: string }).name);
        return { status: 200, json: this.#labelOf(item) };
      case 'GET retentionLabel':
        return { status: 200, json: this.#labelOf(item) };
      default:
        throw new LibraryRefusal(400, 'invalidRequest', `${request.method} ${request.path}`);
    }
  }

  #labelOf(item: LibraryItem): unknown {
    return item.label === ''
      ? {}
      : {
          name: item.label,
          isLabelAppliedExplicitly: true,
          retentionSettings: this.library.settingsOf(item),
        };
  }

  #page({ query, path }: SeenRequest, folder: LibraryItem): ServiceAnswer {
    const from = Number(query.get('$skiptoken') ?? 0);
    const size = Math.min(this.pageSize, Number(query.get('$top') ?? this.pageSize));
    const items = this.library.children(folder);
    const value = items.slice(from, from + size).map((item) => selected(this.library.describe(item), query));
    const next = new URLSearchParams({ ...Object.fromEntries(query), $skiptoken: String(from + size) });
    const more =
      from + size < items.length
        ? { '@odata.nextLink': `${this.base}${encodeURI(path)}?${next.toString()}` }
        : {};
    return { status: 200, json: { value, ...more } };
  }
}

const selected = (
  item: Readonly<Record<string, unknown>>,
  query: URLSearchParams,
): Readonly<Record<string, unknown>> => {
  const wanted = query.get('$select')?.split(',');
  return Object.fromEntries(Object.entries(item).filter(([key]) => wanted?.includes(key) ?? true));
};

function send(response: ServerResponse, answer: ServiceAnswer & { readonly octets?: Buffer }): void {
  const { status, headers = {}, json, octets } = answer;
  const body = octets ?? (json === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(json)));
  response.writeHead(status, {
    ...(json !== undefined && { 'Content-Type': 'application/json' }),
    'Content-Length': body.length,
    ...headers,
  });
  if (body.length < PIECE) response.end(status === 204 ? undefined : body);
  else Readable.from(pieces(body), { objectMode: false }).pipe(response);
}

/** A TLS connection does not take more than 2 GiB at once. */
const PIECE = 16 * 1024 * 1024;

function* pieces(body: Buffer): Iterable<Buffer> {
  for (let at = 0; at < body.length; at += PIECE) yield body.subarray(at, at + PIECE);
}
