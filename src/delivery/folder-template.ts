import { DeliveryError } from './delivery-error.ts';

/** What a folder can be made of; a party's number or name, as far as known. */
export interface FolderFacts {
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly direction: string;
  readonly caller?: string | undefined;
  readonly callee?: string | undefined;
  /** Whose call it is at the PBX, and whose group, as the client says. */
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly trunk: string;
  readonly installation: string;
}

/** Gives the folder of a recording, with `/` between its parts and none at the ends; '' for the root itself. */
export type FolderTemplate = (facts: FolderFacts) => string;

type Part = (facts: FolderFacts, clock: Clock) => string;
type Clock = Readonly<Record<'year' | 'month' | 'day' | 'hour', string>>;

const PLACEHOLDERS: Readonly<Record<string, Part>> = {
  yyyy: (_facts, clock) => clock.year,
  MM: (_facts, clock) => clock.month,
  dd: (_facts, clock) => clock.day,
  HH: (_facts, clock) => clock.hour,
  direction: (facts) => facts.direction,
  caller: (facts) => facts.caller ?? '',
  callee: (facts) => facts.callee ?? '',
  user: (facts) => facts.user ?? '',
  group: (facts) => facts.group ?? '',
  trunk: (facts) => facts.trunk,
  installation: (facts) => facts.installation,
};

/**
 * Reads a template such as `{yyyy}/{MM}/{dd}`; date and hour are those of `timeZone` (an IANA name). Throws DeliveryError
 * BAD_TEMPLATE at once when something in it is not known, so that a mistake shows when the configuration is read.
 */
export function parseFolderTemplate(template: string, timeZone: string): FolderTemplate {
  const parts = template
    .split('/')
    .filter((part) => part !== '')
    .map((part) => parsePart(part, template));
  const clockAt = clockIn(timeZone);
  return (facts) => {
    const clock = clockAt(facts.startedAt);
    return parts.map((part) => part(facts, clock)).join('/');
  };
}

/**
 * Names that Windows, its shares, OneDrive or SharePoint keep for themselves, in any case: devices, also with an ending, and files of theirs.
 */
const RESERVED = /^(?:(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?|desktop\.ini|\.lock|forms)$|_vti_/i;

/** Literal text must be a usable folder name as it stands; only what placeholders bring is made one. */
function parsePart(part: string, template: string): Part {
  if (RESERVED.test(part))
    throw fault(template, `"${part}" is a name that Windows or SharePoint keeps for itself`);
  if (/^\.\.?$/.test(part)) throw fault(template, `"${part}" is not a folder name`);
  const pieces = part.split(/(\{[^{}]*\})/).map((piece): Part => {
    if (!/^\{.*\}$/.test(piece)) {
      if (/[{}\p{C}\\:*?"<>|]/u.test(piece))
        throw fault(template, `"${piece}" has a character that folders cannot have`);
      return () => piece;
    }
    const name = piece.slice(1, -1);
    const placeholder = Object.hasOwn(PLACEHOLDERS, name) ? PLACEHOLDERS[name] : undefined;
    if (placeholder === undefined)
      throw fault(template, `${piece} is not known; there are {${Object.keys(PLACEHOLDERS).join('}, {')}}`);
    return (facts, clock) => cleaned(placeholder(facts, clock));
  });
  return (facts, clock) => asFolderName(pieces.map((piece) => piece(facts, clock)).join(''));
}

/** The characters of file names (evidence.md 1.3); everything else, also `/`, becomes `-`. */
const cleaned = (value: string): string =>
  value.slice(0, 100).replaceAll(/[^A-Za-z0-9._+-]/g, '-') || 'unknown';

function asFolderName(name: string): string {
  const folder = name.slice(0, 200).replace(/[. ]+$/, (end) => '-'.repeat(end.length));
  return RESERVED.test(folder) ? `-${folder.replaceAll(/_vti_/gi, '-vti-')}` : folder;
}

function clockIn(timeZone: string): (at: number) => Clock {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      hourCycle: 'h23',
    });
  } catch (error) {
    throw new DeliveryError('BAD_TEMPLATE', `${JSON.stringify(timeZone)} is not a time zone`, {
      cause: error,
    });
  }
  return (at) => {
    const found = format.formatToParts(at);
    const of = (type: keyof Clock): string => found.find((part) => part.type === type)?.value ?? '';
    return { year: of('year').padStart(4, '0'), month: of('month'), day: of('day'), hour: of('hour') };
  };
}

const fault = (template: string, what: string): DeliveryError =>
  new DeliveryError('BAD_TEMPLATE', `folder ${JSON.stringify(template)}: ${what}`);
