import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Buffer } from 'node:buffer';
import type { FileHash } from '../src/evidence/hash-file.ts';
import {
  ENTRY_ENDING,
  HASH_ENDING,
  INFO_ENDING,
  PROOF_ENDING,
  SIGNATURE_ENDING,
} from '../src/evidence/recording-files.ts';
import type { RecordingView } from '../src/evidence/recording-view.ts';
import type { AudioBeginning } from '../src/evidence/segment-check.ts';
import type { RecordingFiles } from './archive.ts';
import { AudioBeginnings } from './audio-beginnings.ts';

/** Octets read at a time. */
const CHUNK = 1 << 20;

/** Reads the small files of a recording and hashes the large ones as they stream by. */
export async function readRecording(
  root: string,
  { name, folder, files, beginnings: wanted = [] }: RecordingFiles,
): Promise<RecordingView> {
  const texts = new Map<string, Uint8Array>();
  for (const ending of [INFO_ENDING, HASH_ENDING, SIGNATURE_ENDING, ENTRY_ENDING, PROOF_ENDING])
    if (files.includes(`${name}${ending}`))
      texts.set(ending, await readFile(join(root, folder, `${name}${ending}`)));
  const others: FileHash[] = [];
  const beginnings: AudioBeginning[] = [];
  for (const file of files.filter((each) => !texts.has(each.slice(name.length)))) {
    const ends = wanted.flatMap((each) => (`${name}${each.file}` === file ? each.bytes : []));
    const audio = ends.length === 0 ? undefined : new AudioBeginnings(ends);
    others.push({ name: file, sha256: await digest(join(root, folder, file), audio) });
    for (const bytes of audio === undefined ? [] : ends)
      beginnings.push({ name: file, bytes, sha256: audio?.finish(bytes) });
  }
  return {
    name,
    folder,
    info: texts.get(INFO_ENDING),
    hashes: texts.get(HASH_ENDING),
    signature: texts.get(SIGNATURE_ENDING),
    entry: texts.get(ENTRY_ENDING),
    proof: texts.get(PROOF_ENDING),
    others,
    beginnings,
  };
}

/** One buffer a file, read into again and again. */
async function digest(path: string, audio?: AudioBeginnings): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK, size)));
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
      audio?.take(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
