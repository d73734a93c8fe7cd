import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import {
  WORK_BYTES,
  type Aead,
  type Authenticator,
  type BlockCipher,
  type EngineMemory,
  type SrtpEngine,
} from './engine.ts';
import { hmacStates, padInner, prepareOuter, swapped } from './sha1.ts';

/*
 * The OpenSSL that is inside the Node binary (or that it is linked with), called through koffi. Addresses cross as numbers:
 * user space ends below 2^48, and a number costs half of what a Buffer costs per call.
 */

type Call = (...args: (number | Uint8Array | null)[]) => number;

interface Koffi {
  load(path: null): { func(definition: string): unknown };
  address(value: Buffer): bigint;
}

/** struct SHA_CTX (openssl/sha.h): five words of state, two of length, a block of 16, and how full that block is. */
const SHA_CONTEXT_BYTES = 96;

const EVP_CTRL_AEAD_SET_IVLEN = 9;
const EVP_CTRL_AEAD_GET_TAG = 16;
const EVP_CTRL_AEAD_SET_TAG = 17;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;

interface Functions {
  readonly contextNew: Call;
  readonly contextFree: Call;
  readonly contextControl: Call;
  readonly setPadding: Call;
  readonly cipherInit: Call;
  readonly cipherUpdate: Call;
  readonly cipherFinal: Call;
  readonly clearErrors: Call;
  readonly sha1Update: Call;
  /** EVP_aes_128_ecb() and its like, by name. */
  readonly cipher: (name: string) => number;
}

/** SRTP's ciphers at the price of three short calls a packet. Throws where koffi or the functions are missing. */
export class OpensslEngine implements SrtpEngine {
  readonly kind = 'openssl';
  readonly work: EngineMemory;
  readonly digest = new Int32Array(5);
  readonly #koffi: Koffi;
  readonly #functions: Functions;
  readonly #hash: EngineMemory;
  readonly #outer: EngineMemory;
  /** Where OpenSSL writes how much it has written. */
  readonly #written: EngineMemory;
  readonly #nonce: EngineMemory;
  readonly #associated: EngineMemory;

