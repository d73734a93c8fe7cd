import type { Application, Delivery } from './application.ts';
import type { Dialog } from './dialog.ts';

/** Ends of calls kept for an application that is away; the oldest go. */
const MOST_FAREWELLS = 10_000;

/** All dialogs, by drachtio's id: Call-ID and the peer's tag. */
export class Dialogs {
  readonly #byId = new Map<string, Dialog>();
  #farewells: Delivery[] = [];
  /** Our tags in dialogs of a process before that are not taken up again, by the same id. */
  readonly #former = new Map<string, string>();

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

  /** An application takes over a dialog whose own one has gone; it may well be the same one come back. */
  adopt(dialog: Dialog, by: Application | undefined): void {
    if (!dialog.application.open && by !== undefined) dialog.application = by;
  }

  /** A dialog ended while no application was there; the next one is told by it. */
  addFarewell(delivery: Delivery): void {
    this.#farewells.push(delivery);
    if (this.#farewells.length > MOST_FAREWELLS) this.#farewells.shift();
  }

  takeFarewells(): readonly Delivery[] {
    return this.#farewells.splice(0);
  }

  remember(id: string, localTag: string): void {
    this.#former.set(id, localTag);
  }

  /** Our tag in a dialog that is over for us and perhaps not for the peer. */
  formerTag(id: string): string | undefined {
    return this.#former.get(id);
  }

  clear(): void {
    this.#farewells = [];
    this.#former.clear();
    for (const dialog of this.#byId.values()) dialog.close();
    this.#byId.clear();
  }
}
