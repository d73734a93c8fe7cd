/** The 4 or 16 octets of an address in network order; of a text that is none, something of that length. A zone is left out. */
export const addressOctets = (address: string): Buffer =>
  address.includes(':') ? ipv6Octets(address) : Buffer.from(address.split('.').map(Number)).subarray(0, 4);

function ipv6Octets(host: string): Buffer {
  const [head = '', tail] = (host.split('%')[0] ?? '').split('::');
  const words = (text: string): number[] =>
    text === ''
      ? []
      : text.split(':').flatMap((word) => (word.includes('.') ? quad(word) : [parseInt(word, 16)]));
  const before = words(head);
  const after = tail === undefined ? [] : words(tail);
  const zeros = new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0);
  const octets = Buffer.alloc(16);
  [...before, ...zeros, ...after]
    .slice(0, 8)
    .forEach((word, at) => octets.writeUInt16BE(word & 0xffff, at * 2));
  return octets;
}

function quad(text: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [(a << 8) | b, (c << 8) | d];
}
