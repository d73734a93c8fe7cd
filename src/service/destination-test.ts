import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { DestinationConfig } from '../config/destination.ts';
import { PermanentUploadError, type Destination } from '../jobs/destination.ts';
import { openDestination, placeOf } from './destinations.ts';

/** A probe takes no longer than this, in milliseconds, whatever the server does. */
const WITHIN = 120_000;
const SIZE = 100_000;

/**
 * Writes a probe to one destination, reads it back, compares and removes it, and says what the server can and cannot do. Resolves with
 * whether recordings can go there; an account that may not delete is as it should be.
 */
export async function testDestination(
  config: DestinationConfig,
  say: (line: string) => void,
): Promise<boolean> {
  say(`${config.name} (${config.kind}): ${placeOf(config)}`);
  let destination: Destination | undefined;
  try {
    destination = openDestination(config);
    const signal = AbortSignal.timeout(WITHIN);
    await sayCapabilities(destination, signal, say);
    const bytes = randomBytes(SIZE);
    const path = `sealtape-test-${randomUUID()}.bin`;
    const copy = await destination.put(
      {
        path,
        size: SIZE,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        open: (from = 0) => Readable.from([bytes.subarray(from)]),
      },
      signal,
    );
    say(`  written    ${copy.location}, proved by ${copy.proof}`);
    const stream = await destination.open({ path }, signal);
    const back = stream === undefined ? undefined : Buffer.concat((await stream.toArray()) as Buffer[]);
    const same = back?.equals(bytes) === true;
    say(same ? '  read back  the same' : '  read back  NOT what was written');
    const { version } = copy;
    await sayRemoval(destination, { path, ...(version !== undefined && { version }) }, { signal, say });
    return same;
  } catch (error) {
    const why =
      error instanceof PermanentUploadError ? `a person must help (${error.fault})` : 'it may pass by itself';
    say(`  FAILED     ${(error as Error).message}\n             ${why}`);
    return false;
  } finally {
    await destination?.close();
  }
}

async function sayCapabilities(
  destination: Destination,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  const { lock, atomicCreate, encryption, serverChecksum, remarks } = await destination.capabilities(signal);
  say(`  lock       ${lock === 'none' ? 'no: only the server can keep files from being removed' : lock}`);
  say(
    `  create     ${atomicCreate ? 'never replaces a file' : 'does not by itself keep from replacing a file'}`,
  );
  say(`  way there  ${encryption === 'none' ? 'NOT ENCRYPTED by us' : encryption}`);
  say(`  checksum   ${serverChecksum ? 'checked by the server' : 'every copy is read back'}`);
  for (const remark of remarks) say(`  note       ${remark}`);
}

async function sayRemoval(
  destination: Destination,
  copy: { readonly path: string; readonly version?: string },
  { signal, say }: { readonly signal: AbortSignal; readonly say: (line: string) => void },
): Promise<void> {
  try {
    await destination.remove(copy, signal);
    say('  removed    yes: this account may delete');
  } catch (error) {
    if (!(error instanceof PermanentUploadError)) throw error;
    say(`  removed    no (${error.fault}): remove ${copy.path} yourself when it may be removed`);
  }
}
