import { decodeXml } from './encoding.ts';
import { SiprecError } from './errors.ts';
import { extensionFields, type ExtensionField } from './extension.ts';
import { optional, present } from './optional.ts';
import { ownList } from './own-copy.ts';
import { plainText } from './plain-text.ts';
import { parseTime, type MetadataTime } from './timestamp.ts';
import { MAX_BYTES, parseXml, type XmlElement } from './xml.ts';

export interface SessionElement {
  readonly id: string;
  readonly group?: string;
  readonly sipSessionIds: readonly string[];
  readonly startedAt?: MetadataTime;
  readonly stoppedAt?: MetadataTime;
  readonly reason?: string;
}

export interface ParticipantElement {
  readonly id: string;
  readonly session?: string;
  /** One per nameID; a participant may have several (META-11). */
  readonly names: readonly { readonly aor?: string; readonly name?: string }[];
  /** Stream ids of send and recv nested in the participant (draft dialects); undefined when there are none. */
  readonly streams?: StreamUse;
  readonly associatedAt?: MetadataTime;
  readonly disassociatedAt?: MetadataTime;
}

interface StreamUse {
  readonly sends: readonly string[];
  readonly receives: readonly string[];
}

export interface StreamElement {
  readonly id: string;
  readonly session?: string;
  readonly label?: string;
  /** `separate` or `mixed` in the draft dialects. */
  readonly mode?: string;
}

export interface SessionAssociation {
  readonly participant: string;
  readonly session: string;
  readonly associatedAt?: MetadataTime;
  readonly disassociatedAt?: MetadataTime;
}

interface StreamAssociation extends StreamUse {
  readonly participant: string;
}

