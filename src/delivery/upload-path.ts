import { randomUUID } from 'node:crypto';
import { permanent } from './delivery-error.ts';

/** Ends the names of unfinished copies; no finished file may have it. */
const PARTIAL = '.part';

/** A name for a copy that is not whole yet, which no other one has. */
export const unfinishedName = (): string => `.sealtape-${randomUUID()}${PARTIAL}`;

/** Whether a file is an unfinished copy of ours, or of another recorder that writes to the same folder. */
export const isUnfinished = (name: string): boolean => /^\.sealtape-[0-9a-f-]+\.part$/.test(name);

/** The file that a test of a destination writes, reads and removes. */
export const PROBE = '.sealtape-probe';

/** Octets of one name, on every file system we know. */
const LONGEST_NAME = 255;

/**
 * The folders and the file name of an upload's path, or PermanentUploadError BAD_PATH. Nothing that leaves the root, that a
 * terminal would obey or that one of the usual file systems cannot hold gets through.
 */
export function splitUploadPath(path: string): {
  readonly folders: readonly string[];
  readonly name: string;
} {
  const parts = path.split('/');
  const fault = parts.map(faultOf).find((text) => text !== undefined);
  if (fault !== undefined) throw permanent('BAD_PATH', `${JSON.stringify(path)} ${fault}`);
  const name = parts.at(-1) ?? '';
  if (name.endsWith(PARTIAL))
    throw permanent('BAD_PATH', `${JSON.stringify(path)} ends like an unfinished copy`);
  return { folders: parts.slice(0, -1), name };
}

function faultOf(part: string): string | undefined {
  if (part === '') return 'has an empty part';
  if (/^\.\.?$/.test(part)) return 'leaves its folder';
  // Control, format (bidirectional overrides) and unassigned characters, half surrogates; what SMB and Windows refuse.
  if (/[\p{C}\\:*?"<>|]/u.test(part)) return 'has a character that names cannot have';
  if (/[. ]$/.test(part)) return 'has a part that ends with a dot or a space';
  if (Buffer.byteLength(part) > LONGEST_NAME) return 'has a part that is too long';
  return undefined;
}
