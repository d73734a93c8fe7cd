// A program of its own, started by path-child.ts, one for each folder that is an archive: a mount that no longer answers hangs the
// threads of this process instead of those of a server that records. It ends with its parent, whatever it is doing.
import { AsyncLocalStorage } from 'node:async_hooks';
import process from 'node:process';
import { Readable } from 'node:stream';
import { openingOf, type CopyReference, type StoredCopy, type Upload } from '../jobs/destination.ts';
import { codeOf, DeliveryError, type DeliveryErrorCode, isOurs } from './delivery-error.ts';
import type { PathAsk, PathReply, PathRequest, SentUpload } from './path-messages.ts';
import { openPathDestination } from './path.ts';

/** Parts of a source that may be on their way at once; with 64 KiB each this bounds what waits in between. */
const PARTS_AHEAD = 8;
/** Milliseconds between two signs of life about the same request. */
const TELL_EVERY = 500;

const [name = '', root = '', marker = ''] = process.argv.slice(2);

/** Which request is being worked on, for the signs of life. */
const current = new AsyncLocalStorage<number>();
const toldAt = new Map<number, number>();
const aborts = new Map<number, AbortController>();
const sources = new Map<number, PulledSource>();
const opened = new Map<
  number,
  { readonly stream: Readable; readonly parts: AsyncIterator<Buffer, undefined> }
>();

const send = (reply: PathReply): void => {
  // A parent that is gone ends this process, see below; an error nobody listens for would only do it louder.
  process.send?.(reply, undefined, {}, () => undefined);
};

const destination = openPathDestination({
  name,
  root,
  ...(marker !== '' && { marker }),
  onProgress: () => {
    const id = current.getStore();
    const now = performance.now();
    if (id === undefined || now - (toldAt.get(id) ?? -Infinity) < TELL_EVERY) return;
    toldAt.set(id, now);
    send({ kind: 'moving', id });
  },
});

/** Octets that the parent sends as they are asked for. */
class PulledSource {
  readonly #id: number;
  readonly #parts: (Buffer | Error | undefined)[] = [];
  #arrived = (): void => undefined;

  constructor(id: number) {
    this.#id = id;
  }

  take({ octets, error }: Extract<PathRequest, { kind: 'octets' }>): void {
    const part =
      octets === undefined ? undefined : Buffer.from(octets.buffer, octets.byteOffset, octets.length);
    this.#parts.push(error === undefined ? part : new Error(error));
    this.#arrived();
  }

  async *octets(): AsyncGenerator<Buffer> {
    send({ kind: 'pull', id: this.#id, parts: PARTS_AHEAD });
    for (;;) {
      while (this.#parts.length === 0)
        await new Promise<void>((resolve) => {
          this.#arrived = resolve;
        });
      const part = this.#parts.shift();
      if (part === undefined) return;
      if (part instanceof Error) throw part;
      yield part;
      send({ kind: 'pull', id: this.#id, parts: 1 });
    }
  }
}

function uploadOf(id: number, upload: SentUpload): Upload {
  const { octets: sent, ...rest } = upload;
  if (rest.file !== undefined) return { ...rest, open: openingOf(rest.file) };
  if (sent !== undefined) {
    const octets = Buffer.from(sent.buffer, sent.byteOffset, sent.length);
    return { ...rest, octets, open: (from = 0) => Readable.from([octets.subarray(from)]) };
  }
  return {
    ...rest,
    open: () => {
      const source = new PulledSource(id);
      sources.set(id, source);
      return Readable.from(source.octets(), { objectMode: false });
    },
  };
}

function work(id: number, ask: PathAsk, signal: AbortSignal): Promise<unknown> {
  switch (ask.what) {
    case 'put':
    case 'extend':
      return destination[ask.what](uploadOf(id, ask.upload), signal);
    case 'stages':
      return storeStages(id, ask.stages, signal);
    case 'stat':
    case 'remove':
      return destination[ask.what](ask.copy, signal);
    case 'list':
      return destination.list(ask.folder, signal);
    case 'capabilities':
      return destination.capabilities(signal);
    case 'open':
      return openFor(id, ask.copy, signal);
    case 'read':
      return readOn(ask.of);
    case 'shut':
      opened.get(ask.of)?.stream.destroy();
      opened.delete(ask.of);
      return Promise.resolve();
  }
}

const storeStages = (
  id: number,
  stages: readonly (readonly SentUpload[])[],
  signal: AbortSignal,
): Promise<readonly StoredCopy[]> =>
  destination.putStages(
    stages.map((stage) => stage.map((upload) => uploadOf(id, upload))),
    signal,
  );

/** False when there is no such file. */
async function openFor(id: number, copy: CopyReference, signal: AbortSignal): Promise<boolean> {
  const stream = await destination.open(copy, signal);
  if (stream === undefined) return false;
  opened.set(id, { stream, parts: stream[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined> });
  return true;
}

/** The next part of an opened file; undefined at its end. */
async function readOn(of: number): Promise<Buffer | undefined> {
  const file = opened.get(of);
  if (file === undefined) throw new DeliveryError('UNREACHABLE', `${root}: the file is no longer open`);
  const { done, value } = await file.parts.next();
  if (done !== true) return value;
  opened.delete(of);
  return undefined;
}

async function answer(id: number, ask: PathAsk): Promise<void> {
  const abort = new AbortController();
  aborts.set(id, abort);
  try {
    send({ kind: 'done', id, value: await current.run(id, () => work(id, ask, abort.signal)) });
  } catch (error) {
    send({ kind: 'failed', id, ...faultOf(error) });
  } finally {
    for (const each of [aborts, sources, toldAt]) each.delete(id);
  }
}

function faultOf(error: unknown): { readonly code: DeliveryErrorCode; readonly detail: string } {
  if (!isOurs(error)) return { code: 'UNREACHABLE', detail: String(error) };
  const code = (codeOf(error) || codeOf(error.cause)) as DeliveryErrorCode;
  return { code, detail: error.message.replace(`${code}: `, '') };
}

process.on('message', (request: PathRequest) => {
  if (request.kind === 'ask') void answer(request.id, request.ask);
  else if (request.kind === 'abort') aborts.get(request.id)?.abort();
  else sources.get(request.id)?.take(request);
});
// A terminal and a service manager tell the whole group to stop; the parent has recordings to deliver until it has none.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => {
  // Not process.exit, which waits for threads that hang.
  process.kill(process.pid, 'SIGKILL');
});
