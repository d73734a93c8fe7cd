/** So many senders are remembered; a flood with forged addresses must not fill the memory. */
const LIMIT = 4096;

/** Gives every sender a number of its own. After `LIMIT` senders it starts afresh, with numbers never used before. */
export class SourceKeys {
  readonly #keys = new Map<string, number>();
  #last = 0;

  keyOf(address: string): number {
    const known = this.#keys.get(address);
    if (known !== undefined) return known;
    if (this.#keys.size >= LIMIT) this.#keys.clear();
    this.#last += 1;
    this.#keys.set(address, this.#last);
    return this.#last;
  }
}

/** `address:port`, `[v6]:port`; an IPv4 sender on a dual-stack socket reads like any IPv4 sender. */
export function formatSource(address: string, port: number): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** The parts of what `formatSource` writes; undefined for what it does not. */
export function splitSource(source: string): { readonly address: string; readonly port: number } | undefined {
  const [, six, four, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(source) ?? [];
  const address = six ?? four;
  const usable = Number(port) >= 1 && Number(port) <= 65_535;
  return address === undefined || !usable ? undefined : { address, port: Number(port) };
}
