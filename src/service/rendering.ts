import type { Config } from '../config.ts';
import type { RecordingRow, RenderRow } from '../jobs/ports.ts';
import { isAwaited, render, type RenderDeps } from '../jobs/render.ts';
import { Ffmpeg } from '../store/ffmpeg.ts';

/** Playable copies, each made by one hand at a time: a worker and a walk on foot may ask for the same. */
export class Rendering {
  readonly #deps: RenderDeps;
  readonly #running = new Map<string, Promise<void>>();
  #onFoot: Promise<void> | undefined;

  constructor(deps: RenderDeps) {
    this.#deps = deps;
  }

  /** Whether the seal of a recording should wait for its copy. */
  isAwaited(row: RecordingRow, copy: RenderRow | undefined): boolean {
    return isAwaited(row, copy, this.#deps);
  }

  make(recording: string, signal: AbortSignal): Promise<void> {
    const running = this.#running.get(recording);
    if (running !== undefined) return running;
    const mine = render(recording, this.#deps, signal).finally(() => this.#running.delete(recording));
    this.#running.set(recording, mine);
    return mine;
  }

  /** Without a queue: those that wait, one after the other, each followed by `sealed`. Does nothing while an earlier walk goes on. */
  walk(
    recordings: readonly string[],
    signal: AbortSignal,
    sealed: (recording: string) => Promise<void>,
  ): void {
    // What could not be done is asked for again by the next reconciliation.
    this.#onFoot ??= this.#walkOn(recordings, signal, sealed)
      .catch(() => undefined)
      .finally(() => {
        this.#onFoot = undefined;
      });
  }

  async #walkOn(
    recordings: readonly string[],
    signal: AbortSignal,
    sealed: (recording: string) => Promise<void>,
  ): Promise<void> {
    for (const recording of recordings) {
      if (signal.aborted) return;
      await this.make(recording, signal);
      await sealed(recording);
    }
  }

  /** Resolves when no walk is going on. */
  async idle(): Promise<void> {
    await this.#onFoot;
  }
}

/** What makes copies, by the configuration. */
export function rendererOf({ media }: Config): Pick<RenderDeps, 'renderer' | 'maxRate' | 'patience'> {
  const { enabled, ffmpeg, timeoutSeconds, memoryMegabytes, maxRate, patienceSeconds } = media.render;
  return {
    renderer: enabled ? new Ffmpeg({ program: ffmpeg, timeoutSeconds, memoryMegabytes }) : undefined,
    maxRate,
    patience: patienceSeconds * 1000,
  };
}
