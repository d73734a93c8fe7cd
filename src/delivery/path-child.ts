import { Readable } from 'node:stream';
import type {
  Capabilities,
  CopyReference,
  Destination,
  StoredCopy,
  StoredFile,
  Upload,
} from '../jobs/destination.ts';
import { permanent } from './delivery-error.ts';
import type { SentUpload } from './path-messages.ts';
import { PathLine, type PathLineOptions } from './path-line.ts';

/** Octets read ahead of whoever reads. */
const AHEAD = 256 * 1024;

/** Octets that go along with a request, at most. */
const FEW = 1024 * 1024;

/** Whether a request says all of an upload, so that nothing has to follow it. */
const isSentWhole = ({ file, octets }: Upload): boolean =>
  file !== undefined || (octets !== undefined && octets.length <= FEW);

const sentUpload = ({ path, size, sha256, file, octets }: Upload): SentUpload => ({
  path,
  size,
  sha256,
  ...(file !== undefined && { file }),
  ...(file === undefined && octets !== undefined && octets.length <= FEW && { octets }),
});

/** A folder of this machine, worked on by a process of its own. */
class PathChildDestination implements Destination {
  readonly name: string;
  readonly #line: PathLine;

  constructor(options: PathLineOptions) {
    this.name = options.name;
    this.#line = new PathLine(options);
  }

  get pid(): number | undefined {
    return this.#line.pid;
  }

  put(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    return this.#store('put', upload, signal);
  }

  extend(upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    return this.#store('extend', upload, signal);
  }

  async putStages(
    stages: readonly (readonly Upload[])[],
    signal: AbortSignal,
  ): Promise<readonly StoredCopy[]> {
    if (stages.flat().every(isSentWhole))
      return this.#line.ask({ what: 'stages', stages: stages.map((stage) => stage.map(sentUpload)) }, signal);
    const copies: StoredCopy[] = [];
    for (const upload of stages.flat()) copies.push(await this.put(upload, signal));
    return copies;
  }

  #store(what: 'put' | 'extend', upload: Upload, signal: AbortSignal): Promise<StoredCopy> {
    const own = isSentWhole(upload) ? {} : { open: () => upload.open() };
    return this.#line.ask({ what, upload: sentUpload(upload) }, signal, own);
  }

  async open(copy: CopyReference, signal: AbortSignal): Promise<Readable | undefined> {
    const line = this.#line;
    const id = line.number();
    if (!(await line.ask<boolean>({ what: 'open', copy }, signal, { id }))) return undefined;
    return new Readable({
      highWaterMark: AHEAD,
      read() {
        line.ask<Uint8Array | undefined>({ what: 'read', of: id }, signal).then(
          (octets) => this.push(octets ?? null),
          (error: unknown) => this.destroy(error as Error),
        );
      },
      destroy: (error, done) => {
        line.tell({ what: 'shut', of: id });
        done(error);
      },
    });
  }

  stat(copy: CopyReference, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.#line.ask({ what: 'stat', copy }, signal);
  }

  list(folder: string, signal: AbortSignal): Promise<readonly StoredFile[]> {
    return this.#line.ask({ what: 'list', folder }, signal);
  }

  remove(copy: CopyReference, signal: AbortSignal): Promise<boolean> {
    return this.#line.ask({ what: 'remove', copy }, signal);
  }

  setRetention(): Promise<void> {
    return Promise.reject(permanent('UNSUPPORTED', `${this.name}: a folder cannot lock files`));
  }

  setHold(): Promise<void> {
    return this.setRetention();
  }

  capabilities(signal: AbortSignal): Promise<Capabilities> {
    return this.#line.ask({ what: 'capabilities' }, signal);
  }

  close(): Promise<void> {
    return this.#line.close();
  }
}

/**
 * A folder as archive, as `openPathDestination` has it, but nothing of it is touched in this process: a mount that no longer answers makes
 * requests fail with DeliveryError UNREACHABLE after `timeoutSeconds`, and hangs nobody else. `pid` is the process that works on it, if any.
 */
export function openPathChild(options: PathLineOptions): Destination & { readonly pid: number | undefined } {
  return new PathChildDestination(options);
}
