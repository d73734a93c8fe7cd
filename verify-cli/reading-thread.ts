import { parentPort } from 'node:worker_threads';
import { messageOf, type RecordingFiles } from './archive.ts';
import { readRecording } from './read-recording.ts';

/** What a reading thread is asked. */
export interface ReadingTask {
  readonly root: string;
  readonly files: RecordingFiles;
}

// One task at a time: whoever asks keeps every thread busy, and one disk is not asked for many things at once.
parentPort?.on('message', ({ root, files }: ReadingTask) => {
  readRecording(root, files).then(
    (view) => parentPort?.postMessage({ view }),
    (error: unknown) => parentPort?.postMessage({ error: messageOf(error) }),
  );
});
