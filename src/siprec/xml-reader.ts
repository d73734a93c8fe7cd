import { SiprecError } from './errors.ts';
import { decodeReferences, hasStrayAmpersand } from './xml-text.ts';

/** An element by its local name; prefix and namespace are dropped, names are in lower case (META-2). */
export interface XmlElement {
  readonly name: string;
  /** By local name in lower case; declarations of namespaces are left out. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Its own text, trimmed. */
  readonly text: string;
}

const MAX_DEPTH = 32;
const MAX_ELEMENTS = 5000;
/** Of one element. */
const MAX_ATTRIBUTES = 64;
const MAX_NAMESPACES = 20;
const LONGEST_NAMESPACE = 200;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const BLANK = 0x20;
const EXCLAMATION = 0x21;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const SLASH = 0x2f;
const LESS = 0x3c;
const EQUALS = 0x3d;
const GREATER = 0x3e;
const QUESTION = 0x3f;

/** XML 1.0 §2.3. */
const NAME =
  /^[:A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd][:A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd.0-9\u00b7\u0300-\u036f\u203f\u2040-]*$/;

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();

/** An element while it is being read. */
class Element implements XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: Element[] = [];
  text = '';
  /** As written, which its end must repeat. */
  readonly tag: string;

  constructor(tag: string, attributes: ReadonlyMap<string, string>) {
    this.tag = tag;
    this.name = localName(tag);
    this.attributes = attributes;
  }
}

/** What other readers of XML would take for a property of every object; META-16. */
const DANGEROUS = new Set(['__proto__', 'constructor', 'prototype']);

const localName = (name: string): string => name.slice(name.indexOf(':') + 1).toLowerCase();

const isBlank = (code: number): boolean => code === BLANK || code === LF || code === CR || code === TAB;

/**
 * Reads one document, from its first character to its last in one pass: elements, attributes, text and CDATA sections; comments and
 * instructions are passed over. Knows no document types, so there is nothing that could be expanded.
 */
export class XmlReader {
  readonly #document: string;
  readonly #namespaces = new Set<string>();
  #at = 0;
  #elements = 0;
  #stray = false;

  /** `document` without blanks around it. */
  constructor(document: string) {
    this.#document = document;
  }

  get namespaces(): readonly string[] {
    return [...this.#namespaces];
  }

  /** Whether an `&` was taken literally that should have been escaped. */
  get hasStrayAmpersand(): boolean {
    return this.#stray;
  }

  /** The root element. Throws SiprecError BAD_XML with the line, TOO_LARGE. Call it once. */
  read(): XmlElement {
    const open: Element[] = [];
    let root: Element | undefined;
    while (this.#at < this.#document.length) {
      const parent = open.at(-1);
      if (this.#document.charCodeAt(this.#at) !== LESS) {
        this.#readText(parent);
      } else if (this.#document.charCodeAt(this.#at + 1) === SLASH) {
        this.#readEnd(open);
      } else if (!this.#passOver(parent)) {
        if (parent === undefined && root !== undefined) throw this.#fault('a second root element');
        if (open.length >= MAX_DEPTH) throw this.#fault('elements nested too deeply');
        const element = this.#readStart(open);
        parent?.children.push(element);
        root ??= element;
      }
    }
    if (root === undefined) throw new SiprecError('BAD_XML', 'not exactly one root element');
    const unclosed = open.at(-1);
    if (unclosed !== undefined) throw this.#fault(`<${unclosed.tag.slice(0, 40)}> has no end`);
    return root;
  }

  #fault(what: string): SiprecError {
    const line = this.#document.slice(0, this.#at).split('\n').length;
    return new SiprecError('BAD_XML', `line ${line}: ${what}`);
  }

  /** Up to the next tag, which is left. */
  #readText(parent: Element | undefined): void {
    const from = this.#at;
    const next = this.#document.indexOf('<', from);
    const end = next === -1 ? this.#document.length : next;
    while (this.#at < end && isBlank(this.#document.charCodeAt(this.#at))) this.#at++;
    if (this.#at === end) {
      if (parent !== undefined && parent.text !== '') parent.text += this.#document.slice(from, end);
      return;
    }
    if (parent === undefined) throw this.#fault('text outside of the root element');
    this.#at = end;
    parent.text += this.#decode(this.#document.slice(from, end));
  }

  #decode(raw: string): string {
    if (!this.#stray && hasStrayAmpersand(raw)) this.#stray = true;
    return decodeReferences(raw);
  }

