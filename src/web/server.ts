import type { Queue } from 'bullmq';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Log } from '../log.ts';
import { registerApi, API_PREFIX, type ApiOptions } from './api/register.ts';
import { html } from './html.ts';
import { listenError } from './listen-error.ts';
import { renderPage } from './layout.ts';
import { checkHost, checkOrigin, requireLoopback } from './loopback.ts';
import { registerQueueBoard } from './queue-board.ts';
import { registerRoutes, type PageSources } from './routes.ts';
import { STATUS, toWebError, WebError } from './web-error.ts';

export interface WebOptions extends PageSources {
  /** A loopback address; port 0 takes a free one. */
  readonly host: string;
  readonly port: number;
  /** Shown by bull-board; this server neither closes nor changes them by itself. */
  readonly queues: readonly Queue[];
  /** Left out, there is no API. */
  readonly api?: Omit<ApiOptions, 'software'>;
  readonly log: Log;
}

export interface WebServer {
  readonly url: string;
  /** Ends open connections too. May be called twice. */
  close(): Promise<void>;
}

const PAGE_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

const BODY_LIMIT = 64 * 1024;

/** Serves pages, jobs, health and metrics. Rejects with WebError NOT_LOOPBACK, ADDRESS_IN_USE, ADDRESS_UNAVAILABLE. */
export async function startWeb(options: WebOptions): Promise<WebServer> {
  requireLoopback(options.host);
  const app = await buildWeb(options);
  try {
    const url = await app.listen({ host: options.host, port: options.port });
    return { url, close: () => app.close() };
  } catch (cause) {
    await app.close();
    throw listenError(cause, 'web.listen', `${options.host}:${options.port}`);
  }
}

async function buildWeb(options: WebOptions): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS).header('Content-Security-Policy', PAGE_POLICY).header('Cache-Control', 'no-store');
    const { host, origin, 'sec-fetch-site': fetchSite } = request.headers;
    checkHost(host);
    checkOrigin({
      method: request.method,
      host,
      origin,
      fetchSite: typeof fetchSite === 'string' ? fetchSite : undefined,
    });
  });
  app.setErrorHandler((error, request, reply) => sendError(options, error, request, reply));
  app.setNotFoundHandler(() => {
    throw new WebError('NOT_FOUND', 'There is nothing at this address.');
  });
  registerRoutes(app, options);
  registerQueueBoard(app, options.queues);
  if (options.api !== undefined) registerApi(app, { ...options.api, software: options.software });
  await app.ready();
  return app;
}

function sendError(
  options: Pick<WebOptions, 'log' | 'software'>,
  cause: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = toWebError(cause);
  const status = STATUS[error.code];
  if (status >= 500)
    options.log('error', 'a request could not be served', {
      code: error.code,
      url: request.url,
      reason: reasonOf(error.cause) ?? error.message,
    });
  reply.code(status);
  if (error.code === 'UNAUTHORIZED') reply.header('WWW-Authenticate', 'Bearer');
  if (request.url.startsWith(API_PREFIX) || !(request.headers.accept ?? '').includes('text/html'))
    return reply.send({
      error: error.code,
      message: error.message,
      ...(error.faults === undefined ? {} : { faults: error.faults }),
    });
  const page = html`<h1>${error.message}</h1>
    <p class="quiet">${error.code}</p>`;
  return reply
    .type('text/html; charset=utf-8')
    .send(renderPage({ title: error.code, software: options.software }, page));
}

/** Errors of Node and of libraries come from everywhere; their message is what the log needs. */
const reasonOf = (cause: unknown): string | undefined =>
  (cause as { readonly message?: string } | null | undefined)?.message;
