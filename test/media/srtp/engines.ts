import type { SrtpEngine } from '../../../src/media/srtp/engine.ts';
import { NodeEngine } from '../../../src/media/srtp/node-engine.ts';
import { OpensslEngine } from '../../../src/media/srtp/openssl-engine.ts';

/** Every way of encrypting there is; all pass the same tests. */
export const ENGINES: readonly (readonly [name: string, make: () => SrtpEngine])[] = [
  ['openssl', () => new OpensslEngine()],
  ['node', () => new NodeEngine()],
];

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
