import type { Buffer } from 'node:buffer';
import type { Signer } from './signature.ts';

/**
 * The signer in use, which a key roll replaces while everything goes on. `sign` and `key` are read together with the head of the log
 * that they are for, without waiting in between: what was begun under the old key ends under it.
 */
export class CurrentSigner implements Signer {
  readonly algorithm = 'RSA-PKCS1-SHA256';
  /** Takes over at the next key roll; set while one is wanted. */
  successor: Signer | undefined;
  #signer: Signer;

  constructor(signer: Signer, successor?: Signer) {
    this.#signer = signer;
    this.successor = successor;
  }

  get key(): string {
    return this.#signer.key;
  }

  get certificatePem(): string {
    return this.#signer.certificatePem;
  }

  get certificates(): readonly string[] {
    return this.#signer.certificates;
  }

  get issuers(): readonly string[] {
    return this.#signer.issuers;
  }

  get sign(): (bytes: Uint8Array) => Promise<Buffer> {
    return this.#signer.sign;
  }

  /** From here on the other one signs; what it replaces stays among the certificates. */
  replace(next: Signer): void {
    const certificates = [...new Set([...this.certificates, ...next.certificates])];
    const issuers = [...new Set([...this.issuers, ...next.issuers])];
    this.#signer = { ...next, certificates, issuers };
    this.successor = undefined;
  }
}
