/**
 * Does `work` under a signal that fires with `signal`, or after `ms` milliseconds. Nothing of it is left when it is done: `AbortSignal.any` leaves
 * something with a signal that lives as long as the process, for every piece of work that was ever done under it.
 */
export async function withDeadline<T>(
  signal: AbortSignal,
  ms: number,
  work: (within: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController();
  const stop = (): void => {
    own.abort(signal.reason);
  };
  const timer = setTimeout(() => {
    own.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
  }, ms).unref();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await work(own.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
