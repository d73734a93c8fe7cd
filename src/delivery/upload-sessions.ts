import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** An upload that has been begun. The address lets anybody write this one file: it stands in no message. */
export interface UploadSession {
  readonly url: string;
  /** Hex, of the file that is being sent. */
  readonly sha256: string;
  /** Epoch milliseconds; the service forgets it then. */
  readonly endsAt: number;
}

/**
 * The uploads under way, by path. While one is open SharePoint refuses another under the same name, so one forgotten in a crash would
 * keep its file out for a day: hence a file beside the data. That file lost or not writable costs no more than that.
 */
export class UploadSessions {
  readonly #file: string | undefined;
  #sessions: Map<string, UploadSession> | undefined;

  constructor(file: string | undefined) {
    this.#file = file;
  }

  get(path: string): UploadSession | undefined {
    return this.#all().get(path);
  }

  keep(path: string, session: UploadSession): void {
    this.#all().set(path, session);
    this.#write();
  }

  forget(path: string): void {
    if (this.#all().delete(path)) this.#write();
  }

  #all(): Map<string, UploadSession> {
    this.#sessions ??= new Map(this.#read().filter(([, { endsAt }]) => endsAt > Date.now()));
    return this.#sessions;
  }

  #read(): readonly (readonly [string, UploadSession])[] {
    if (this.#file === undefined) return [];
    try {
      const found: unknown = JSON.parse(readFileSync(this.#file, 'utf8'));
      return Object.entries(found as Readonly<Record<string, UploadSession>>);
    } catch {
      return [];
    }
  }

  #write(): void {
    if (this.#file === undefined) return;
    try {
      const sessions = this.#all();
      if (sessions.size === 0) {
        rmSync(this.#file, { force: true });
        return;
      }
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
      const whole = `${this.#file}.new`;
      writeFileSync(whole, JSON.stringify(Object.fromEntries(sessions)), { mode: 0o600 });
      renameSync(whole, this.#file);
    } catch {
      // The upload goes on without.
    }
  }
}
