import type { SrtpEngine } from './engine.ts';
import { NodeEngine } from './node-engine.ts';
import { OpensslEngine } from './openssl-engine.ts';
import { SrtpSpace } from './srtp-space.ts';

let space: SrtpSpace | undefined;

/** This thread's engine, made at its first use: OpenSSL where it can be called, else Node's own crypto. */
export function threadSrtp(): SrtpSpace {
  space ??= new SrtpSpace(loadEngine());
  return space;
}

function loadEngine(): SrtpEngine {
  try {
    return new OpensslEngine();
  } catch {
    return new NodeEngine();
  }
}
