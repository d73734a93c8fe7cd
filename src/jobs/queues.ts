import { setMaxListeners } from 'node:events';
import { Queue, Worker, type Job, type JobsOptions } from 'bullmq';
import { Redis } from 'ioredis';

/** Where Redis is; a socket path for our own child. */
export type RedisTarget = { readonly path: string } | { readonly url: string };

export interface QueueHandlers {
  readonly seal: (job: { readonly recording: string }) => Promise<void>;
  /** A job is some turns at its destination: the oldest recordings there have them, whichever it was asked for, and are what the job answers. */
  readonly upload: (job: { readonly destination: string }, signal: AbortSignal) => Promise<readonly string[]>;
  readonly render: (job: { readonly recording: string }, signal: AbortSignal) => Promise<void>;
}

type QueueName = 'seal' | 'upload' | 'render';

export interface JobQueues {
  readonly queues: readonly Queue[];
  /** Asks for a job; asking again while it waits or runs does nothing. Rejects while Redis is away. */
  request(queue: QueueName, id: string, data: object): Promise<void>;
  /** Hires the workers. Call it once, when the handlers can work. */
  work(handlers: QueueHandlers): void;
  connected(): boolean;
  onConnected(listener: () => void): void;
  close(): Promise<void>;
}

export interface QueueOptions {
  readonly redis: RedisTarget;
  /** Separates installations that share a Redis, and nodes that have their own spool (architecture.md decision 5). */
  readonly prefix: string;
  /** Each destination has a queue and workers of its own, so that a slow one delays no other. */
  readonly destinations: readonly { readonly name: string; readonly parallel: number }[];
  readonly renderConcurrency: number;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

/** Quick tries over some minutes. */
const JOB_OPTIONS: JobsOptions = {
  attempts: 8,
  backoff: { type: 'exponential', delay: 1000 },
  removeOnComplete: { count: 200 },
  removeOnFail: { count: 1000 },
};

/** The log is near and a seal is urgent: a few tries, then the reconciler asks anew as soon as the log can be read. */
const SEAL_OPTIONS: JobsOptions = { ...JOB_OPTIONS, attempts: 5, backoff: { type: 'fixed', delay: 2000 } };

/** Whether and when a destination is tried again is decided by its lane. */
const UPLOAD_OPTIONS: JobsOptions = { ...JOB_OPTIONS, attempts: 1 };

/** Seals that wait for the chain at the same time share a turn and a transaction. */
const SEALS_ABREAST = 24;

/** Milliseconds after which a Redis that accepts commands but does not answer counts as away. */
const ANSWER_WITHIN = 2000;

/** Opens the queues; nobody works on them yet. Redis may be away: then nothing is requested and nothing runs until it is back. */
export function openQueues(options: QueueOptions): JobQueues {
  const { prefix, log } = options;
  const commands = connect(options.redis, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: ANSWER_WITHIN,
  });
  const listeners: (() => void)[] = [];
  commands.on('ready', () => {
    for (const listener of listeners) listener();
  });
  // Every BullMQ object must have a listener: an unheard 'error' ends the process.
  const quiet = (error: Error): void => {
    log('warn', 'redis', { error: error.message });
  };
  commands.on('error', quiet);
  const abort = new AbortController();
  // Every transfer of every destination listens to it.
  setMaxListeners(0, abort.signal);
  const seal = new Queue('seal', { connection: commands, prefix, defaultJobOptions: SEAL_OPTIONS });
  const uploads = new Map(
    options.destinations.map(({ name }) => [
      name,
      new Queue(uploadQueue(name), { connection: commands, prefix, defaultJobOptions: UPLOAD_OPTIONS }),
    ]),
  );
  const render = new Queue('render', { connection: commands, prefix, defaultJobOptions: JOB_OPTIONS });
  const queues = [seal, render, ...uploads.values()];
  for (const each of queues) each.on('error', quiet);
  let staff: Staff = { workers: [], blocking: [] };
  return {
    queues,
    request: async (queue, id, data) => {
      const { destination = '' } = data as { readonly destination?: string };
      const chosen = queue === 'upload' ? uploads.get(destination) : { seal, render }[queue];
      // A destination that was taken out of the configuration is for a person to put back, or to give up.
      if (chosen !== undefined) await requestJob(chosen, id, data);
    },
    connected: () => commands.status === 'ready',
    onConnected: (listener) => {
      listeners.push(listener);
    },
    work: (handlers) => {
      staff = hire(options, handlers, abort.signal);
    },
    close: async () => {
      const { workers, blocking } = staff;
      abort.abort();
      const away = commands.status !== 'ready';
      await Promise.allSettled(workers.map((each) => each.close(away)));
      await Promise.allSettled(queues.map((each) => each.close()));
      for (const each of [commands, ...blocking]) each.disconnect();
    },
  };
}

const uploadQueue = (destination: string): string => `upload-${destination}`;

interface Staff {
  readonly workers: readonly Worker[];
  readonly blocking: readonly Redis[];
}

function hire(
  { redis, prefix, destinations, renderConcurrency, log }: QueueOptions,
  handlers: QueueHandlers,
  signal: AbortSignal,
): Staff {
  const quiet = (error: Error): void => {
    log('warn', 'redis', { error: error.message });
  };
  const blocking: Redis[] = [];
  const worker = (name: string, run: (job: Job) => Promise<unknown>, concurrency: number): Worker => {
    const connection = connect(redis, { maxRetriesPerRequest: null });
    connection.on('error', quiet);
    blocking.push(connection);
    const hired = new Worker(name, run, { connection, prefix, concurrency });
    hired.on('error', quiet);
    hired.on('failed', (job, error) => {
      log('warn', `${name} failed`, { job: job?.id, attempt: job?.attemptsMade, error: error.message });
    });
    return hired;
  };
  const workers = [
    worker('seal', (job) => handlers.seal(job.data as { recording: string }), SEALS_ABREAST),
    ...destinations.map(({ name, parallel }) =>
      worker(
        uploadQueue(name),
        (job) => handlers.upload(job.data as { destination: string }, signal),
        parallel,
      ),
    ),
    worker('render', (job) => handlers.render(job.data as { recording: string }, signal), renderConcurrency),
  ];
  return { workers, blocking };
}

/** A job that gave up or vanished half-way is asked for anew; one that waits or runs is left alone. */
async function requestJob(queue: Queue, id: string, data: object): Promise<void> {
  const known = (await queue.getJob(id)) as Job | undefined;
  if (known !== undefined) {
    const state = await known.getState();
    if (state !== 'completed' && state !== 'failed' && state !== 'unknown') return;
    await known.remove();
  }
  await queue.add(queue.name, data, { jobId: id });
}

const connect = (
  target: RedisTarget,
  options: {
    readonly enableOfflineQueue?: boolean;
    readonly maxRetriesPerRequest: number | null;
    readonly commandTimeout?: number;
  },
): Redis => {
  const common = {
    ...options,
    retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times, 6), 2000),
  };
  return 'path' in target ? new Redis({ path: target.path, ...common }) : new Redis(target.url, common);
};
