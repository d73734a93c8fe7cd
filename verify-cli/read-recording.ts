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
import type { RecordingFiles } from './archive.ts';

/** Octets read at a time. */
const CHUNK = 1 << 20;

/** Reads the small files of a recording and hashes the large ones as they stream by. */
export async function readRecording(
  root: string,
  { name, folder, files }: RecordingFiles,
): Promise<RecordingView> {
  const texts = new Map<string, Uint8Array>();
  for (const ending of [INFO_ENDING, HASH_ENDING, SIGNATURE_ENDING, ENTRY_ENDING, PROOF_ENDING])
    if (files.includes(`${name}${ending}`))
      texts.set(ending, await readFile(join(root, folder, `${name}${ending}`)));
  const others: FileHash[] = [];
  for (const file of files)
    if (!texts.has(file.slice(name.length)))
      others.push({ name: file, sha256: await digest(join(root, folder, file)) });
  return {
    name,
    folder,
    info: texts.get(INFO_ENDING),
    hashes: texts.get(HASH_ENDING),
    signature: texts.get(SIGNATURE_ENDING),
    entry: texts.get(ENTRY_ENDING),
    proof: texts.get(PROOF_ENDING),
    others,
  };
}

/** One buffer a file, read into again and again. */
async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK, size)));
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
