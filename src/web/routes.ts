import type { FastifyInstance } from 'fastify';
import { isHealthy, type HealthReport } from './health.ts';
import { renderRecording } from './recording-page.ts';
import type { ListPosition, RecordingDetails, RecordingQueries } from './recording-queries.ts';
import { renderRecordings } from './recordings-page.ts';
import { STYLE } from './style.ts';
import { WebError } from './web-error.ts';

/** What the pages show. */
export interface PageSources {
  readonly queries: RecordingQueries;
  readonly health: () => Promise<HealthReport>;
  /** Prometheus text format. */
  readonly metrics: () => Promise<string>;
  /** Product and version. */
  readonly software: string;
  /** IANA name, UTC by default. */
  readonly timeZone?: string;
}

const PAGE_SIZE = 50;
const RECORDING_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function registerRoutes(app: FastifyInstance, sources: PageSources): void {
  const frame = (): { now: number; timeZone: string; software: string } => ({
    now: Date.now(),
    timeZone: sources.timeZone ?? 'UTC',
    software: sources.software,
  });

  app.get<{ Querystring: { before?: unknown } }>('/', async (request, reply) => {
    const before = readCursor(request.query.before);
    const [rows, counts, health] = await Promise.all([
      ask(sources.queries.listNewest(PAGE_SIZE + 1, before)),
      ask(sources.queries.countByState()),
      sources.health(),
    ]);
    const shown = rows.slice(0, PAGE_SIZE);
    const older = rows.length > PAGE_SIZE ? writeCursor(shown.at(-1)) : undefined;
    const view = { rows: shown, older, newest: before === undefined, counts, health, ...frame() };
    return reply.type('text/html; charset=utf-8').send(renderRecordings(view));
  });

  app.get<{ Params: { id: string } }>('/recordings/:id', async (request, reply) => {
    const details = await find(sources.queries, request.params.id);
    const view = { details, ...frame() };
    return reply.type('text/html; charset=utf-8').send(renderRecording(view));
  });

  app.get('/style.css', (_request, reply) =>
    reply.type('text/css; charset=utf-8').header('Cache-Control', 'max-age=3600').send(STYLE),
  );

  app.get('/healthz', async (_request, reply) => {
    const report = await sources.health();
    const healthy = isHealthy(report);
    return reply.code(healthy ? 200 : 503).send({ status: healthy ? 'ok' : 'failing', ...report });
  });

  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await sources.metrics()),
  );
}

/** `<startedAt>.<id>` of the last line of a page. */
const writeCursor = (last: ListPosition | undefined): string | undefined =>
  last === undefined ? undefined : `${last.startedAt}.${last.id}`;

function readCursor(before: unknown): ListPosition | undefined {
  if (before === undefined) return undefined;
  const match = typeof before === 'string' ? /^(\d{1,15}(?:\.\d{1,9})?)\.([^.]+)$/.exec(before) : null;
  const id = match?.[2] ?? '';
  if (RECORDING_ID.test(id)) return { startedAt: Number(match?.[1]), id };
  throw new WebError('BAD_REQUEST', 'The address of this page is damaged.');
}

async function find(queries: RecordingQueries, id: string): Promise<RecordingDetails> {
  const details = RECORDING_ID.test(id) ? await ask(queries.findRecording(id)) : undefined;
  if (details === undefined) throw new WebError('NOT_FOUND', 'There is no such recording.');
  return details;
}

/** A question to the database. Throws WebError DATABASE_AWAY. */
async function ask<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    throw new WebError('DATABASE_AWAY', 'The database does not answer. Calls are recorded nevertheless.', {
      cause,
    });
  }
}
