import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileHash } from '../src/evidence/hash-file.ts';
import { HASH_ENDING, INFO_ENDING, SIGNATURE_ENDING } from '../src/evidence/recording-files.ts';
import type { RecordingView } from '../src/evidence/verify-recording.ts';
import type { RecordingFiles } from './archive.ts';

/** Octets read at a time. */
const CHUNK = 1 << 20;

/** Reads the small files of a recording and hashes the large ones as they stream by. */
export async function readRecording(
  root: string,
  { name, folder, files }: RecordingFiles,
): Promise<RecordingView> {
  const small = (ending: string): Promise<Uint8Array | undefined> =>
    files.includes(`${name}${ending}`)
      ? readFile(join(root, folder, `${name}${ending}`))
      : Promise.resolve(undefined);
  const texts = new Set([INFO_ENDING, HASH_ENDING, SIGNATURE_ENDING].map((ending) => `${name}${ending}`));
  const others: FileHash[] = [];
  for (const file of files)
    if (!texts.has(file)) others.push({ name: file, sha256: await digest(join(root, folder, file)) });
  return {
    name,
    folder,
    info: await small(INFO_ENDING),
    hashes: await small(HASH_ENDING),
    signature: await small(SIGNATURE_ENDING),
    others,
  };
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK }))
    hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