  /** Comments, instructions and CDATA sections. False at a tag. */
  #passOver(parent: Element | undefined): boolean {
    const kind = this.#document.charCodeAt(this.#at + 1);
    if (kind === QUESTION) {
      const late = this.#at > 0 && /^<\?xml\s/i.test(this.#document.slice(this.#at, this.#at + 6));
      if (late) throw this.#fault('an XML declaration that is not at the beginning');
      this.#between(2, '?>');
      return true;
    }
    if (kind !== EXCLAMATION) return false;
    if (this.#document.startsWith('--', this.#at + 2)) {
      this.#between(4, '-->');
    } else if (parent !== undefined && this.#document.startsWith('[CDATA[', this.#at + 2)) {
      parent.text += this.#between(9, ']]>');
    } else {
      throw this.#fault('a declaration');
    }
    return true;
  }

  /** What stands behind a beginning of so many characters and before `end`, which is passed. */
  #between(beginning: number, end: string): string {
    const from = this.#at + beginning;
    const to = this.#document.indexOf(end, from);
    if (to === -1) throw this.#fault(`no ${end}`);
    this.#at = to + end.length;
    return this.#document.slice(from, to);
  }

  #readEnd(open: Element[]): void {
    const tag = this.#between(2, '>').trimEnd();
    const element = open.pop();
    if (element?.tag !== tag) throw this.#fault(`</${tag.slice(0, 40)}> ends nothing`);
    element.text = element.text.trim();
  }

  /** A start tag; one that is not its own end is left in `open`. */
  #readStart(open: Element[]): Element {
    this.#elements += 1;
    if (this.#elements > MAX_ELEMENTS) throw new SiprecError('TOO_LARGE', 'metadata has too many elements');
    this.#at += 1;
    const tag = this.#readName();
    let attributes: Map<string, string> | undefined;
    let written: string[] | undefined;
    for (;;) {
      const apart = this.#skipBlanks();
      const code = this.#document.charCodeAt(this.#at);
      if (code === GREATER || code === SLASH) break;
      if (!apart) throw this.#fault('no blank before an attribute');
      this.#readAttribute((attributes ??= new Map<string, string>()), (written ??= []));
    }
    const element = new Element(tag, attributes ?? NO_ATTRIBUTES);
    if (DANGEROUS.has(element.name)) throw this.#fault(`an element ${element.name}`);
    if (this.#document.charCodeAt(this.#at) === GREATER) open.push(element);
    else if (this.#document.charCodeAt(++this.#at) !== GREATER) throw this.#fault('a / inside of a tag');
    this.#at += 1;
    return element;
  }

  #skipBlanks(): boolean {
    const from = this.#at;
    while (isBlank(this.#document.charCodeAt(this.#at))) this.#at++;
    return this.#at > from;
  }

  #readName(): string {
    const from = this.#at;
    for (; this.#at < this.#document.length; this.#at++) {
      const code = this.#document.charCodeAt(this.#at);
      if (isBlank(code) || code === SLASH || code === GREATER || code === EQUALS || code === LESS) break;
    }
    const name = this.#document.slice(from, this.#at);
    if (!NAME.test(name)) throw this.#fault(`${name.slice(0, 40)} is not a name`);
    return name;
  }

  #readAttribute(attributes: Map<string, string>, written: string[]): void {
    const name = this.#readName();
    if (written.length >= MAX_ATTRIBUTES)
      throw new SiprecError('TOO_LARGE', 'an element has too many attributes');
    if (written.includes(name)) throw this.#fault(`attribute ${name.slice(0, 40)} is repeated`);
    written.push(name);
    this.#skipBlanks();
    if (this.#document.charCodeAt(this.#at) !== EQUALS)
      throw this.#fault(`attribute ${name.slice(0, 40)} has no value`);
    this.#at += 1;
    this.#skipBlanks();
    const quote = this.#document.charCodeAt(this.#at);
    if (quote !== QUOTE && quote !== APOSTROPHE)
      throw this.#fault(`the value of ${name.slice(0, 40)} is not in quotes`);
    const raw = this.#between(1, quote === QUOTE ? '"' : "'");
    if (name === 'xmlns' || name.startsWith('xmlns:')) this.#declare(raw);
    else attributes.set(localName(name), this.#decode(raw).trim());
  }

  #declare(uri: string): void {
    if (uri === '' || uri.length > LONGEST_NAMESPACE || /["'<]/.test(uri)) return;
    if (this.#namespaces.size < MAX_NAMESPACES) this.#namespaces.add(uri);
  }
}
