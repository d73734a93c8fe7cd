import { plainText } from './plain-text.ts';
import type { XmlElement } from './xml.ts';

/** One value of a vendor's own data, flattened. */
export interface ExtensionField {
  /** Kind of the element it stood in. */
  readonly owner: string;
  /** Id of that element, '' for the document. */
  readonly id: string;
  /**
   * Local names in lower case, `calltype/origcall/callingpartynumber`; an attribute as `acdnumber@countrycode`, an element
   * with a label as `header[diversion]`.
   */
  readonly path: string;
  readonly value: string;
}

/** Far more than any vendor sends, far less than a document could hold. */
const MAX_FIELDS = 300;

/** What the model itself knows; everything else in a document belongs to a vendor. */
const MODEL = new Set([
  ...['recording', 'group', 'session', 'participant', 'stream', 'datamode'],
  ...['participantsessionassoc', 'participantstreamassoc', 'sessionrecordingassoc'],
  ...['sipsessionid', 'group-ref', 'reason', 'start-time', 'stop-time', 'end-time'],
  ...['associate-time', 'disassociate-time', 'nameid', 'aor', 'name', 'send', 'recv', 'label', 'mode'],
]);

/** Adds the values of a vendor directly inside one element of the model, at most 300 of one element. */
export function extensionFields(element: XmlElement, id: string, into: ExtensionField[]): void {
  const fields: ExtensionField[] = [];
  for (const child of element.children) {
    if (MODEL.has(child.name)) continue;
    // BroadWorks keeps it at the root and names the element it belongs to.
    const owner = { owner: element.name, id: plainText(child.attributes.get('parent') ?? id) };
    const inner = child.name === 'extensiondata' ? child.children : [child];
    for (const part of inner) flatten(part, '', { owner, fields });
  }
  into.push(...fields);
}

function flatten(
  element: XmlElement,
  above: string,
  into: { readonly owner: Pick<ExtensionField, 'owner' | 'id'>; readonly fields: ExtensionField[] },
): void {
  const label = element.attributes.get('label');
  const name = label === undefined ? element.name : `${element.name}[${plainText(label).toLowerCase()}]`;
  const path = `${above}${above === '' ? '' : '/'}${name}`;
  const add = (at: string, text: string): void => {
    const value = plainText(text);
    if (value !== '' && into.fields.length < MAX_FIELDS) into.fields.push({ ...into.owner, path: at, value });
  };
  add(path, element.text);
  for (const [attribute, value] of element.attributes)
    if (attribute !== 'label' && attribute !== '' && !attribute.startsWith('xmlns'))
      add(`${path}@${attribute}`, value);
  for (const child of element.children) flatten(child, path, into);
}

/** The fields after one more document: those of an element it names replace the older ones of that element. */
export function mergeFields(
  old: readonly ExtensionField[],
  fresh: readonly ExtensionField[],
  mode: 'complete' | 'partial',
): readonly ExtensionField[] {
  // What identifies a call does not vanish because a later document (a hold, a BYE) does not repeat it.
  if (fresh.length === 0) return old;
  if (mode === 'complete') return fresh;
  const named = new Set(fresh.map(({ owner, id }) => `${owner} ${id}`));
  return [...old.filter(({ owner, id }) => !named.has(`${owner} ${id}`)), ...fresh].slice(-MAX_FIELDS);
}
