import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { deletionAccountOf, type DestinationConfig } from '../config/destination.ts';
import { PermanentUploadError, type Destination, type StoredCopy, type Upload } from '../jobs/destination.ts';
import { openAccount, placeOf } from './destinations.ts';

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
  let deletion: Destination | undefined;
  try {
    destination = await openAccount(config);
    const deleter = deletionAccountOf(config);
    deletion = deleter && (await openAccount(deleter));
    const signal = AbortSignal.timeout(WITHIN);
    await sayCapabilities(destination, signal, say);
    const bytes = randomBytes(SIZE);
    const path = `sealtape-test-${randomUUID()}.bin`;
    const probe = uploadOf(path, bytes);
    const copy = await destination.put(probe, signal);
    say(`  written    ${copy.location}, proved by ${copy.proof}`);
    const stream = await destination.open({ path }, signal);
    const back = stream === undefined ? undefined : Buffer.concat((await stream.toArray()) as Buffer[]);
    const same = back?.equals(bytes) === true;
    say(same ? '  read back  the same' : '  read back  NOT what was written');
    const trial = { path, signal, say, last: true };
    const removed = await sayRemoval(destination, copy, {
      ...trial,
      who: 'this account',
      last: deletion === undefined,
    });
    if (deletion !== undefined) {
      if (removed) say('  note       deletion names another account, but this one may delete as well');
      const second = removed ? await destination.put(probe, signal) : copy;
      if (!(await sayRemoval(deletion, second, { ...trial, who: 'the account for deletion' }))) return false;
    }
    return same;
  } catch (error) {
    sayFailure(error, say);
    return false;
  } finally {
    for (const each of [destination, deletion]) await each?.close();
  }
}

function sayFailure(error: unknown, say: (line: string) => void): void {
  const why =
    error instanceof PermanentUploadError ? `a person must help (${error.fault})` : 'it may pass by itself';
  say(`  FAILED     ${(error as Error).message}\n             ${why}`);
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

const uploadOf = (path: string, bytes: Buffer): Upload => ({
  path,
  size: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  open: (from = 0) => Readable.from([bytes.subarray(from)]),
});

/** False when the account may not. */
async function sayRemoval(
  destination: Destination,
  { version }: StoredCopy,
  {
    path,
    who,
    last,
    signal,
    say,
  }: {
    readonly path: string;
    readonly who: string;
    /** No other account tries it after this one. */
    readonly last: boolean;
    readonly signal: AbortSignal;
    readonly say: (line: string) => void;
  },
): Promise<boolean> {
  try {
    await destination.remove({ path, ...(version !== undefined && { version }) }, signal);
    say(`  removed    yes: ${who} may delete`);
    return true;
  } catch (error) {
    if (!(error instanceof PermanentUploadError)) throw error;
    const left = last ? `: remove ${path} yourself when it may be removed` : ', as it should be';
    say(`  removed    no, ${who} may not (${error.fault})${left}`);
    return false;
  }
}
