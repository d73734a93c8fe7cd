/*
 * A document as a library reads it that many others use: what our own reader is measured against. Depth and number of elements are
 * not limited here.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import type { XmlElement } from '../../src/siprec/xml.ts';
import { decodeReferences } from '../../src/siprec/xml-text.ts';

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
  maxNestedTags: 1000,
});

/** What the library gives with `preserveOrder`: one key per node, attributes beside it under `:@`. */
type RawNode = Readonly<Record<string, unknown>>;

/** The root element; undefined for what is not one well-formed document. */
export function readWithLibrary(text: string): XmlElement | undefined {
  const document = text
    .replace(/^\uFEFF/, '')
    .trim()
    .replace(/&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});)/g, '&amp;');
  if (/<!(?:DOCTYPE|ENTITY)/i.test(document)) return undefined;
  try {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- its successor is another package
    if (XMLValidator.validate(document) !== true) return undefined;
    const elements = elementsOf(parser.parse(document) as RawNode[]);
    return elements.length === 1 ? elements[0] : undefined;
  } catch {
    return undefined;
  }
}

function elementsOf(nodes: readonly RawNode[]): readonly XmlElement[] {
  return nodes.flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== ':@');
    if (name === undefined || name.startsWith('#')) return [];
    const inner = node[name] as readonly RawNode[];
    return [
      {
        name: name.toLowerCase(),
        attributes: attributesOf(node),
        children: elementsOf(inner),
        text: textOf(inner).trim(),
      },
    ];
  });
}

function attributesOf(node: RawNode): ReadonlyMap<string, string> {
  const attributes = (node[':@'] ?? {}) as Readonly<Record<string, string>>;
  return new Map(
    Object.entries(attributes).flatMap(([name, value]) =>
      name === '' ? [] : [[name.toLowerCase(), decodeReferences(value).trim()]],
    ),
  );
}

function textOf(nodes: readonly RawNode[]): string {
  return nodes
    .map((node) => {
      if (typeof node['#text'] === 'string') return decodeReferences(node['#text']);
      const literal = node['#cdata'] as readonly { readonly '#text'?: string }[] | undefined;
      return (literal ?? []).map((each) => each['#text'] ?? '').join('');
    })
    .join('');
}
