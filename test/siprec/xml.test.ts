import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SiprecError } from '../../src/siprec/errors.ts';
import { MAX_BYTES, parseXml, type XmlElement } from '../../src/siprec/xml.ts';
import { readWithLibrary } from './library-xml.ts';

const FIXTURES = new URL('../../fixtures/siprec/', import.meta.url).pathname;

/** Every document in the recorded messages, whole ones and broken ones. */
const documents = (readdirSync(FIXTURES, { recursive: true }) as string[])
  .filter((name) => name.endsWith('.sip') || name.endsWith('.xml'))
  .sort()
  .flatMap((name) => {
    const text = readFileSync(join(FIXTURES, name), 'utf8');
    const from = text.search(/<\?xml|<(?:\w+:)?recording/);
    const end = text.lastIndexOf('>');
    return from === -1 ? [] : [{ name, xml: text.slice(from, end + 1) }];
  });

/** The document, or what it is refused for. */
function outcome(xml: string): XmlElement | string {
  try {
    return parseXml(xml).root;
  } catch (error) {
    expect(error).toBeInstanceOf(SiprecError);
    expect(error).toHaveProperty('code', 'BAD_XML');
    return (error as SiprecError).message;
  }
}

/** The library lets these pass: `<!>` and `< a` for elements, a lone `=` in a tag, some of what stands outside of the root. */
const STRICTER = /a declaration|is not a name|no blank before an attribute|outside of the root/;

/** As the library writes line ends. */
function withoutReturns({ name, attributes, children, text }: XmlElement): XmlElement {
  return { name, attributes, children: children.map(withoutReturns), text: text.replace(/\r\n?/g, '\n') };
}

function expectAgreement(xml: string): void {
  const ours = outcome(xml);
  const theirs = readWithLibrary(xml);
  if (typeof ours === 'string' && STRICTER.test(ours)) return;
  if (typeof ours === 'string') expect({ xml, ours, theirs }).toEqual({ xml, ours, theirs: undefined });
  else expect({ xml, read: withoutReturns(ours) }).toEqual({ xml, read: theirs });
}

/** What stands in a declaration or an instruction is nothing to us; the library looks into it. */
const withoutDeclaration = (xml: string): string => xml.replace(/^<\?xml[^>]*\?>/, '');

describe('XML', () => {
  test('finds documents in the fixtures', () => {
    expect(documents.length).toBeGreaterThan(20);
  });

  test.each(documents)('reads $name as the library does (META-2)', ({ xml }) => {
    expectAgreement(xml);
  });

  test('agrees with the library on documents with anything taken out, put in or turned round', () => {
    const piece = fc.constantFrom(
      ...[
        '<',
        '>',
        '/',
        '"',
        "'",
        '&',
        '&amp;',
        '&#65;',
        '&bad;',
        '=',
        ' ',
        '\n',
        ' a="1"',
        ' a=1',
        ' x:a="2"',
      ],
      ...[
        '<b/>',
        '<b>',
        '</b>',
        '<b >t</b >',
        '<!-- < -->',
        '<![CDATA[<b]]>',
        ']]>',
        '<?pi x?>',
        '<a:c/>',
        'é',
      ],
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...documents.map(({ xml }) => withoutDeclaration(xml.slice(0, 6000)))),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat({ max: 6 }),
        fc.array(piece, { maxLength: 3 }),
        (xml, where, gone, put) => {
          const at = Math.floor(where * xml.length);
          expectAgreement(xml.slice(0, at) + put.join('') + xml.slice(at + gone));
        },
      ),
      { numRuns: Number(process.env['RUNS'] ?? 300) },
    );
  });

  test('reads every kind of content', () => {
    const xml = `<?xml version="1.0"?><!-- x --><n:A xmlns:n='u:1' xmlns="u:2" n:B = "&lt;&#x41;&#65;" c=' d '>
      one <b/>&amp; R&D <![CDATA[<&lt;>]]><?pi?><!-- <b> --><n:e xmlns:m="u:1">\u00e9</n:e >two</n:A>`;
    const { root, namespaces, warnings } = parseXml(`\uFEFF${xml}\n`);
    expect({ name: root.name, attributes: [...root.attributes], text: root.text }).toEqual({
      name: 'a',
      attributes: [
        ['b', '<AA'],
        ['c', 'd'],
      ],
      text: 'one & R&D <&lt;>two',
    });
    expect(root.children.map(({ name, text }) => [name, text])).toEqual([
      ['b', ''],
      ['e', '\u00e9'],
    ]);
    expect(namespaces).toEqual(['u:1', 'u:2']);
    expect(warnings).toEqual(['metadata has an unescaped &']);
  });

  test.each([
    ['a document type', '<!DOCTYPE a><a/>', 'BAD_XML'],
    ['an entity in the middle', '<a><!entity x "y"></a>', 'BAD_XML'],
    ['a document type in a comment', '<a><!-- <!DOCTYPE x> --></a>', 'BAD_XML'],
    ['33 levels', `${'<a>'.repeat(33)}${'</a>'.repeat(33)}`, 'BAD_XML'],
    ['5001 elements', `<a>${'<b/>'.repeat(5000)}</a>`, 'TOO_LARGE'],
    [
      '65 attributes of one element',
      `<a ${Array.from({ length: 65 }, (_none, n) => `b${n}=""`).join(' ')}/>`,
      'TOO_LARGE',
    ],
    ['more than 256 KiB of octets', `<a>${'\u20ac'.repeat(MAX_BYTES / 3)}</a>`, 'TOO_LARGE'],
    ['a second root', '<a/><b/>', 'BAD_XML'],
    ['text behind the root', '<a></a>b', 'BAD_XML'],
    ['a repeated attribute', '<a b="1" b="2"/>', 'BAD_XML'],
    ['a value without quotes', '<a b=1/>', 'BAD_XML'],
    ['an attribute without value', '<a b/>', 'BAD_XML'],
    ['attributes without a blank between', '<a b="1"c="2"/>', 'BAD_XML'],
    ['a second declaration', '<?xml version="1.0"?><?xml version="1.0"?><a/>', 'BAD_XML'],
    ['crossed ends', '<a><b></a></b>', 'BAD_XML'],
    ['a name of every object (META-16)', '<constructor/>', 'BAD_XML'],
    ['a comment without end', '<a/><!-- ', 'BAD_XML'],
    ['a tag without end', '<a b="1"', 'BAD_XML'],
  ])('refuses %s (META-16)', (_what, xml, code) => {
    expect(() => parseXml(xml)).toThrow(expect.objectContaining({ name: 'SiprecError', code }));
  });

  test('takes 32 levels, 5000 elements and 256 KiB (META-16)', () => {
    expect(parseXml(`${'<a>'.repeat(32)}${'</a>'.repeat(32)}`).root.name).toBe('a');
    expect(parseXml(`<a>${'<b/>'.repeat(4999)}</a>`).root.children).toHaveLength(4999);
    expect(parseXml(`<a>${'x'.repeat(MAX_BYTES - 7)}</a>`).root.text).toHaveLength(MAX_BYTES - 7);
  });

  test('never throws anything else, whatever the text is', () => {
    const piece = fc.constantFrom(
      ...['<', '>', '/', '!', '?', '=', '"', "'", '&', '-', '[', ']', ' ', 'a', ':', 'xml'],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        for (const xml of [pieces.join(''), `<a>${pieces.join('')}</a>`, `<a ${pieces.join('')}>`])
          outcome(xml);
      }),
      { numRuns: 500 },
    );
  });
});
