import { SiprecError } from './errors.ts';
import { XmlReader, type XmlElement } from './xml-reader.ts';

export type { XmlElement };

export interface XmlDocument {
  readonly root: XmlElement;
  /** URIs of all namespaces declared anywhere, each once: a vendor shows in them. */
  readonly namespaces: readonly string[];
  readonly warnings: readonly string[];
}

/** META-16. */
export const MAX_BYTES = 256 * 1024;

/**
 * Reads a document without ever expanding anything: document types and own entities are refused, size, depth and the
 * number of elements are limited (META-16). Throws SiprecError BAD_XML, TOO_LARGE.
 */
export function parseXml(text: string): XmlDocument {
  // No character has more than three octets for one unit of a string.
  if (text.length * 3 > MAX_BYTES && Buffer.byteLength(text) > MAX_BYTES)
    throw new SiprecError('TOO_LARGE', 'metadata larger than 256 KiB');
  const document = text.replace(/^\uFEFF/, '').trim();
  if (/<!(?:DOCTYPE|ENTITY)/i.test(document))
    throw new SiprecError('BAD_XML', 'document type or entity declaration refused');
  const reader = new XmlReader(document);
  const root = reader.read();
  return {
    root,
    namespaces: reader.namespaces,
    warnings: reader.hasStrayAmpersand ? ['metadata has an unescaped &'] : [],
  };
}
