import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { SiprecError } from './errors.ts';

/** An element by its local name; prefix and namespace are dropped, names are in lower case (META-2). */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Its own text, trimmed. */
  readonly text: string;
}

export interface XmlDocument {
  readonly root: XmlElement;
  /** URIs of all namespaces declared anywhere, each once: a vendor shows in them. */
  readonly namespaces: readonly string[];
  readonly warnings: readonly string[];
}

/** META-16. */
export const MAX_BYTES = 256 * 1024;
const MAX_DEPTH = 32;
const MAX_ELEMENTS = 5000;

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  cdataPropName: '#cdata',
  maxNestedTags: MAX_DEPTH,
});

/**
 * Reads a document without ever expanding anything: document types and own entities are refused, size, depth and the
 * number of elements are limited (META-16). Throws SiprecError BAD_XML, TOO_LARGE.
 */
export function parseXml(text: string): XmlDocument {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new SiprecError('TOO_LARGE', 'metadata larger than 256 KiB');
  const warnings: string[] = [];
  const document = escapeStrayAmpersands(text.replace(/^\uFEFF/, '').trim(), warnings);
  if (/<!(?:DOCTYPE|ENTITY)/i.test(document))
    throw new SiprecError('BAD_XML', 'document type or entity declaration refused');
  const elements = treeOf(document, { left: MAX_ELEMENTS });
  const [root] = elements;
  if (root === undefined || elements.length > 1)
    throw new SiprecError('BAD_XML', 'not exactly one root element');
  return { root, namespaces: namespacesOf(document), warnings };
}

const MAX_NAMESPACES = 20;

const namespacesOf = (document: string): readonly string[] => {
  const found = document.matchAll(/\sxmlns(?::[\w.-]{1,60})?\s{0,10}=\s{0,10}["']([^"'<]{1,200})["']/g);
  return [...new Set([...found].map(([, uri = '']) => uri))].slice(0, MAX_NAMESPACES);
};

/** OpenSIPS does not escape names and addresses (siprec-interop.md 4.11): `Smith & Sons` is taken literally. */
function escapeStrayAmpersands(text: string, warnings: string[]): string {
  const escaped = text.replace(/&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});)/g, '&amp;');
  if (escaped !== text) warnings.push('metadata has an unescaped &');
  return escaped;
}

function treeOf(document: string, budget: { left: number }): readonly XmlElement[] {
  try {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- its successor is another package; this one checks what we need
    const verdict = XMLValidator.validate(document);
    if (verdict !== true)
      throw new SiprecError('BAD_XML', `line ${verdict.err.line}: ${verdict.err.msg.slice(0, 100)}`);
    return elementsOf(parser.parse(document) as RawNode[], budget);
  } catch (error) {
    if (error instanceof SiprecError) throw error;
    throw new SiprecError('BAD_XML', 'metadata cannot be parsed', { cause: error });
  }
}

/** What the library gives with `preserveOrder`: one key per node, attributes beside it under `:@`. */
type RawNode = Readonly<Record<string, unknown>>;

function elementsOf(nodes: readonly RawNode[], budget: { left: number }): readonly XmlElement[] {
  const elements: XmlElement[] = [];
  for (const node of nodes) {
    const name = Object.keys(node).find((key) => key !== ':@');
    if (name === undefined || name.startsWith('#')) continue;
    budget.left -= 1;
    if (budget.left < 0) throw new SiprecError('TOO_LARGE', 'metadata has too many elements');
    const inner = node[name] as readonly RawNode[];
    elements.push({
      name: name.toLowerCase(),
      attributes: attributesOf(node),
      children: elementsOf(inner, budget),
      text: textOf(inner).trim(),
    });
  }
  return elements;
}

function attributesOf(node: RawNode): ReadonlyMap<string, string> {
  const attributes = (node[':@'] ?? {}) as Readonly<Record<string, string>>;
  return new Map(
    Object.entries(attributes).map(([name, value]) => [name.toLowerCase(), decode(value).trim()]),
  );
}

function textOf(nodes: readonly RawNode[]): string {
  return nodes
    .map((node) => {
      if (typeof node['#text'] === 'string') return decode(node['#text']);
      const literal = node['#cdata'] as readonly { readonly '#text'?: string }[] | undefined;
      return (literal ?? []).map((text) => text['#text'] ?? '').join('');
    })
    .join('');
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The five entities of XML itself and character numbers; there are no others here. */
function decode(text: string): string {
  return text.replace(
    /&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6}));/g,
    (whole, ...groups) => {
      const [named, decimal, hex] = groups as [string | undefined, string | undefined, string | undefined];
      if (named !== undefined) return NAMED[named] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
      return isCharacter(code) ? String.fromCodePoint(code) : '\uFFFD';
    },
  );
}

/** XML 1.0 §2.2; no control characters by the back door. */
const isCharacter = (code: number): boolean =>
  code === 9 ||
  code === 10 ||
  code === 13 ||
  (code >= 32 && code <= 0x10_ff_ff && !(code >= 0xd800 && code <= 0xdfff));
