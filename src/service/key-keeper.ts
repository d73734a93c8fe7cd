import { certificatePath, issuerPath } from '../evidence/layout.ts';
import { certificateFingerprint } from '../evidence/signature.ts';
import { rollKey } from '../jobs/roll-key.ts';
import type { NodeKeys } from '../store/node-keys.ts';
import { WebError } from '../web/web-error.ts';
import type { ArchiveLine } from './archive-line.ts';
import type { KeysAtHand } from './keys-at-hand.ts';

/** What can be done for keys that are lost. */
export interface LostKeys {
  reset(): Promise<void>;
  restore(file: { readonly bytes: Uint8Array; readonly password: string }): Promise<string>;
}

/** Changes the keys of a recorder that runs. */
export class KeyKeeper {
  readonly #keys: KeysAtHand;
  readonly #line: () => ArchiveLine | undefined;
  readonly #lost: LostKeys;

  constructor(keys: KeysAtHand, line: () => ArchiveLine | undefined, lost: LostKeys) {
    this.#keys = keys;
    this.#line = line;
    this.#lost = lost;
  }

  /** Gives up keys that are missing: new ones are made, and a new epoch of the log begins. Rejects with WebError CONFLICT while they are there. */
  async reset(): Promise<void> {
    this.#requireLost();
    await this.#lost.reset();
    await this.#keys.look(true);
  }

  /** Brings keys that are missing back from a PKCS#12 file. Rejects with WebError CONFLICT while they are there, INVALID. */
  async restore(file: { readonly bytes: Buffer; readonly password: string }): Promise<string> {
    this.#requireLost();
    const certificate = await this.#lost.restore(file).catch(refuse);
    await this.#keys.look(true);
    const { missing } = this.#keys;
    if (missing !== undefined) throw new WebError('INVALID', missing.text);
    return certificate;
  }

  #requireLost(): void {
    if (this.#keys.missing === undefined)
      throw new WebError('CONFLICT', 'The recorder runs and has its keys; stop it first.');
  }

  /**
   * A new key, or the one of a PKCS#12 file, takes over at once. Rejects with WebError DATABASE_AWAY before anything was done, CONFLICT and
   * INVALID for a file that cannot be used.
   */
  async roll(file?: {
    readonly bytes: Buffer;
    readonly password: string;
  }): Promise<{ readonly origin: string; readonly size: number; readonly certificatePem: string }> {
    const { line, keys } = this.#opened();
    await keys.prepareSuccessor(file).catch(refuse);
    const { origin, size } = await rollKey(line.rolling);
    await keys.finishRoll();
    line.checkpointNow();
    return { origin, size, certificatePem: keys.signer.certificatePem };
  }

  /** Takes up an authority's certificate of the key in use; a `config` entry states both fingerprints, and `actor` by a hash. */
  async adopt(pem: string, actor: string): Promise<string> {
    const { line, keys } = this.#opened();
    const before = certificateFingerprint(keys.signer.certificatePem);
    const { certificate: adopted, issuers } = await keys.adoptCertificate(pem, Date.now()).catch(refuse);
    const { origin } = line.rolling.chain;
    await line.evidence.append(
      {
        type: 'config',
        part: 'signing-certificate',
        hashBefore: before,
        hashAfter: certificateFingerprint(adopted),
        actor: line.evidence.actor(actor),
      },
      {
        change: async (log) => {
          for (const issuer of issuers)
            await log.evidence.putFile(origin, issuerPath(origin, issuer), Buffer.from(issuer));
          await log.evidence.putFile(origin, certificatePath(origin, adopted), Buffer.from(adopted));
        },
      },
    );
    line.checkpointNow();
    return adopted;
  }

  #opened(): { readonly line: ArchiveLine; readonly keys: NodeKeys } {
    const line = this.#line();
    const { opened, missing } = this.#keys;
    if (missing !== undefined || opened === undefined)
      throw new WebError('CONFLICT', `The signing keys cannot be used: ${missing?.text ?? 'not yet open'}`);
    if (line === undefined)
      throw new WebError('DATABASE_AWAY', 'The database does not answer; the keys stay as they are.');
    return { line, keys: opened.keys };
  }
}

function refuse(error: unknown): never {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  if (code === 'CONFLICT') throw new WebError('CONFLICT', message, { cause: error });
  if (code === 'INVALID' || code === 'KEYS_NOT_MADE' || code === 'KEYS_DAMAGED')
    throw new WebError('INVALID', message, { cause: error });
  throw error;
}