/** One metadata document, whatever its dialect. Identifiers are opaque; references may dangle. */
export interface MetadataUpdate {
  readonly mode: 'complete' | 'partial';
  readonly groups: readonly string[];
  readonly sessions: readonly SessionElement[];
  readonly participants: readonly ParticipantElement[];
  readonly streams: readonly StreamElement[];
  readonly sessionAssociations: readonly SessionAssociation[];
  readonly streamAssociations: readonly StreamAssociation[];
  /** What vendors add of their own. */
  readonly extensions: readonly ExtensionField[];
  /** `broadworks` is the dialect whose ids do not outlive a redirection (siprec-interop.md 2.5). */
  readonly dialect: 'standard' | 'broadworks';
  readonly namespaces: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads rs-metadata in the dialects of siprec-interop.md 2.2: RFC 7865 and the draft namespaces, by local name. Never
 * validates against a schema (META-3). Octets are decoded first, see `decodeXml`; `charset` is the parameter of their media
 * type. Throws SiprecError BAD_XML, TOO_LARGE.
 */
export function parseMetadata(xml: string | Uint8Array, charset?: string): MetadataUpdate {
  if (typeof xml !== 'string' && xml.length > MAX_BYTES)
    throw new SiprecError('TOO_LARGE', 'metadata larger than 256 KiB');
  const decoded = typeof xml === 'string' ? { text: xml, warnings: [] } : decodeXml(xml, charset);
  const { root, namespaces, warnings } = parseXml(decoded.text);
  if (root.name !== 'recording' && root.name !== 'recording_metadata')
    throw new SiprecError('BAD_XML', `root element ${root.name.slice(0, 40)} is not a recording`);
  const elements: XmlElement[] = [root];
  flatten(root, elements);
  const byName = grouped(elements);
  const all = [...decoded.warnings, ...warnings];
  const named = (name: string): readonly XmlElement[] => byName.get(name) ?? NONE;
  return {
    mode: modeOf(named('datamode')[0], all),
    groups: named('group').map((group) => identify(group)),
    sessions: unique(named('session').map(sessionOf), 'session', all),
    participants: unique(named('participant').map(participantOf), 'participant', all),
    streams: unique(named('stream').map(streamOf), 'stream', all),
    sessionAssociations: named('participantsessionassoc').map(sessionAssociationOf),
    streamAssociations: named('participantstreamassoc').map((element) => ({
      participant: reference(element, 'participant'),
      ...streamUse(element),
    })),
    extensions: extensionsOf(elements),
    dialect: root.name === 'recording_metadata' ? 'broadworks' : 'standard',
    namespaces,
    warnings: all,
  };
}

/** Elements in which vendors put data of their own. */
const OWNERS = new Set(['recording', 'recording_metadata', 'group', 'session', 'participant', 'stream']);
const MAX_EXTENSIONS = 500;

/** Elements of these names hold others of the model, in one dialect or another. */
const CONTAINERS = new Set(['recording', 'group', 'session']);

const NONE: readonly XmlElement[] = [];

/** Adds the model's elements wherever a dialect puts them; what is inside `extensiondata` is another matter. */
function flatten(element: XmlElement, into: XmlElement[]): void {
  for (const child of element.children) {
    into.push(child);
    if (CONTAINERS.has(child.name)) flatten(child, into);
  }
}

/** All but the first, which is the root, by their names. */
function grouped(elements: readonly XmlElement[]): ReadonlyMap<string, readonly XmlElement[]> {
  const groups = new Map<string, XmlElement[]>();
  for (const element of elements.slice(1)) {
    const group = groups.get(element.name);
    if (group === undefined) groups.set(element.name, [element]);
    else group.push(element);
  }
  return groups;
}

function extensionsOf(elements: readonly XmlElement[]): readonly ExtensionField[] {
  const fields: ExtensionField[] = [];
  for (const element of elements)
    if (OWNERS.has(element.name)) extensionFields(element, identify(element), fields);
  return fields.length > MAX_EXTENSIONS ? fields.slice(0, MAX_EXTENSIONS) : fields;
}

function modeOf(element: XmlElement | undefined, warnings: string[]): 'complete' | 'partial' {
  const mode = element?.text.toLowerCase() ?? 'complete';
  if (mode === 'partial') return 'partial';
  // RFC 7865 §5.1.2: a missing mode means complete.
  if (mode !== 'complete' && mode !== '') warnings.push(`metadata has data mode ${mode.slice(0, 40)}`);
  return 'complete';
}

/** META-6: the same id twice in one document; the first one counts. */
function unique<T extends { readonly id: string }>(
  items: readonly T[],
  kind: string,
  warnings: string[],
): readonly T[] {
  const known = new Map<string, T>();
  for (const item of items) {
    if (known.has(item.id)) warnings.push(`metadata has a second ${kind} with the id of the first`);
    else known.set(item.id, item);
  }
  return [...known.values()];
}

function sessionOf(element: XmlElement): SessionElement {
  const group = child(element, 'group-ref')?.text ?? reference(element, 'group');
  return {
    id: identify(element),
    // Line breaks inside these two are in RFC 8068's own examples.
    sipSessionIds: children(element, 'sipsessionid').map(({ text }) => plainText(withoutBlanks(text))),
    ...(group !== '' && { group: withoutBlanks(group) }),
    ...optional('startedAt', timeOf(element, 'start-time')),
    // CUBE writes end-time.
    ...optional('stoppedAt', timeOf(element, 'stop-time') ?? timeOf(element, 'end-time')),
    ...optional('reason', filled(plainText(child(element, 'reason')?.text ?? ''))),
  };
}

function participantOf(element: XmlElement, index: number): ParticipantElement {
  const session = reference(element, 'session');
  const use = streamUse(element);
  const names = [...children(element, 'nameid'), element].map((source) => {
    const aor = source.attributes.get('aor') ?? child(source, 'aor')?.text ?? '';
    return present({
      aor: filled(plainText(withoutBlanks(aor))),
      name: filled(plainText(child(source, 'name')?.text ?? '')),
    });
  });
  return {
    // Without an id nothing can refer to it, but it is still somebody.
    id: identify(element) || `#${index + 1}`,
    names: ownList(names.filter((entry) => entry.aor !== undefined || entry.name !== undefined)),
    ...(session !== '' && { session }),
    ...(use.sends.length + use.receives.length > 0 && { streams: use }),
    ...associationTimes(element),
  };
}

function streamOf(element: XmlElement): StreamElement {
  const session = reference(element, 'session');
  return {
    id: identify(element),
    ...(session !== '' && { session }),
    ...optional('label', filled(plainText(child(element, 'label')?.text ?? ''))),
    ...optional('mode', filled(child(element, 'mode')?.text.toLowerCase())),
  };
}

const sessionAssociationOf = (element: XmlElement): SessionAssociation => ({
  participant: reference(element, 'participant'),
  session: reference(element, 'session'),
  ...associationTimes(element),
});

/** `send` and `recv` name a stream by their text or by an `id` inside them. */
const streamUse = (element: XmlElement): StreamUse => ({
  sends: streamIds(element, 'send'),
  receives: streamIds(element, 'recv'),
});

const streamIds = (element: XmlElement, name: string): readonly string[] =>
  ownList(
    children(element, name)
      .map((use) => plainText(child(use, 'id')?.text ?? use.text))
      .filter((id) => id !== ''),
  );

const associationTimes = (
  element: XmlElement,
): { readonly associatedAt?: MetadataTime; readonly disassociatedAt?: MetadataTime } =>
  present({
    associatedAt: timeOf(element, 'associate-time'),
    disassociatedAt: timeOf(element, 'disassociate-time'),
  });

const children = (element: XmlElement, name: string): readonly XmlElement[] =>
  element.children.filter((candidate) => candidate.name === name);

const child = (element: XmlElement, name: string): XmlElement | undefined =>
  element.children.find((candidate) => candidate.name === name);

/** An element's own id: `id` or `<element>_id` (siprec-interop.md 2.2). */
const identify = (element: XmlElement): string =>
  plainText(element.attributes.get(`${element.name}_id`) ?? element.attributes.get('id') ?? '');

/** A reference to another element: `<other>_id` or `<other>`. */
const reference = (element: XmlElement, other: string): string =>
  plainText(element.attributes.get(`${other}_id`) ?? element.attributes.get(other) ?? '');

function timeOf(element: XmlElement, name: string): MetadataTime | undefined {
  const text = filled(plainText(child(element, name)?.text ?? ''));
  return text === undefined ? undefined : parseTime(text);
}

const filled = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

const withoutBlanks = (text: string): string => (/\s/.test(text) ? text.replace(/\s+/g, '') : text);
