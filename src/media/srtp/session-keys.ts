import { createCipheriv } from 'node:crypto';
import type { SrtpEngine } from './engine.ts';
import { keyMemory } from './keying.ts';
import { HMAC_STATE_WORDS, hmacStates } from './sha1.ts';
import type { Suite } from './suites.ts';

/** What protects one kind of packet, RTP or RTCP. */
export interface PacketKeys {
  readonly key: Buffer;
  /** 14 bytes, or 12 with GCM. */
  readonly salt: Buffer;
  /** What every HMAC-SHA1 under the authentication key begins with (`hmacStates`); not used with GCM. */
  readonly states: Int32Array;
}

export interface SessionKeys {
  readonly rtp: PacketKeys;
  readonly rtcp: PacketKeys;
}

/** Labels of RFC 3711 §4.3.1; those of RTCP are three higher. */
const LABEL_KEY = 0;
const LABEL_AUTHENTICATION = 1;
const LABEL_SALT = 2;
const RTCP = 3;

const AUTHENTICATION_BYTES = 20;

/**
 * Session keys of a master key and salt (RFC 3711 §4.3, with AES-192 and AES-256 as RFC 6188 §3 has it), without a key derivation rate. A salt
 * of 12 bytes stands left in the 14 that the derivation takes (RFC 7714 §11). Made when they are needed: a recorder sends no RTP, and
 * not every client sends reports.
 */
export class DerivedKeys implements SessionKeys {
  readonly #suite: Suite;
  readonly #master: Uint8Array;
  #rtp: PacketKeys | undefined;
  #rtcp: PacketKeys | undefined;
  #isErased = false;

  /** `master`: the key with the salt behind it; its owner erases both together. Throws RangeError where it is too short. */
  constructor(suite: Suite, master: Uint8Array) {
    if (master.length < suite.keyBytes + suite.saltBytes)
      throw new RangeError(`${suite.name} needs a longer master key`);
    this.#suite = suite;
    this.#master = master;
  }

  get rtp(): PacketKeys {
    return (this.#rtp ??= this.#derive(0));
  }

  get rtcp(): PacketKeys {
    return (this.#rtcp ??= this.#derive(RTCP));
  }

  /** Overwrites what there is; the engine forgets it, too. Whoever asks for keys then gets a TypeError. */
  erase(engine: SrtpEngine): void {
    this.#isErased = true;
    for (const keys of [this.#rtp, this.#rtcp]) {
      if (keys === undefined) continue;
      engine.forget(keys.key);
      keys.key.fill(0);
      keys.salt.fill(0);
      keys.states.fill(0);
    }
    this.#rtp = this.#rtcp = undefined;
  }

  #derive(kind: number): PacketKeys {
    if (this.#isErased) throw new TypeError('these keys were erased');
    const { keyBytes, saltBytes, cipher } = this.#suite;
    // In one piece of memory: a piece for each takes many times as much as it holds.
    const statesAt = (keyBytes + saltBytes + 3) & ~3;
    const memory = keyMemory(statesAt + HMAC_STATE_WORDS * 4);
    const keys = {
      key: memory.subarray(0, keyBytes),
      salt: memory.subarray(keyBytes, keyBytes + saltBytes),
      states: new Int32Array(memory.buffer, statesAt, HMAC_STATE_WORDS),
    };
    this.#fill(keys.key, kind + LABEL_KEY);
    this.#fill(keys.salt, kind + LABEL_SALT);
    if (cipher === 'cm') {
      const authentication = keyMemory(AUTHENTICATION_BYTES);
      this.#fill(authentication, kind + LABEL_AUTHENTICATION);
      hmacStates(authentication, keys.states);
      authentication.fill(0);
    }
    return keys;
  }

  #fill(derived: Buffer, label: number): void {
    const { keyBytes, saltBytes } = this.#suite;
    const counter = keyMemory(16, this.#master.subarray(keyBytes, keyBytes + saltBytes));
    counter[7] = (counter[7] ?? 0) ^ label;
    const cipher = createCipheriv(`aes-${keyBytes * 8}-ctr`, this.#master.subarray(0, keyBytes), counter);
    const stream = cipher.update(Buffer.alloc(derived.length));
    derived.set(stream);
    stream.fill(0);
    counter.fill(0);
  }
}
