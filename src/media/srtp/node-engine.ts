import { createCipheriv, createDecipheriv, type Cipher, type CipherGCMTypes } from 'node:crypto';
import { WORK_BYTES, type EngineMemory, type GcmPacket, type SrtpEngine } from './engine.ts';
import { padInner, prepareOuter, sha1Blocks, swapped } from './sha1.ts';

const TAG_BYTES = 16;

/** SRTP's ciphers wherever Node runs: AES by node:crypto, many blocks at a time, and SHA-1 in JavaScript, which costs less than a Hmac object. */
export class NodeEngine implements SrtpEngine {
  readonly kind = 'node';
  readonly work = this.allocate(WORK_BYTES);
  readonly digest = new Int32Array(5);
  readonly #outer = this.allocate(64);
  /** To make one takes as long as a dozen packets. */
  readonly #ciphers = new WeakMap<Uint8Array, Cipher>();

  constructor() {
    prepareOuter(this.#outer.bytes);
  }

  allocate(bytes: number): EngineMemory {
    const memory = Buffer.allocUnsafeSlow(bytes).fill(0);
    return { bytes: memory, words: new Int32Array(memory.buffer, 0, bytes >>> 2), address: 0 };
  }

  encryptBlocks(key: Uint8Array, from: EngineMemory, to: EngineMemory, length: number): void {
    let cipher = this.#ciphers.get(key);
    if (cipher === undefined) {
      cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
      this.#ciphers.set(key, cipher);
    }
    to.bytes.set(cipher.update(from.bytes.subarray(0, length)));
  }

  sign(states: Int32Array, length: number): void {
    const { work, digest } = this;
    const outerBlock = this.#outer;
    const blocks = padInner(work.bytes, length);
    digest.set(states.subarray(0, 5));
    sha1Blocks(digest, work.bytes, blocks);
    for (let word = 0; word < 5; word += 1) outerBlock.words[word] = swapped(digest[word] ?? 0);
    digest.set(states.subarray(5, 10));
    sha1Blocks(digest, outerBlock.bytes, 1);
  }

  open({ key, nonce, associated, from, to }: GcmPacket): boolean {
    const { bytes } = this.work;
    const decipher = createDecipheriv(gcm(key), key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(associated).setAuthTag(bytes.subarray(to, to + TAG_BYTES));
    const clear = decipher.update(bytes.subarray(from, to));
    try {
      decipher.final();
    } catch {
      return false;
    }
    bytes.set(clear, from);
    return true;
  }

  seal({ key, nonce, associated, from, to }: GcmPacket): void {
    const { bytes } = this.work;
    const cipher = createCipheriv(gcm(key), key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(associated);
    bytes.set(cipher.update(bytes.subarray(from, to)), from);
    cipher.final();
    bytes.set(cipher.getAuthTag(), to);
  }

  forget(key: Uint8Array): void {
    this.#ciphers.get(key)?.destroy();
    this.#ciphers.delete(key);
  }
}

const gcm = (key: Uint8Array): CipherGCMTypes => `aes-${key.length * 8}-gcm` as CipherGCMTypes;
