const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * The UUID behind an identifier of the metadata, in lower case: written out, as `urn:uuid:` or as base64 of 16 octets
 * (siprec-interop.md 2.3). Undefined for ids that mean something only within their dialog. Never throws.
 */
export function globalId(id: string): string | undefined {
  const text = id
    .trim()
    .replace(/^urn:uuid:/i, '')
    .toLowerCase();
  if (UUID.test(text)) return text;
  if (!/^[A-Za-z0-9+/]{22}==$/.test(id.trim())) return undefined;
  const hex = Buffer.from(id.trim(), 'base64').toString('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  const uuid = parts.join('-');
  return UUID.test(uuid) ? uuid : undefined;
}

/** The halves of a session identifier (RFC 7989 §5), local first; the nil id of an unknown remote is left out. */
export function sessionIdHalves(text: string): readonly string[] {
  const [local = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const remote = parameters.find((parameter) => parameter.startsWith('remote='))?.slice('remote='.length);
  return [local, remote ?? ''].filter((half) => /^[0-9a-f]{32}$/.test(half) && !/^0+$/.test(half));
}
