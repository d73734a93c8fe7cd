import { permanent } from './delivery-error.ts';

/** Ends the names of unfinished copies; no finished file may have it. */
export const PARTIAL = '.part';

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
