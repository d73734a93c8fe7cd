import { Buffer } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { readCertificates } from '../src/evidence/certificate-chain.ts';
import { entryHash, parseEntry } from '../src/evidence/entry.ts';
import { Keyring, type NamedBytes } from '../src/evidence/keyring.ts';
import type { ExpectedGenesis, Trust } from '../src/evidence/verify-log.ts';
import { messageOf, UnreadableError } from './archive.ts';
import type { Arguments } from './arguments.ts';

/** Reads what the person who verifies brings: certificates, genesis, authorities. Throws UnreadableError naming the option. */
export async function readTrust({ certificates, genesis, authorities }: Arguments): Promise<Trust> {
  const keyring = await naming('--cert', async () => new Keyring(await readAll(certificates)));
  return {
    keyring,
    genesis: await naming('--genesis', () => Promise.all((genesis ?? []).map(readGenesis))),
    authorities: await naming('--tsa-ca', async () => {
      const files = await readAll(authorities);
      return files.flatMap(({ file, bytes }) => {
        const found = readCertificates(bytes);
        if (found.length === 0) throw new Error(`${file} holds no certificate (PEM)`);
        return found;
      });
    }),
  };
}

/** Checkpoints that the person kept. Throws UnreadableError. */
export const readKept = ({ since }: Arguments): Promise<readonly NamedBytes[]> =>
  naming('--since', async () =>
    (await readAll(since)).map(({ file, bytes }) => ({ file, bytes: asWritten(bytes) })),
  );

/** A fingerprint as on paper, with or without colons, or a file. */
async function readGenesis(given: string): Promise<ExpectedGenesis> {
  const digits = given.replaceAll(/^sha256:|[: ]/g, '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(digits)) return { hash: digits, origin: undefined };
  const bytes = asWritten(await readFile(given));
  return { hash: entryHash(bytes), origin: parseEntry(bytes).header.origin };
}

/** What was kept went through mail programs and editors: line ends and a byte order mark of theirs are no alteration. */
const asWritten = (bytes: Buffer): Buffer =>
  Buffer.from(
    bytes
      .toString('latin1')
      .replace(/^\xef\xbb\xbf/, '')
      .replaceAll('\r\n', '\n'),
    'latin1',
  );

const readAll = (
  files: readonly string[] = [],
): Promise<{ readonly file: string; readonly bytes: Buffer }[]> =>
  Promise.all(files.map(async (file) => ({ file, bytes: await readFile(file) })));

async function naming<T>(option: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new UnreadableError(`${option}: ${messageOf(error)}`);
  }
}
