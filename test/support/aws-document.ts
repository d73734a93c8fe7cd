/** What stands in an element: text, elements, or several of the same name. */
export type XmlValue =
  string | number | boolean | undefined | readonly XmlValue[] | { readonly [name: string]: XmlValue };

/** A document as Amazon S3 writes it. */
export const xmlDocument = (name: string, value: XmlValue): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${elementOf(name, value)}`;

function elementOf(name: string, value: XmlValue): string {
  if (value === undefined) return '';
  if (isList(value)) return value.map((each) => elementOf(name, each)).join('');
  const inner =
    typeof value === 'object'
      ? Object.entries(value)
          .map(([key, each]) => elementOf(key, each))
          .join('')
      : escape(String(value));
  return `<${name}>${inner}</${name}>`;
}

const isList = (value: XmlValue): value is readonly XmlValue[] => Array.isArray(value);

const escape = (text: string): string => text.replace(/[&<>"\r]/g, (each) => `&#${each.charCodeAt(0)};`);

/** The text of the first element of a name in a document that a client has sent. */
export const elementIn = (document: string, name: string): string | undefined =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(document)?.[1];
