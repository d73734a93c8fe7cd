import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { toWebError, WebError } from '../web-error.ts';
import type { Authenticate } from './authentication.ts';
import { openApiDocument } from './openapi.ts';
import { RawAnswer, type Actor, type ApiCall, type ApiRoute } from './route.ts';

export const API_PREFIX = '/api/v1';

/** A change that was asked for, done or not. */
export interface ApiStep {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly actor: string;
  readonly step: string;
  readonly outcome: 'ok' | 'warning' | 'error';
  readonly detail: string;
}

export interface ApiOptions {
  readonly routes: readonly ApiRoute[];
  readonly authenticate: Authenticate;
  /** Writes a change down before it is answered. Must not reject: what is done is done. */
  readonly logStep: (step: ApiStep) => Promise<unknown>;
  /** Product and version. */
  readonly software: string;
}

/**
 * Serves the routes under /api/v1 and their OpenAPI document at /api/v1/openapi.json, the only address that needs no token. Errors
 * have one shape: `{ error: CODE, message, faults? }`.
 */
export function registerApi(app: FastifyInstance, options: ApiOptions): void {
  const document = openApiDocument(options.routes, options.software);
  void app.register(
    (scope, _options, done) => {
      // Octets of uploads are the handler's business; JSON stays with fastify.
      scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => {
        parsed(null, body);
      });
      scope.get('/openapi.json', (_request, reply) => reply.send(document));
      for (const route of options.routes) serve(scope, route, options);
      scope.all('/*', (request) => {
        options.authenticate(headersOf(request));
        throw new WebError('NOT_FOUND', 'There is nothing at this address of the API.');
      });
      done();
    },
    { prefix: API_PREFIX },
  );
}

function serve(scope: FastifyInstance, route: ApiRoute, options: ApiOptions): void {
  const actors = new WeakMap<FastifyRequest, Actor>();
  scope.route({
    method: route.method,
    url: route.path.replace(/\{([^}]+)\}/g, ':$1'),
    ...(route.raw === undefined ? {} : { bodyLimit: route.raw.limit }),
    // Before the body is read: strangers upload nothing.
    onRequest: (request, _reply, next) => {
      actors.set(request, options.authenticate(headersOf(request)));
      next();
    },
    handler: async (request, reply) => {
      const actor = actors.get(request) ?? options.authenticate(headersOf(request));
      const notes: string[] = [];
      try {
        const answer = await route.handle(
          checked(route, request, actor, notes) as ApiCall<never, never, never>,
        );
        await logged(options, { route, request, actor, notes });
        return await send(reply, route, answer);
      } catch (error) {
        await logged(options, { route, request, actor, notes, error: toWebError(error) });
        throw error;
      }
    },
  });
}

function checked(
  route: ApiRoute,
  request: FastifyRequest,
  actor: Actor,
  notes: string[],
): ApiCall<unknown, unknown, unknown> {
  return {
    params: check(route.params, request.params, 'address'),
    query: check(route.query, request.query, 'query'),
    body: route.raw === undefined ? check(route.body, request.body, 'body') : rawBody(route.raw, request),
    actor,
    header: headersOf(request),
    note: (detail) => {
      notes.push(detail);
    },
  };
}

function check(schema: z.ZodType | undefined, value: unknown, where: string): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => ({
    path: [where, ...path].map(String).join('.'),
    message,
  }));
  const [first] = faults;
  throw new WebError('INVALID', `${first?.path ?? where}: ${first?.message ?? 'not valid'}`, { faults });
}

function rawBody({ types }: NonNullable<ApiRoute['raw']>, request: FastifyRequest): Buffer {
  const { body } = request;
  if (Buffer.isBuffer(body) && body.length > 0) return body;
  throw new WebError('INVALID', `body: send the file itself, as one of ${types.join(', ')}`);
}

async function logged(
  options: ApiOptions,
  call: {
    readonly route: ApiRoute;
    readonly request: FastifyRequest;
    readonly actor: Actor;
    readonly notes: readonly string[];
    readonly error?: WebError;
  },
): Promise<void> {
  const { route, request, actor, notes, error } = call;
  if (route.changes === undefined) return;
  const outcome = error === undefined ? 'ok' : error.code === 'INTERNAL' ? 'error' : 'warning';
  const why = error === undefined ? [] : [`${error.code} ${error.message}`];
  await options.logStep({
    at: Date.now(),
    actor: actor.name,
    step: error === undefined ? route.changes : `not done: ${route.changes}`,
    outcome,
    detail: [`${request.method} ${request.url.split('?')[0] ?? ''}`, ...notes, ...why]
      .join('; ')
      .slice(0, 1000),
  });
}

function send(reply: FastifyReply, route: ApiRoute, answer: unknown): FastifyReply {
  if (answer instanceof RawAnswer) return reply.code(answer.status).headers(answer.headers).send(answer.body);
  if (route.answer === undefined) return reply.code(204).send();
  // What the document promises, and nothing beside it.
  return reply.send(route.answer.parse(answer));
}

const headersOf =
  (request: FastifyRequest) =>
  (name: string): string | undefined => {
    const value = request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
