import { EvidenceError } from './evidence-error.ts';

/** What the middle of a file name can say; a party's number or name, as far as known. */
export interface NameFacts {
  readonly direction: string;
  readonly caller?: string | undefined;
  readonly callee?: string | undefined;
  /** Whose call it is at the PBX, and whose group, as the client says. */
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly trunk?: string | undefined;
  readonly installation?: string | undefined;
}

/** Gives the three middle parts of `<rec>`. */
export type NameTemplate = (facts: NameFacts) => readonly string[];

const PLACEHOLDERS: readonly (keyof NameFacts)[] = [
  'direction',
  'caller',
  'callee',
  'user',
  'group',
  'trunk',
  'installation',
];
/** Of what one placeholder brings, and of a part that several make up. */
const VALUE_LENGTH = 32;
const PART_LENGTH = 40;

/**
 * Reads the middle of a name, such as `{direction}_{caller}_{callee}`: three parts, each of placeholders and literal text. Start and id are
 * around it, always, so that names sort by time and no two are the same (docs/decisions/021). Throws EvidenceError BAD_NAME at once
 * when something in it is not known.
 */
export function parseNameTemplate(template: string): NameTemplate {
  const parts = template.split('_').map((part) => parsePart(part, template));
  if (parts.length !== 3) throw fault(template, 'three parts with _ between them are needed');
  return (facts) => parts.map((part) => part(facts));
}

function parsePart(part: string, template: string): (facts: NameFacts) => string {
  if (part === '') throw fault(template, 'a part is empty');
  const pieces = part.split(/(\{[^{}]*\})/).map((piece): ((facts: NameFacts) => string) => {
    if (!/^\{.*\}$/.test(piece)) {
      if (!/^[A-Za-z0-9.+-]*$/.test(piece))
        throw fault(template, `"${piece}" has a character that names cannot have`);
      return () => piece;
    }
    const key = PLACEHOLDERS.find((known) => `{${known}}` === piece);
    if (key === undefined)
      throw fault(
        template,
        `${piece} is not known; there are {${PLACEHOLDERS.join('}, {')}}; time and id are always there`,
      );
    return (facts) => safe(facts[key] ?? '').slice(0, VALUE_LENGTH) || 'unknown';
  });
  return (facts) =>
    unreserved(
      pieces
        .map((piece) => piece(facts))
        .join('')
        .slice(0, PART_LENGTH),
    );
}

/** The underscore is allowed in a name but separates its parts, so none of them has one. */
const safe = (text: string): string => text.replace(/[^A-Za-z0-9.+-]/gu, '-');

/** `_vti_` anywhere in a name is what SharePoint keeps for itself. */
const unreserved = (part: string): string => (/^vti$/i.test(part) ? `${part}-` : part);

const fault = (template: string, what: string): EvidenceError =>
  new EvidenceError('BAD_NAME', `${JSON.stringify(template)}: ${what}`);
