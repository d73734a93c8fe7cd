import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { WORK_BYTES, type EngineMemory, type GcmPacket, type SrtpEngine } from './engine.ts';
import { padInner, prepareOuter, swapped } from './sha1.ts';

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

const EVP_CTRL_AEAD_GET_TAG = 16;
const EVP_CTRL_AEAD_SET_TAG = 17;
const TAG_BYTES = 16;

interface Functions {
  readonly contextNew: Call;
  readonly contextFree: Call;
  readonly contextControl: Call;
  readonly cipherInit: Call;
  readonly cipherUpdate: Call;
  readonly cipherFinal: Call;
  readonly clearErrors: Call;
  readonly sha1Update: Call;
  readonly ecb: Mode;
  readonly gcm: Mode;
}

/** A context of OpenSSL's, and which key it has. */
interface KeyedContext {
  readonly context: number;
  key: Uint8Array;
}

/** A way of using AES; everything by the bytes of the key. */
interface Mode {
  /** EVP_aes_128_ecb() and its like. */
  readonly cipherOf: ReadonlyMap<number, number>;
  readonly contexts: Map<number, KeyedContext>;
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

  encryptBlocks(key: Uint8Array, from: EngineMemory, to: EngineMemory, length: number): void {
    const { cipherUpdate, ecb } = this.#functions;
    cipherUpdate(this.#contextFor(ecb, key), to.address, this.#written.address, from.address, length);
  }

  sign(states: Int32Array, length: number): void {
    const { work, digest } = this;
    const { words, address } = this.#hash;
    const outerBlock = this.#outer;
    const { sha1Update } = this.#functions;
    const blocks = padInner(work.bytes, length);
    // Whole blocks only: they go straight into the state, nothing is kept for later, and there is no SHA1_Final to call.
    for (let word = 0; word < 5; word += 1) words[word] = states[word] ?? 0;
    sha1Update(address, work.address, blocks * 64);
    for (let word = 0; word < 5; word += 1) {
      outerBlock.words[word] = swapped(words[word] ?? 0);
      words[word] = states[word + 5] ?? 0;
    }
    sha1Update(address, outerBlock.address, 64);
    for (let word = 0; word < 5; word += 1) digest[word] = words[word] ?? 0;
  }

  open(packet: GcmPacket): boolean {
    return this.#runGcm(packet, false);
  }

  seal(packet: GcmPacket): void {
    this.#runGcm(packet, true);
  }

  forget(key: Uint8Array): void {
    const { ecb, gcm, contextFree } = this.#functions;
    for (const { contexts } of [ecb, gcm]) {
      const kept = contexts.get(key.length);
      if (kept?.key !== key) continue;
      // Overwrites what it held.
      contextFree(kept.context);
      contexts.delete(key.length);
    }
  }

  #runGcm({ key, nonce, associated, from, to }: GcmPacket, sealing: boolean): boolean {
    const { gcm, cipherInit, cipherUpdate, cipherFinal, contextControl, clearErrors } = this.#functions;
    const context = this.#contextFor(gcm, key);
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

  /** The context for keys of this size, with the key in it: changing the key takes 0.3 us, a context for each key took 0.8 kB. */
  #contextFor({ cipherOf, contexts }: Mode, key: Uint8Array): number {
    const kept = contexts.get(key.length);
    if (kept?.key === key) return kept.context;
    const { contextNew, contextFree, cipherInit } = this.#functions;
    const context = kept?.context ?? contextNew();
    // Without a cipher the context keeps the one it has.
    const cipher = kept === undefined ? (cipherOf.get(key.length) ?? 0) : 0;
    if (context === 0 || cipherInit(context, cipher, 0, key, null, 1) !== 1) {
      contexts.delete(key.length);
      contextFree(context);
      throw new Error('OpenSSL gives no cipher context');
    }
    if (kept === undefined) contexts.set(key.length, { context, key });
    else kept.key = key;
    return context;
  }
}

function bindFunctions(koffi: Koffi): Functions {
  const library = koffi.load(null);
  const bind = (definition: string): Call => library.func(definition) as Call;
  const modeOf = (name: string, keys: readonly number[]): Mode => ({
    cipherOf: new Map(keys.map((bytes) => [bytes, bind(`int64_t EVP_aes_${bytes * 8}_${name}()`)()])),
    contexts: new Map(),
  });
  return {
    contextNew: bind('int64_t EVP_CIPHER_CTX_new()'),
    contextFree: bind('void EVP_CIPHER_CTX_free(int64_t)'),
    contextControl: bind('int EVP_CIPHER_CTX_ctrl(int64_t, int, int, int64_t)'),
    cipherInit: bind('int EVP_CipherInit_ex(int64_t, int64_t, int64_t, void *, void *, int)'),
    cipherUpdate: bind('int EVP_CipherUpdate(int64_t, int64_t, int64_t, int64_t, int)'),
    cipherFinal: bind('int EVP_CipherFinal_ex(int64_t, int64_t, int64_t)'),
    clearErrors: bind('void ERR_clear_error()'),
    sha1Update: bind('int SHA1_Update(int64_t, int64_t, int64_t)'),
    ecb: modeOf('ecb', [16, 24, 32]),
    gcm: modeOf('gcm', [16, 32]),
  };
}
