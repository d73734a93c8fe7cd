import { dirname } from 'node:path';
import type { AudioDisk } from './audio-disk.ts';
import { MediaError } from './media-error.ts';

/** How long a disk may take to say whether a call can be recorded, in ms: less than a client waits for an answer. */
const PATIENCE = 3000;

/** For how long an answer of the disk holds for other calls as well, in ms. */
const FRESH = 100;

/** Asks the disk whether calls can be recorded; many that come together are one question. */
export class FolderCheck {
  readonly #disk: AudioDisk;
  readonly #now: () => number;
  #last: { readonly parent: string; readonly at: number; readonly answer: Promise<void> } | undefined;

  /** `now`: milliseconds of a clock that only goes forward. */
  constructor(disk: AudioDisk, now: () => number) {
    this.#disk = disk;
    this.#now = now;
  }

  /** Rejects with MediaError DISK when `folder` cannot be made or the disk does not say so in time. */
  check(folder: string): Promise<void> {
    const parent = dirname(folder);
    const now = this.#now();
    const last = this.#last;
    if (last?.parent === parent && now - last.at < FRESH) return last.answer;
    const answer = this.#ask(folder);
    this.#last = { parent, at: now, answer };
    // What is refused may be taken the next moment, so only those who asked meanwhile hear of it.
    answer.catch(() => {
      if (this.#last?.answer === answer) this.#last = undefined;
    });
    return answer;
  }

  async #ask(folder: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer for ${PATIENCE} ms`));
      }, PATIENCE);
    });
    try {
      await Promise.race([this.#disk.check(folder), tooLong]);
    } catch (cause) {
      throw new MediaError('DISK', `cannot write to ${folder}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}
