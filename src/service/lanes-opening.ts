import { DeliveryLanes } from '../jobs/delivery-lanes.ts';
import type { SealsFirst } from '../jobs/seals-first.ts';
import { noteFailure, upload, type UploadDeps } from '../jobs/upload.ts';

/** Opens the ways to the destinations: what is due on them is in the log, and so is what came of it. */
export const openLanes = (
  deps: UploadDeps,
  options: {
    readonly parallel: ReadonlyMap<string, number>;
    readonly wake: () => void;
    readonly sealsFirst: Pick<SealsFirst, 'pass'>;
  },
): DeliveryLanes =>
  new DeliveryLanes({
    due: (destination, limit) => deps.store.dueDeliveries(destination, deps.now(), limit),
    upload: (job, signal, onCopied) => upload(job, deps, signal, onCopied),
    noteFailure: (job, error, dueAt) => noteFailure(job, { error, dueAt }, deps),
    parallel: options.parallel,
    pass: (signal) => options.sealsFirst.pass(signal),
    wake: options.wake,
    now: deps.now,
  });
