import type { RecorderEvent } from './events.ts';

/** Where the recorder states what happened; `store/journal.ts` fits. */
export interface EventJournal {
  /** Resolves when the event is on disk (fdatasync). Order of calls is kept. Rejects when the disk refuses. */
  append(event: RecorderEvent): Promise<void>;
  /** False after a write failed, until one succeeds again. */
  readonly writable: boolean;
}

/** Folders for running recordings; `store/spool.ts` fits. */
export interface RecordingFolders {
  /** The absolute folder of a recording. The media side makes it with the first file: most of what fails never has one. */
  folderOf(recording: string): string;
  /** Removes a folder that holds nothing worth keeping. */
  discard(recording: string): Promise<void>;
  /** Absolute paths of the working audio files (`*.part`) of a recording; empty when there are none. */
  parts(recording: string): Promise<readonly string[]>;
  /** Free bytes on the spool's file system, from a recent measurement; never blocks. */
  freeBytes(): number;
}