  constructor() {
    if (endianness() !== 'LE') throw new Error('structure layouts are for little-endian machines');
    this.#koffi = createRequire(import.meta.url)('koffi') as Koffi;
    this.#functions = bindFunctions(this.#koffi);
    this.work = this.allocate(WORK_BYTES);
    this.#hash = this.allocate(SHA_CONTEXT_BYTES);
    this.#outer = this.allocate(64);
    this.#written = this.allocate(8);
    this.#nonce = this.allocate(16);
    this.#associated = this.allocate(WORK_BYTES);
    prepareOuter(this.#outer.bytes);
  }

  allocate(bytes: number): EngineMemory {
    const memory = Buffer.allocUnsafeSlow(bytes).fill(0);
    const words = new Int32Array(memory.buffer, 0, bytes >>> 2);
    return { bytes: memory, words, address: Number(this.#koffi.address(memory)) };
  }

  blockCipher(key: Uint8Array): BlockCipher {
    const { cipher, cipherUpdate, setPadding, contextFree } = this.#functions;
    const context = this.#cipherContext(cipher(`EVP_aes_${key.length * 8}_ecb`), key);
    setPadding(context, 0);
    const written = this.#written.address;
    return {
      encrypt: (from, to, length) => {
        cipherUpdate(context, to.address, written, from.address, length);
      },
      destroy: () => {
        contextFree(context);
      },
    };
  }

  authenticator(key: Uint8Array): Authenticator {
    const { work, digest } = this;
    const { words, address } = this.#hash;
    const outerBlock = this.#outer;
    const { sha1Update } = this.#functions;
    const { inner, outer } = hmacStates(key);
    return {
      sign: (length) => {
        const blocks = padInner(work.bytes, length);
        // Whole blocks only: they go straight into the state, nothing is kept for later, and there is no SHA1_Final to call.
        for (let word = 0; word < 5; word += 1) words[word] = inner[word] ?? 0;
        sha1Update(address, work.address, blocks * 64);
        for (let word = 0; word < 5; word += 1) {
          outerBlock.words[word] = swapped(words[word] ?? 0);
          words[word] = outer[word] ?? 0;
        }
        sha1Update(address, outerBlock.address, 64);
        for (let word = 0; word < 5; word += 1) digest[word] = words[word] ?? 0;
      },
      destroy: () => {
        inner.fill(0);
        outer.fill(0);
      },
    };
  }

  aead(key: Uint8Array): Aead {
    const { cipher, contextControl, contextFree } = this.#functions;
    const context = this.#cipherContext(cipher(`EVP_aes_${key.length * 8}_gcm`), key);
    contextControl(context, EVP_CTRL_AEAD_SET_IVLEN, NONCE_BYTES, 0);
    return {
      open: (nonce, associated, from, to) => this.#runAead(context, false, { nonce, associated, from, to }),
      seal: (nonce, associated, from, to) => {
        this.#runAead(context, true, { nonce, associated, from, to });
      },
      destroy: () => {
        contextFree(context);
      },
    };
  }

  #runAead(
    context: number,
    sealing: boolean,
    packet: {
      readonly nonce: Buffer;
      readonly associated: Buffer;
      readonly from: number;
      readonly to: number;
    },
  ): boolean {
    const { cipherInit, cipherUpdate, cipherFinal, contextControl, clearErrors } = this.#functions;
    const { nonce, associated, from, to } = packet;
    const text = this.work.address + from;
    const tag = this.work.address + to;
    const written = this.#written.address;
    this.#nonce.bytes.set(nonce);
    this.#associated.bytes.set(associated);
    cipherInit(context, 0, 0, null, this.#nonce.bytes, sealing ? 1 : 0);
    cipherUpdate(context, 0, written, this.#associated.address, associated.length);
    if (to > from) cipherUpdate(context, text, written, text, to - from);
    if (!sealing) contextControl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag);
    const right = cipherFinal(context, this.#nonce.address, written) === 1;
    // The rest of Node reads the same list of errors.
    if (!right) clearErrors();
    if (sealing) contextControl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag);
    return right;
  }

  #cipherContext(cipher: number, key: Uint8Array): number {
    const { contextNew, cipherInit } = this.#functions;
    const context = contextNew();
    if (context === 0 || cipherInit(context, cipher, 0, key, null, 1) !== 1)
      throw new Error('OpenSSL gives no cipher context');
    return context;
  }
}

function bindFunctions(koffi: Koffi): Functions {
  const library = koffi.load(null);
  const bind = (definition: string): Call => library.func(definition) as Call;
  const ciphers = new Map(
    ['128_ecb', '192_ecb', '256_ecb', '128_gcm', '256_gcm'].map((name) => [
      `EVP_aes_${name}`,
      bind(`int64_t EVP_aes_${name}()`)(),
    ]),
  );
  return {
    contextNew: bind('int64_t EVP_CIPHER_CTX_new()'),
    contextFree: bind('void EVP_CIPHER_CTX_free(int64_t)'),
    contextControl: bind('int EVP_CIPHER_CTX_ctrl(int64_t, int, int, int64_t)'),
    setPadding: bind('int EVP_CIPHER_CTX_set_padding(int64_t, int)'),
    cipherInit: bind('int EVP_CipherInit_ex(int64_t, int64_t, int64_t, void *, void *, int)'),
    cipherUpdate: bind('int EVP_CipherUpdate(int64_t, int64_t, int64_t, int64_t, int)'),
    cipherFinal: bind('int EVP_CipherFinal_ex(int64_t, int64_t, int64_t)'),
    clearErrors: bind('void ERR_clear_error()'),
    sha1Update: bind('int SHA1_Update(int64_t, int64_t, int64_t)'),
    cipher: (name) => ciphers.get(name) ?? 0,
  };
}
