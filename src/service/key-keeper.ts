import { certificatePath } from '../evidence/layout.ts';
import { certificateFingerprint } from '../evidence/signature.ts';
import { rollKey } from '../jobs/roll-key.ts';
import { NodeKeys } from '../store/node-keys.ts';
import { WebError } from '../web/web-error.ts';
import type { ArchiveLine } from './archive-line.ts';

/** Changes the keys of a recorder that runs. */
export class KeyKeeper {
  readonly #keys: NodeKeys;
  readonly #line: () => ArchiveLine | undefined;

  constructor(keys: NodeKeys, line: () => ArchiveLine | undefined) {
    this.#keys = keys;
    this.#line = line;
  }

  /**
   * A new key, or the one of a PKCS#12 file, takes over at once. Rejects with WebError DATABASE_AWAY before anything was done, CONFLICT and
   * INVALID for a file that cannot be used.
   */
  async roll(file?: {
    readonly bytes: Buffer;
    readonly password: string;
  }): Promise<{ readonly origin: string; readonly size: number; readonly certificatePem: string }> {
    const line = this.#opened();
    await this.#keys.prepareSuccessor(file).catch(refuse);
    const { origin, size } = await rollKey(line.rolling);
    await this.#keys.finishRoll();
    line.checkpointNow();
    return { origin, size, certificatePem: this.#keys.signer.certificatePem };
  }

  /** Takes up an authority's certificate of the key in use; a `config` entry states both fingerprints, and `actor` by a hash. */
  async adopt(pem: string, actor: string): Promise<string> {
    const line = this.#opened();
    const before = certificateFingerprint(this.#keys.signer.certificatePem);
    const adopted = await this.#keys.adoptCertificate(pem, Date.now()).catch(refuse);
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
        change: (log) => log.evidence.putFile(origin, certificatePath(origin, adopted), Buffer.from(adopted)),
      },
    );
    line.checkpointNow();
    return adopted;
  }

  #opened(): ArchiveLine {
    const line = this.#line();
    if (line === undefined)
      throw new WebError('DATABASE_AWAY', 'The database does not answer; the keys stay as they are.');
    return line;
  }
}

function refuse(error: unknown): never {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  if (code === 'CONFLICT') throw new WebError('CONFLICT', message, { cause: error });
  if (code === 'INVALID' || code === 'KEYS_NOT_MADE' || code === 'KEYS_DAMAGED')
    throw new WebError('INVALID', message, { cause: error });
  throw error;
}
