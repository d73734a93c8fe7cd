import type { CapturedFile } from '../media/capture.ts';
import { needsCopy, planRender, type RenderPlan } from '../media/render-plan.ts';
import type { Levels } from '../media/levels.ts';
import type { LogStore, RecordingRow, RenderRow, SealFiles } from './ports.ts';

/** Makes the file of a plan; `store/ffmpeg.ts` fits. */
export interface Renderer {
  /** What it calls itself, for the info file; rejects with code MISSING when it is not there. */
  version(): Promise<string>;
  /** Rejects with the reason when it fails or takes too long, and when the signal fires. */
  render(plan: RenderPlan, to: string, signal: AbortSignal): Promise<void>;
  /** How loud each channel of a file that it made is, left first. Rejects when it cannot be read, and when the signal fires. */
  measure(path: string, signal: AbortSignal): Promise<readonly Levels[]>;
}

export interface RenderDeps {
  readonly store: LogStore;
  readonly files: SealFiles;
  /** Undefined when copies are switched off. */
  readonly renderer: Renderer | undefined;
  readonly maxRate: number;
  /** Milliseconds after the end of a call from which on the seal no longer waits for a copy. */
  readonly patience: number;
  readonly now: () => number;
}

/** Name of the working file; `_playable.wav` when sealed. */
const PLAYABLE = 'playable';

export const renderJobId = (recording: string): string => `render-${recording}`;

/** Whether the seal of a recording should wait for its playable copy: one is needed, nobody tried yet, and it is not too late. */
async function awaitsCopy(recording: string, deps: RenderDeps): Promise<boolean> {
  const row = await deps.store.recording(recording);
  return row !== undefined && isAwaited(row, await deps.store.render(recording), deps);
}

/** The same of a recording that was read, and of what became of its copy. */
export function isAwaited(
  row: RecordingRow,
  copy: RenderRow | undefined,
  { renderer, patience, now }: Pick<RenderDeps, 'renderer' | 'patience' | 'now'>,
): boolean {
  if (copy !== undefined || renderer === undefined || row.state !== 'ended') return false;
  return needsCopy(row.capture?.files ?? []) && now() - (row.endedAt ?? 0) <= patience;
}

/**
 * Makes the playable copy of an ended recording, and states what became of it. Whatever goes wrong is an outcome, since the originals
 * are to be sealed without it; only an aborted try leaves none. Repeating it is harmless.
 */
export async function render(recording: string, deps: RenderDeps, signal: AbortSignal): Promise<void> {
  if (!(await awaitsCopy(recording, deps))) return;
  const row = await deps.store.recording(recording);
  if (row === undefined) return;
  const outcome = await make(row, deps, signal);
  if (signal.aborted) return;
  await deps.store.write(async (log) => {
    await log.putRender(outcome);
    const { at, detail } = outcome;
    const made = outcome.outcome === 'made';
    await log.addStep({
      recording,
      at,
      step: made ? 'rendered' : 'not-rendered',
      outcome: made ? 'ok' : 'warning',
      detail,
    });
  });
}

async function make(row: RecordingRow, deps: RenderDeps, signal: AbortSignal): Promise<RenderRow> {
  const { renderer, files, maxRate, now } = deps;
  const failed = (detail: string): RenderRow => ({ recording: row.id, outcome: 'failed', detail, at: now() });
  const { capture } = row;
  const plan = capture === undefined ? undefined : planRender(capture, maxRate);
  if (plan === undefined || renderer === undefined) return failed('nothing in it can be decoded');
  const to = files.path(row.id, `${PLAYABLE}.wav.part`);
  try {
    const program = await renderer.version();
    await renderer.render(plan, to, signal);
    const without = plan.left.length === 0 ? '' : `, without ${plan.left.join(', ')}`;
    const lineLevels = levelsIn(plan, await measured(to, renderer, signal));
    const file = { ...(await describeCopy(plan, to, files)), lineLevels };
    return { recording: row.id, outcome: 'made', detail: `${program}${without}`, file, at: now() };
  } catch (error) {
    return failed(reasonOf(error));
  }
}

/** A copy that cannot be measured is still a copy. */
const measured = (path: string, renderer: Renderer, signal: AbortSignal): Promise<readonly Levels[]> =>
  renderer.measure(path, signal).catch(() => []);

/** Of the lines that have a channel to themselves. */
const levelsIn = (plan: RenderPlan, channels: readonly Levels[]): NonNullable<CapturedFile['lineLevels']> =>
  plan.alone.flatMap(({ line, channel }) => {
    const levels = channels[channel];
    return levels === undefined ? [] : [{ line, levels }];
  });

async function describeCopy(plan: RenderPlan, path: string, files: SealFiles): Promise<CapturedFile> {
  const { bytes, audioSha256 } = await files.digest(path, 0);
  return {
    path,
    suffix: PLAYABLE,
    codec: 'L16',
    extension: 'wav',
    rate: plan.rate,
    channelLines: [],
    channelRoles: ['caller', 'callee'],
    samples: plan.ticks,
    bytes,
    audioSha256,
    audioOffset: 0,
  };
}

/** One line, short enough for an info file. */
const reasonOf = (error: unknown): string =>
  ((error as { readonly message?: string } | null)?.message ?? String(error)).split('\n')[0]?.slice(0, 200) ??
  'unknown';
