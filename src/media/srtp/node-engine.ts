import { createCipheriv, createDecipheriv, type CipherGCMTypes } from 'node:crypto';
import {
  WORK_BYTES,
  type Aead,
  type Authenticator,
  type BlockCipher,
  type EngineMemory,
  type SrtpEngine,
} from './engine.ts';
import { hmacStates, padInner, prepareOuter, sha1Blocks, swapped } from './sha1.ts';

const TAG_BYTES = 16;

/** SRTP's ciphers wherever Node runs: AES by node:crypto, many blocks at a time, and SHA-1 in JavaScript, which costs less than a Hmac object. */
export class NodeEngine implements SrtpEngine {
  readonly kind = 'node';
  readonly work = this.allocate(WORK_BYTES);
  readonly digest = new Int32Array(5);
  readonly #outer = this.allocate(64);

  constructor() {
    prepareOuter(this.#outer.bytes);
  }

  allocate(bytes: number): EngineMemory {
    const memory = Buffer.allocUnsafeSlow(bytes).fill(0);
    return { bytes: memory, words: new Int32Array(memory.buffer, 0, bytes >>> 2), address: 0 };
  }

  blockCipher(key: Uint8Array): BlockCipher {
    const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
    return {
      encrypt: (from, to, length) => {
        to.bytes.set(cipher.update(from.bytes.subarray(0, length)));
      },
      destroy: () => {
        cipher.destroy();
      },
    };
  }

  authenticator(key: Uint8Array): Authenticator {
    const { work, digest } = this;
    const outerBlock = this.#outer;
    const { inner, outer } = hmacStates(key);
    return {
      sign: (length) => {
        const blocks = padInner(work.bytes, length);
        digest.set(inner);
        sha1Blocks(digest, work.bytes, blocks);
        for (let word = 0; word < 5; word += 1) outerBlock.words[word] = swapped(digest[word] ?? 0);
        digest.set(outer);
        sha1Blocks(digest, outerBlock.bytes, 1);
      },
      destroy: () => {
        inner.fill(0);
        outer.fill(0);
      },
    };
  }

  aead(key: Uint8Array): Aead {
    const name = `aes-${key.length * 8}-gcm` as CipherGCMTypes;
    const own = Buffer.from(key);
    const { bytes } = this.work;
    return {
      open: (nonce, associated, from, to) => {
        const decipher = createDecipheriv(name, own, nonce, { authTagLength: TAG_BYTES });
        decipher.setAAD(associated).setAuthTag(bytes.subarray(to, to + TAG_BYTES));
        const clear = decipher.update(bytes.subarray(from, to));
        try {
          decipher.final();
        } catch {
          return false;
        }
        bytes.set(clear, from);
        return true;
      },
      seal: (nonce, associated, from, to) => {
        const cipher = createCipheriv(name, own, nonce, { authTagLength: TAG_BYTES });
        cipher.setAAD(associated);
        bytes.set(cipher.update(bytes.subarray(from, to)), from);
        cipher.final();
        bytes.set(cipher.getAuthTag(), to);
      },
      destroy: () => {
        own.fill(0);
      },
    };
  }
}
