import type { Pause, PauseCause } from '../media/capture.ts';
import type { PauseOrder } from './call.ts';

type OpenPause = Omit<Pause, 'to'>;

/** When a recording was paused, by whom, and whether it is. One of each cause at a time; they may overlap. */
export class Pauses {
  readonly #open = new Map<PauseCause, OpenPause>();
  readonly #past: Pause[] = [];

  /** Pauses of ours: the client sends on and nothing of it is kept. */
  get masks(): readonly OpenPause[] {
    return [...this.#open.values()].filter(({ cause }) => cause === 'operator' || cause === 'policy');
  }

  /** The same as orders, for a recording that goes on with this one. */
  get orders(): readonly PauseOrder[] {
    return [...this.#open.values()].flatMap(({ cause, actor }) =>
      cause === 'operator' || cause === 'policy' ? [{ cause, ...(actor !== undefined && { actor }) }] : [],
    );
  }

  get masked(): boolean {
    return this.masks.length > 0;
  }

  /** False when it is paused for this cause already. */
  begin(pause: OpenPause): boolean {
    if (this.#open.has(pause.cause)) return false;
    this.#open.set(pause.cause, pause);
    return true;
  }

  /** False when it was not paused for this cause. */
  end(cause: PauseCause, to: number): boolean {
    const pause = this.#open.get(cause);
    if (pause === undefined) return false;
    this.#open.delete(cause);
    this.#past.push({ ...pause, to });
    return true;
  }

  /** Takes back a pause that could not be carried out. */
  undo(cause: PauseCause): void {
    this.#open.delete(cause);
  }

  /** All of them in order of time; those still open end with the recording. */
  until(end: number): readonly Pause[] {
    const open = [...this.#open.values()].map((pause) => ({ ...pause, to: end }));
    return [...this.#past, ...open].sort((one, other) => one.from - other.from);
  }
}
