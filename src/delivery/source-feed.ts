import type { Readable } from 'node:stream';

interface Part {
  readonly octets?: Uint8Array;
  readonly error?: string;
}

/** Gives the octets of a source to another process as that asks for them: never more parts than were asked for are on their way. */
export class SourceFeed {
  readonly #open: () => Readable;
  readonly #give: (part: Part) => void;
  #source: Readable | undefined;
  #allowed = 0;
  #resume: () => void = () => undefined;

  constructor(open: () => Readable, give: (part: Part) => void) {
    this.#open = open;
    this.#give = give;
  }

  /** Whether the other side can do nothing until the source gives more. */
  get isAwaited(): boolean {
    return this.#source?.destroyed === false && this.#allowed > 0;
  }

  pull(parts: number): void {
    this.#allowed += parts;
    this.#resume();
    if (this.#source !== undefined) return;
    this.#source = this.#open();
    void this.#run(this.#source);
  }

  /** Lets go of the source. May be called twice. */
  close(): void {
    this.#source?.destroy();
    this.#allowed = Infinity;
    this.#resume();
  }

  async #run(source: Readable): Promise<void> {
    try {
      for await (const octets of source as AsyncIterable<Buffer>) {
        while (this.#allowed < 1)
          await new Promise<void>((resolve) => {
            this.#resume = resolve;
          });
        this.#allowed -= 1;
        this.#give({ octets });
      }
      this.#give({});
    } catch (error) {
      this.#give({ error: String(error) });
    }
  }
}
