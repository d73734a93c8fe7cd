import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import type { Queue } from 'bullmq';
import type { FastifyInstance } from 'fastify';
import { FastifyBoardAdapter } from './board-adapter.ts';
import { WebError } from './web-error.ts';

const BOARD_PATH = '/queues';

/**
 * bull-board's page would fetch fonts from another host; this policy keeps everything here (nothing phones home). The inline style
 * of its loading screen is allowed, inline scripts are not.
 */
const POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "object-src 'none'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const REDIS_PATIENCE = 2000;

/** Mounts bull-board at /queues. */
export function registerQueueBoard(app: FastifyInstance, queues: readonly Queue[]): void {
  const adapter = new FastifyBoardAdapter(BOARD_PATH);
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue)),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Sealtape jobs' } },
  });
  void app.register(
    async (scope) => {
      scope.addHook('onRequest', async (_request, reply) => {
        reply.header('Content-Security-Policy', POLICY);
      });
      scope.addHook('preHandler', async (request) => {
        if (request.url.startsWith(`${BOARD_PATH}/api/`)) await requireRedis(queues);
      });
      await adapter.register(scope);
    },
    { prefix: BOARD_PATH },
  );
}

/** A queue waits for a Redis that is away without end; a page must not. Throws WebError QUEUES_AWAY. */
async function requireRedis(queues: readonly Queue[]): Promise<void> {
  const [queue] = queues;
  if (queue === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error('no answer'));
    }, REDIS_PATIENCE);
  });
  try {
    await Promise.race([queue.getJobCountByTypes('active'), patience]);
  } catch (cause) {
    throw new WebError('QUEUES_AWAY', 'Redis does not answer. Jobs go on when it is back.', { cause });
  } finally {
    clearTimeout(timer);
  }
}
