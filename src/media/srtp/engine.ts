/** Longest packet that is looked at, in bytes; the authentication of one needs some room more. */
export const MAX_PACKET = 9216;
export const WORK_BYTES = MAX_PACKET + 256;

/** Memory of an engine, seen as bytes and as words; `address` is where it lies for code outside JavaScript. */
export interface EngineMemory {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  readonly address: number;
}

/** A packet for AES-GCM in the work space; places in bytes. */
export interface GcmPacket {
  readonly key: Uint8Array;
  readonly nonce: Buffer;
  /** What is authenticated alone. */
  readonly associated: Buffer;
  /** What is encrypted: `[from, to)`; its tag of 16 bytes follows. */
  readonly from: number;
  readonly to: number;
}

/**
 * The ciphers under SRTP. One engine serves one thread and works on one packet at a time, which lies in its work space: the OpenSSL inside the
 * Node binary (`openssl`), or Node's own crypto with SHA-1 in JavaScript (`node`). A line keeps nothing here but its keys: an engine knows
 * the key it has by its memory, and takes another when it is asked with one. Whoever overwrites a key has it forgotten first.
 */
export interface SrtpEngine {
  readonly kind: 'openssl' | 'node';
  readonly work: EngineMemory;
  /** The last HMAC, five words. */
  readonly digest: Int32Array;
  allocate(bytes: number): EngineMemory;
  /** AES, block by block (ECB): encrypts the first `length` bytes of `from`, a multiple of 16, into `to`. */
  encryptBlocks(key: Uint8Array, from: EngineMemory, to: EngineMemory, length: number): void;
  /**
   * HMAC-SHA1 under the key of these states (`hmacStates`): leaves the digest of the first `length` bytes of the work space in `digest`, five words
   * as numbers. Overwrites up to 72 bytes behind them.
   */
  sign(states: Int32Array, length: number): void;
  /** Decrypts in place. False when the tag is wrong. */
  open(packet: GcmPacket): boolean;
  /** Encrypts in place and writes the tag. */
  seal(packet: GcmPacket): void;
  /** Keeps nothing of a key for AES. */
  forget(key: Uint8Array): void;
}
