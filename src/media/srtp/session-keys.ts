import { createCipheriv } from 'node:crypto';
import type { Suite } from './suites.ts';

/** What protects one kind of packet, RTP or RTCP. */
export interface PacketKeys {
  readonly key: Buffer;
  /** 14 bytes, or 12 with GCM. */
  readonly salt: Buffer;
  /** For HMAC-SHA1; empty with GCM. */
  readonly authentication: Buffer;
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
 * of 12 bytes stands left in the 14 that the derivation takes (RFC 7714 §11).
 */
export function deriveSessionKeys(suite: Suite, master: Uint8Array): SessionKeys {
  const key = master.subarray(0, suite.keyBytes);
  const salt = master.subarray(suite.keyBytes, suite.keyBytes + suite.saltBytes);
  const authenticationBytes = suite.cipher === 'gcm' ? 0 : AUTHENTICATION_BYTES;
  // In one piece of memory: a piece for each takes many times as much as it holds.
  const memory = Buffer.alloc(2 * (suite.keyBytes + suite.saltBytes + authenticationBytes));
  let used = 0;
  const derive = (label: number, bytes: number): Buffer => {
    const derived = keystream(key, salt, label, bytes);
    const kept = memory.subarray(used, (used += bytes));
    kept.set(derived);
    derived.fill(0);
    return kept;
  };
  const keysOf = (kind: number): PacketKeys => ({
    key: derive(kind + LABEL_KEY, suite.keyBytes),
    salt: derive(kind + LABEL_SALT, suite.saltBytes),
    authentication: derive(kind + LABEL_AUTHENTICATION, authenticationBytes),
  });
  return { rtp: keysOf(0), rtcp: keysOf(RTCP) };
}

/** Overwrites keys that are not needed any more. */
export function eraseKeys({ rtp, rtcp }: SessionKeys): void {
  for (const keys of [rtp, rtcp]) {
    keys.key.fill(0);
    keys.salt.fill(0);
    keys.authentication.fill(0);
  }
}

function keystream(key: Uint8Array, salt: Uint8Array, label: number, bytes: number): Buffer {
  const counter = Buffer.alloc(16);
  counter.set(salt);
  counter[7] = (counter[7] ?? 0) ^ label;
  return createCipheriv(`aes-${key.length * 8}-ctr`, key, counter).update(Buffer.alloc(bytes));
}
