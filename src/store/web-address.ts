import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FILE = 'web-address';

/** Says where the pages and the API of the running recorder are, for commands beside it whose configuration leaves the port open. */
export const writeWebAddress = (dataDir: string, url: string): Promise<void> =>
  writeFile(join(dataDir, FILE), `${url}\n`, { mode: 0o640 });

/** Undefined when no recorder was ever started with the data directory. */
export async function readWebAddress(dataDir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(dataDir, FILE), 'utf8')).trim();
  } catch {
    return undefined;
  }
}
