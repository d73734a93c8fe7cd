/*
 * Loaded before the program of a process whose memory the signalling benchmark weighs: collects the garbage when told to, and says
 * what is left.
 */
process.on('message', (asked) => {
  if (asked !== 'weigh') return;
  // Twice: what finalizers let go of goes with the second.
  globalThis.gc?.();
  globalThis.gc?.();
  process.send?.(process.memoryUsage());
});
// The program must be able to end.
process.channel?.unref();
