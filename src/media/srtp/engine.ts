/** Longest packet that is looked at, in bytes; the authentication of one needs some room more. */
export const MAX_PACKET = 9216;
export const WORK_BYTES = MAX_PACKET + 256;

/** Memory of an engine, seen as bytes and as words; `address` is where it lies for code outside JavaScript. */
export interface EngineMemory {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  readonly address: number;
}

/** AES, block by block (ECB): the counter blocks are the caller's. */
export interface BlockCipher {
  /** Encrypts the first `length` bytes of `from`, a multiple of 16, into `to`. */
  encrypt(from: EngineMemory, to: EngineMemory, length: number): void;
  /** Forgets the key. */
  destroy(): void;
}

/** HMAC-SHA1 under one key. */
export interface Authenticator {
  /**
   * Leaves the digest of the first `length` bytes of the work space in `digest`, five words as numbers. Overwrites up to 72 bytes behind them.
   */
  sign(length: number): void;
  destroy(): void;
}

/** AES-GCM under one key, on the work space; lengths and places in bytes. */
export interface Aead {
  /** Decrypts `[from, to)`, whose tag of 16 bytes follows, in place. `associated` is what is authenticated alone. False when the tag is wrong. */
  open(nonce: Buffer, associated: Buffer, from: number, to: number): boolean;
  /** Encrypts `[from, to)` in place and writes the tag behind it. */
  seal(nonce: Buffer, associated: Buffer, from: number, to: number): void;
  destroy(): void;
}

/**
 * The ciphers under SRTP. One engine serves one thread and works on one packet at a time, which lies in its work space: the OpenSSL inside the
 * Node binary (`openssl`), or Node's own crypto with SHA-1 in JavaScript (`node`).
 */
export interface SrtpEngine {
  readonly kind: 'openssl' | 'node';
  readonly work: EngineMemory;
  /** The last HMAC, five words. */
  readonly digest: Int32Array;
  allocate(bytes: number): EngineMemory;
  blockCipher(key: Uint8Array): BlockCipher;
  authenticator(key: Uint8Array): Authenticator;
  aead(key: Uint8Array): Aead;
}
