import { dirname } from 'node:path';

const NONE = Buffer.alloc(0);

/** The folders by whose entries a file is found, its own and the one above, which may be new as well. */
export function foldersOf(path: string): readonly string[] {
  const folder = dirname(path);
  return [folder, dirname(folder)];
}

/** Names as they lie in memory that two threads see; no name has a zero in it. */
export const nameOctets = (names: readonly string[]): Buffer =>
  names.length === 0 ? NONE : Buffer.from(names.join('\0'));

export const namedIn = (octets: Buffer): readonly string[] =>
  octets.length === 0 ? [] : octets.toString().split('\0');
