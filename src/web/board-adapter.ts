import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import type { createBullBoard } from '@bull-board/api';
import type { FastifyInstance } from 'fastify';
import { STATUS, toWebError, WebError } from './web-error.ts';

type BoardAdapter = Parameters<typeof createBullBoard>[0]['serverAdapter'];
type EntryRoute = Parameters<BoardAdapter['setEntryRoute']>[0];
type ApiRoute = Parameters<BoardAdapter['setApiRoutes']>[0][number];
type BoardQueues = Parameters<BoardAdapter['setQueues']>[0];
type UiConfig = Parameters<BoardAdapter['setUIConfig']>[0];
type HttpMethod = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
};

/**
 * Puts bull-board into our fastify. The package made for that loads CommonJS parts that need `require` of ES modules, which Node
 * 20.17 does not have, and answers errors with their text; this one needs neither it nor a template engine.
 */
export class FastifyBoardAdapter implements BoardAdapter {
  readonly #basePath: string;
  #queues: BoardQueues = new Map();
  #views = '';
  #statics = { route: '', folder: '' };
  #entry: EntryRoute | undefined;
  #api: readonly ApiRoute[] = [];
  #config: UiConfig = {};

  constructor(basePath: string) {
    this.#basePath = basePath;
  }

  setQueues(queues: BoardQueues): this {
    this.#queues = queues;
    return this;
  }

  setViewsPath(folder: string): this {
    this.#views = folder;
    return this;
  }

  setStaticPath(route: string, folder: string): this {
    this.#statics = { route, folder };
    return this;
  }

  setEntryRoute(route: EntryRoute): this {
    this.#entry = route;
    return this;
  }

  /** Ours stays: bull-board's would tell the browser what was thrown. */
  setErrorHandler(): this {
    return this;
  }

  setApiRoutes(routes: ApiRoute[]): this {
    this.#api = routes;
    return this;
  }

  setUIConfig(config: UiConfig): this {
    this.#config = config;
    return this;
  }

  /** Adds all routes to a scope that is mounted at the base path. */
  async register(scope: FastifyInstance): Promise<void> {
    // Errors here are for the board's script: JSON, whatever the browser says it accepts.
    scope.setErrorHandler((cause, _request, reply) => {
      const error = toWebError(cause);
      return reply.code(STATUS[error.code]).send({ error: error.code, message: error.message });
    });
    await this.#registerEntry(scope);
    await this.#registerStatics(scope);
    for (const route of this.#api) this.#registerApi(scope, route);
  }

  async #registerEntry(scope: FastifyInstance): Promise<void> {
    if (this.#entry === undefined) return;
    const { name, params } = this.#entry.handler({ basePath: this.#basePath, uiConfig: this.#config });
    const page = fillTemplate(await readFile(join(this.#views, name), 'utf8'), params);
    for (const path of [this.#entry.route].flat())
      scope.get(path, (_request, reply) => reply.type('text/html; charset=utf-8').send(page));
  }

  /** Serves the files that were there at the start, so that no path of a request reaches the disk. */
  async #registerStatics(scope: FastifyInstance): Promise<void> {
    const { route, folder } = this.#statics;
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = new Map(
      entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .map((path) => [relative(folder, path), path] as const),
    );
    scope.get<{ Params: { '*': string } }>(`${route}/*`, (request, reply) => {
      const path = files.get(request.params['*']);
      if (path === undefined) throw new WebError('NOT_FOUND', 'There is nothing at this address.');
      return reply
        .type(TYPES[extname(path)] ?? 'application/octet-stream')
        .header('Cache-Control', 'max-age=3600')
        .send(createReadStream(path));
    });
  }

  #registerApi(scope: FastifyInstance, api: ApiRoute): void {
    for (const url of [api.route].flat())
      scope.route({
        method: [api.method].flat().map((verb) => verb.toUpperCase() as HttpMethod),
        url,
        handler: async (request, reply) => {
          const answer = await api.handler({
            queues: this.#queues,
            uiConfig: this.#config,
            params: request.params as Record<string, string>,
            query: request.query as Record<string, string>,
            body: request.body as Record<string, unknown>,
            headers: request.headers as Record<string, string>,
          });
          return reply.code(answer.status ?? 200).send(answer.body);
        },
      });
  }
}

/** bull-board's page uses two forms of its template language: `<%= escaped %>` and `<%- raw %>`. */
function fillTemplate(template: string, params: Readonly<Record<string, unknown>>): string {
  return template.replace(/<%([=-])\s*(\w+)\s*%>/g, (_all, kind: string, name: string) => {
    const value = params[name];
    const text = typeof value === 'string' ? value : '';
    return kind === '-' ? text : text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
  });
}
