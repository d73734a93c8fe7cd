/** Bits of the hash. */
const WIDTH = 160;
/** Every octet enters this many bits further left than the one before it. */
const SHIFT = 11;
/** 160 times 11 bits are whole turns: octets this far apart enter at the same place. */
const PERIOD = WIDTH;

/**
 * QuickXorHash, the checksum that OneDrive for Business and SharePoint keep of every file (Microsoft, "QuickXorHash Algorithm"): octets
 * are combined by exclusive or into a ring of 160 bits, each 11 bits further, and the length into its last 64 bits. It finds what goes
 * wrong on the way; against somebody who wants to deceive it is worth nothing.
 */
export class QuickXorHash {
  /** Octets whose numbers are alike modulo the period. */
  readonly #sums = new Uint8Array(PERIOD);
  readonly #words = new Uint32Array(this.#sums.buffer);
  #length = 0;

  update(octets: Uint8Array): this {
    let at = 0;
    while (at < octets.length && (this.#length & 3) !== 0) this.#add(octets[at++] ?? 0);
    at += this.#addWords(octets, at);
    while (at < octets.length) this.#add(octets[at++] ?? 0);
    return this;
  }

  /** Base64, as Graph reports it. The hash can go on afterwards. */
  digest(): string {
    const hash = new Uint8Array(WIDTH / 8);
    for (const [number, octet] of this.#sums.entries()) addAt(hash, (number * SHIFT) % WIDTH, octet);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(this.#length));
    for (const [number, octet] of length.entries()) addAt(hash, WIDTH - 64 + number * 8, octet);
    return Buffer.from(hash).toString('base64');
  }

  #add(octet: number): void {
    const place = this.#length % PERIOD;
    this.#sums[place] = (this.#sums[place] ?? 0) ^ octet;
    this.#length += 1;
  }

  /** Four octets at a time, where memory allows; the number of octets done. */
  #addWords(octets: Uint8Array, from: number): number {
    const address = octets.byteOffset + from;
    const count = (octets.length - from) >>> 2;
    if ((address & 3) !== 0 || count === 0) return 0;
    const source = new Uint32Array(octets.buffer, address, count);
    const words = this.#words;
    let place = (this.#length % PERIOD) >>> 2;
    for (let number = 0; number < count; number += 1) {
      words[place] = (words[place] ?? 0) ^ (source[number] ?? 0);
      place = place + 1 === words.length ? 0 : place + 1;
    }
    this.#length += count * 4;
    return count * 4;
  }
}

/** Combines an octet into the ring, its lowest bit at `bit`. */
function addAt(ring: Uint8Array, bit: number, octet: number): void {
  const place = bit >>> 3;
  const over = bit & 7;
  const next = (place + 1) % ring.length;
  ring[place] = (ring[place] ?? 0) ^ ((octet << over) & 0xff);
  ring[next] = (ring[next] ?? 0) ^ (octet >>> (8 - over));
}
