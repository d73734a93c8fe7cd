import { createHash, timingSafeEqual } from 'node:crypto';
import fastify, { type FastifyInstance } from 'fastify';
import type { PeerDesk } from '../jobs/peer-desk.ts';
import type { Log } from '../log.ts';
import { listenError } from './listen-error.ts';
import { STATUS, toWebError, WebError } from './web-error.ts';

export interface PeerServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** PEM. Without it plain HTTP is spoken. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** What the others must show; without it everybody may ask. */
  readonly token?: string | undefined;
  /** Undefined while the database has not answered yet. */
  readonly desk: () => PeerDesk | undefined;
  readonly log: Log;
}

export interface PeerServer {
  readonly url: string;
  /** May be called twice. */
  close(): Promise<void>;
}

/** A checkpoint with all the signatures that are taken is far below. */
const BODY_LIMIT = 32 * 1024;
const NUMBER = /^(?:0|[1-9][0-9]{0,15})$/;
const TEXT = 'text/plain; charset=utf-8';

/**
 * The address at which the other recorders of an installation ask for our checkpoints and bring their cosignatures, and nothing else is
 * answered (docs/evidence-format.md 3.8). Rejects with WebError ADDRESS_IN_USE, ADDRESS_UNAVAILABLE.
 */
export async function startPeerServer(options: PeerServerOptions): Promise<PeerServer> {
  const { host, port } = options;
  const app = buildPeerServer(options);
  try {
    const url = await app.listen({ host, port });
    return { url, close: () => app.close() };
  } catch (cause) {
    await app.close();
    throw listenError(cause, 'evidence.peering.listen', `${host}:${port}`);
  }
}

function buildPeerServer({ tls, token, desk, log }: PeerServerOptions): FastifyInstance {
  const limits = { bodyLimit: BODY_LIMIT, forceCloseConnections: true as const };
  const app = (tls === undefined ? fastify(limits) : fastify({ ...limits, https: tls })) as FastifyInstance;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => {
    parsed(null, body);
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
    if (token !== undefined && !shows(request.headers.authorization, token))
      throw new WebError('UNAUTHORIZED', 'The recorders of this installation show each other a token.');
  });
  app.setNotFoundHandler(() => {
    throw new WebError('NOT_FOUND', 'There is nothing at this address.');
  });
  app.setErrorHandler((cause, request, reply) => {
    const error = toPeerError(cause);
    const status = STATUS[error.code];
    if (status >= 500)
      log('warn', 'a peer could not be answered', {
        url: request.url,
        code: error.code,
        reason: String(cause),
      });
    return reply.code(status).type(TEXT).send(`${error.message}\n`);
  });
  registerPeerRoutes(app, () => {
    const there = desk();
    if (there === undefined) throw new WebError('DATABASE_AWAY', 'The log is not open yet.');
    return there;
  });
  return app;
}

function registerPeerRoutes(app: FastifyInstance, desk: () => PeerDesk): void {
  app.get('/peer/v1/certificates', (_request, reply) => reply.type(TEXT).send(desk().certificates()));

  app.get('/peer/v1/checkpoint', async (_request, reply) => {
    const note = await desk().checkpoint();
    if (note === undefined) throw new WebError('NOT_FOUND', 'No checkpoint has left yet.');
    return reply.type(TEXT).send(note);
  });

  app.get<{ Querystring: Readonly<Record<string, unknown>> }>(
    '/peer/v1/consistency',
    async (request, reply) => {
      const { origin, old, size } = request.query;
      if (typeof origin !== 'string') throw new WebError('BAD_REQUEST', 'origin is missing.');
      const proof = await desk().consistency({ origin, old: numberIn(old), size: numberIn(size) });
      const lines = proof.map((hash) => `${Buffer.from(hash, 'hex').toString('base64')}\n`);
      return reply.type(TEXT).send(lines.join(''));
    },
  );

  app.post('/peer/v1/cosignature', async (request, reply) => {
    if (!Buffer.isBuffer(request.body)) throw new WebError('BAD_REQUEST', 'Send the note itself.');
    await desk().takeCosigned(request.body);
    return reply.code(204).send();
  });
}

function numberIn(text: unknown): number {
  if (typeof text !== 'string' || !NUMBER.test(text))
    throw new WebError('BAD_REQUEST', 'old or size is no number.');
  return Number(text);
}

/** What the desk refuses says more to the other side than "internal". */
function toPeerError(cause: unknown): WebError {
  const { name, code, message } = cause as {
    readonly name?: unknown;
    readonly code?: unknown;
    readonly message?: string;
  };
  if (name === 'JobError' && code === 'UNKNOWN_CHECKPOINT')
    return new WebError('NOT_FOUND', message ?? '', { cause });
  if (name === 'JobError' && code === 'BAD_NOTE')
    return new WebError('NOT_ALLOWED', message ?? '', { cause });
  return toWebError(cause);
}

/** In constant time, over hashes. */
function shows(header: string | undefined, token: string): boolean {
  const [, given = ''] = /^Bearer +(\S{1,512})\s*$/i.exec(header ?? '') ?? [];
  return timingSafeEqual(digest(given), digest(token));
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
