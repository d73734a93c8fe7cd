import type { RecordingRow, SealFiles } from '../jobs/ports.ts';
import type { Log } from '../log.ts';
import { endOf } from '../recorder/ending.ts';
import type { EventJournal, RecordingFolders } from '../recorder/ports.ts';
import { recoverCapture } from '../recorder/recover.ts';

/**
 * States the end of a recording that a crash cut off: its audio is on disk, its end is not in the log (evidence.md 1.7, restart). `next` is the
 * recording that goes on with its call. Rejects when the journal refuses.
 */
export async function recoverRecording(
  row: RecordingRow,
  next: string | undefined,
  {
    files,
    journal,
    log,
  }: { readonly files: SealFiles & RecordingFolders; readonly journal: EventJournal; readonly log: Log },
): Promise<void> {
  const capture = await recoverCapture(row, await files.parts(row.id));
  const at = Date.now();
  const event = endOf(
    { recording: row.id, reason: row.stopped ? 'stopped' : 'crash', at, damaged: false },
    capture,
  );
  log('warn', 'a recording cut off by a crash was taken up again', { recording: row.id, as: event.type });
  const description = { ...row.description, ...(next !== undefined && { continuedBy: next }) };
  if (next !== undefined) await journal.append({ type: 'described', recording: row.id, at, description });
  await journal.append(event);
  if (event.type === 'failed') await files.discard(row.id);
}
