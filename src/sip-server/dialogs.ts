import type { Application } from './application.ts';
import type { Dialog } from './dialog.ts';

/** All dialogs, by drachtio's id: Call-ID and the peer's tag. */
export class Dialogs {
  readonly #byId = new Map<string, Dialog>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Dialog | undefined {
    return this.#byId.get(id);
  }

  add(dialog: Dialog): void {
    this.#byId.set(dialog.id, dialog);
  }

  /** Forgets a dialog and stops its timers; a second time does nothing. */
  remove(dialog: Dialog): void {
    if (this.#byId.get(dialog.id) !== dialog) return;
    this.#byId.delete(dialog.id);
    dialog.close();
  }

  of(application: Application): Dialog[] {
    return [...this.#byId.values()].filter((each) => each.application === application);
  }

  clear(): void {
    for (const dialog of this.#byId.values()) dialog.close();
    this.#byId.clear();
  }
}
