export interface DecodedText {
  readonly text: string;
  readonly warnings: readonly string[];
}

/**
 * The text of an XML document given as octets (META-1, RFC 7303 §3): a byte order mark tells, else the charset of the
 * media type, else the shape of UTF-16, else the XML declaration, else UTF-8. Never throws: what cannot be decoded as
 * told is read as ISO-8859-1, which loses nothing, with a warning.
 */
export function decodeXml(octets: Uint8Array, charset?: string): DecodedText {
  const told = markOf(octets) ?? named(charset, octets) ?? shapeOf(octets) ?? declared(octets) ?? 'utf-8';
  try {
    return { text: new TextDecoder(told, { fatal: true }).decode(octets), warnings: [] };
  } catch {
    const warnings = [`metadata is not valid ${told.slice(0, 40).toUpperCase()}, read as ISO-8859-1`];
    return { text: new TextDecoder('iso-8859-1').decode(octets), warnings };
  }
}

function markOf([first, second, third]: Uint8Array): string | undefined {
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xef && second === 0xbb && third === 0xbf ? 'utf-8' : undefined;
}

/** `utf-16` alone leaves the order open: without a mark it is big-endian (RFC 2781 §4.3) unless it looks otherwise. */
function named(charset: string | undefined, octets: Uint8Array): string | undefined {
  const name = charset
    ?.trim()
    .replace(/^["']|["']$/g, '')
    .toLowerCase();
  if (name === 'utf-16' || name === 'utf16') return shapeOf(octets) ?? 'utf-16be';
  return name === '' ? undefined : name;
}

/** `<` as two octets. */
function shapeOf([first, second]: Uint8Array): string | undefined {
  if (first === 0 && second === 0x3c) return 'utf-16be';
  return first === 0x3c && second === 0 ? 'utf-16le' : undefined;
}

function declared(octets: Uint8Array): string | undefined {
  const beginning = Buffer.from(octets.subarray(0, 200)).toString('latin1');
  const name = /<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][\w.-]{0,40})["']/.exec(beginning)?.[1];
  // Octets that could be read so far are not UTF-16, whatever the declaration says.
  return name === undefined || /^utf-?16/i.test(name) ? undefined : name.toLowerCase();
}
