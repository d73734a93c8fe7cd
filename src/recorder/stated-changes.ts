/** Epoch milliseconds, never the same twice: by its moment the log tells whether it has a change (`LogWriter.isStated`). */
export function distinctMoments(now: () => number): () => number {
  let last = 0;
  return () => {
    last = Math.max(now(), last + 1);
    return last;
  };
}

/** States changes one after the other. Resolves with whether all of them are on disk; see `Recorder.state`. */
export async function stateAll<Change>(
  changes: readonly Change[],
  state: (change: Change) => Promise<boolean>,
): Promise<boolean> {
  let onDisk = true;
  for (const change of changes) onDisk = await state(change);
  return onDisk;
}
