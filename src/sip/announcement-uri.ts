import type { PlayPlan } from './play-schedule.ts';

/** What an address asks to be played (RFC 4240 §3). */
export interface AskedAnnouncement {
  readonly name: string;
  /** Two letters; absent when the call names no language. */
  readonly locale?: string;
  readonly plan: PlayPlan;
}

/** Why an address cannot be served. */
export interface BadAnnouncement {
  readonly status: 400 | 404;
  readonly detail: string;
}

/** Numbers that stand for an announcement, for PBXs that can dial nothing else. */
export type AnnouncementNumbers = Readonly<
  Record<string, { readonly play: string; readonly locale?: string | undefined }>
>;

const LONGEST = 3_600_000;
const MOST_TIMES = 1000;

/**
 * Reads `sip:annc@host;play=inbound;repeat=2;delay=500;duration=10000;locale=de`, or an address whose user part is one of the numbers. `play` is a
 * name, or a file address whose last part is one. Undefined for an address that is no announcement's. Never throws.
 */
export function announcementOf(
  uri: string,
  numbers: AnnouncementNumbers,
): AskedAnnouncement | BadAnnouncement | undefined {
  const [, user = '', tail = ''] = /^sips?:([^@;?]*)@[^;?]*([^?]*)/i.exec(uri) ?? [];
  const [plainUser = ''] = unescaped(user).split(':');
  const parameters = parametersOf(tail);
  const dialled = Object.hasOwn(numbers, plainUser) ? numbers[plainUser] : undefined;
  if (dialled !== undefined) return asked(dialled.play, dialled.locale, parameters);
  if (plainUser.toLowerCase() !== 'annc') return undefined;
  const play = parameters.get('play') ?? '';
  if (play === '') return { status: 400, detail: 'no play parameter' };
  if (/^https?:/i.test(play)) return { status: 404, detail: 'announcements are not fetched from elsewhere' };
  return asked(play, undefined, parameters);
}

function asked(
  play: string,
  usual: string | undefined,
  parameters: ReadonlyMap<string, string>,
): AskedAnnouncement | BadAnnouncement {
  const plan = planOf(parameters);
  if ('status' in plan) return plan;
  const locale = languageOf(parameters.get('locale')) ?? usual;
  return { name: nameOf(play), plan, ...(locale !== undefined && { locale }) };
}

/** `file://host/prompts/inbound.wav` is `inbound`. */
const nameOf = (play: string): string =>
  play
    .replace(/^file:.*\//i, '')
    .replace(/\.(?:wav|mp3|ogg)$/i, '')
    .toLowerCase();

/** `de-AT`, `de_AT` and `de` are one language here. */
const languageOf = (text: string | undefined): string | undefined =>
  /^([a-z]{2})(?:[-_].*)?$/i.exec(text ?? '')?.[1]?.toLowerCase();

function parametersOf(tail: string): ReadonlyMap<string, string> {
  const pairs = tail
    .split(';')
    .map((part) => /^([^=]+)=(.*)$/.exec(part.trim()))
    .flatMap((match): [string, string][] =>
      match === null
        ? []
        : [[(match[1] ?? '').toLowerCase(), unescaped(match[2] ?? '').replace(/^"|"$/g, '')]],
    );
  return new Map(pairs);
}

function planOf(parameters: ReadonlyMap<string, string>): PlayPlan | BadAnnouncement {
  const [repeat = '1', delay = '0', duration = ''] = ['repeat', 'delay', 'duration'].map((name) =>
    parameters.get(name),
  );
  // Some write -1 for it.
  const forever = /^(?:forever|-1)$/i.test(repeat);
  if (!forever && !isWithin(repeat, 1, MOST_TIMES)) return wrong('repeat', repeat);
  if (!isWithin(delay, 0, LONGEST)) return wrong('delay', delay);
  if (duration !== '' && !isWithin(duration, 1, LONGEST)) return wrong('duration', duration);
  return {
    repeat: forever ? Infinity : Number(repeat),
    delay: Number(delay),
    // Whoever hears it for ever hangs up some time; a client that is gone never does.
    duration: duration === '' ? LONGEST : Number(duration),
  };
}

const isWithin = (text: string, least: number, most: number): boolean =>
  /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most;

const wrong = (name: string, value: string): BadAnnouncement => ({
  status: 400,
  detail: `${name}=${value.slice(0, 40)} is not understood`,
});

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
