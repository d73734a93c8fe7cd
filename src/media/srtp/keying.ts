import type { SuiteName } from './suites.ts';

/** One master key with its salt behind it, and the identifier its packets carry where there is one. Plain data: it crosses threads. */
export interface MasterKey {
  readonly bytes: Uint8Array;
  readonly mki?: Uint8Array;
}

/** What one direction of a line is protected with. All identifiers of a set are equally long, or there are none. */
export interface SrtpKeying {
  readonly suite: SuiteName;
  readonly masters: readonly MasterKey[];
}

export function isSameKeying(one: SrtpKeying, other: SrtpKeying): boolean {
  return (
    one.suite === other.suite &&
    one.masters.length === other.masters.length &&
    one.masters.every((master, at) => isSameMaster(master, other.masters[at]))
  );
}

const isSameMaster = (one: MasterKey, other: MasterKey | undefined): boolean =>
  other !== undefined &&
  Buffer.compare(one.bytes, other.bytes) === 0 &&
  Buffer.compare(one.mki ?? NO_MKI, other.mki ?? NO_MKI) === 0;

/** Of keys without an identifier. */
export const NO_MKI = new Uint8Array(0);

/** A copy whose owner may overwrite it. */
export const copyOf = ({ suite, masters }: SrtpKeying): SrtpKeying => ({
  suite,
  masters: masters.map(({ bytes, mki }) => ({
    bytes: keyMemory(bytes.length, bytes),
    ...(mki && { mki: Uint8Array.from(mki) }),
  })),
});

/**
 * Memory for keys, with `content` at its beginning. What is no longer than 64 bytes V8 would have on its heap, where it moves things and leaves behind what
 * nobody overwrites.
 */
export function keyMemory(length: number, content?: Uint8Array): Buffer {
  const memory = Buffer.from(new ArrayBuffer(length));
  if (content !== undefined) memory.set(content);
  return memory;
}

export function eraseKeying({ masters }: SrtpKeying): void {
  for (const { bytes } of masters) bytes.fill(0);
}
