import type { DeliveryStanding, DeliveryTrouble } from './delivery-standing.ts';
import { DELIVERY_CAUSES } from './delivery-causes.ts';
import { framed, minute, type Notice, type NoticeLanguage } from './notice.ts';

/** What people are told of one destination. */
export type DeliveryNews =
  | {
      readonly kind: 'began' | 'lasting';
      readonly standing: DeliveryStanding;
      readonly trouble: DeliveryTrouble;
    }
  | {
      readonly kind: 'over';
      readonly standing: DeliveryStanding;
      readonly trouble: DeliveryTrouble;
      readonly delivered: number;
    };

interface Words {
  readonly subject: (kinds: ReadonlySet<DeliveryNews['kind']>, names: string) => string;
  readonly began: (name: string) => string;
  readonly lasting: (name: string, since: string) => string;
  readonly over: (name: string, since: string, delivered: number) => string;
  readonly undelivered: (count: number) => string;
  readonly permanent: (count: number) => string;
  readonly cause: string;
  readonly detail: string;
  readonly kept: string;
}

const WORDS: Readonly<Record<NoticeLanguage, Words>> = {
  en: {
    subject: (kinds, names) =>
      kinds.has('began')
        ? `archive ${names} does not take recordings`
        : kinds.has('lasting')
          ? `archive ${names} still does not take recordings`
          : `archive ${names} takes recordings again`,
    began: (name) => `Destination "${name}" does not take recordings.`,
    lasting: (name, since) => `Destination "${name}" has not taken all recordings since ${since}.`,
    over: (name, since, delivered) =>
      `Destination "${name}" works again. Recordings delivered since ${since}: ${delivered}.`,
    undelivered: (count) => `Not delivered: ${count}.`,
    permanent: (count) =>
      `Of these, ${count} ${count === 1 ? 'needs' : 'need'} a person: trying again will not help.`,
    cause: 'Cause of the last failure',
    detail: 'More about it: sealtape deliveries',
    kept: 'Calls go on being recorded. The recordings are kept in the spool and tried again, every hour in the long run.',
  },
  de: {
    subject: (kinds, names) =>
      kinds.has('began')
        ? `Archiv ${names} nimmt keine Aufnahmen an`
        : kinds.has('lasting')
          ? `Archiv ${names} nimmt weiterhin keine Aufnahmen an`
          : `Archiv ${names} nimmt wieder Aufnahmen an`,
    began: (name) => `Das Ziel „${name}“ nimmt keine Aufnahmen an.`,
    lasting: (name, since) => `Das Ziel „${name}“ hat seit ${since} nicht alle Aufnahmen angenommen.`,
    over: (name, since, delivered) =>
      `Das Ziel „${name}“ arbeitet wieder. Seit ${since} zugestellte Aufnahmen: ${delivered}.`,
    undelivered: (count) => `Nicht zugestellt: ${count}.`,
    permanent: (count) =>
      `Davon ${count === 1 ? 'braucht' : 'brauchen'} ${count} einen Menschen: Ein neuer Versuch hilft nicht.`,
    cause: 'Grund des letzten Fehlers',
    detail: 'Mehr dazu: sealtape deliveries',
    kept: 'Gespräche werden weiter aufgenommen. Die Aufnahmen bleiben im Zwischenspeicher und werden erneut zugestellt, auf Dauer stündlich.',
  },
};

/** One mail about all destinations there is news of. Times are UTC. */
export function deliveryNotice(
  news: readonly DeliveryNews[],
  options: { readonly language: NoticeLanguage; readonly recorder: string; readonly now: number },
): Notice {
  const words = WORDS[options.language];
  const names = news.map(({ standing }) => standing.destination).join(', ');
  const kinds = new Set(news.map(({ kind }) => kind));
  const paragraphs = news.map((each) => paragraph(each, options.language));
  if (kinds.has('began') || kinds.has('lasting')) paragraphs.push(words.kept);
  return framed(options, words.subject(kinds, names), paragraphs);
}

function paragraph(news: DeliveryNews, language: NoticeLanguage): string {
  const words = WORDS[language];
  const { standing, trouble } = news;
  const { destination: name, failed, waiting, permanent, lastError } = standing;
  const since = minute(trouble.since);
  const cause = causeOf(lastError, language);
  if (news.kind === 'over') return words.over(name, since, news.delivered);
  const lines = [
    news.kind === 'began' ? words.began(name) : words.lasting(name, since),
    words.undelivered(failed + waiting),
    ...(permanent > 0 ? [words.permanent(permanent)] : []),
    ...(cause === undefined ? [] : [`${words.cause}: ${cause}.`]),
    words.detail,
  ];
  return lines.join('\n');
}

/**
 * What an error means, from the code it begins with; undefined without one. Never the rest of it: names of files and folders carry the parties'
 * numbers and names, and mail goes where archives do not.
 */
function causeOf(error: string | undefined, language: NoticeLanguage): string | undefined {
  const code = /^[A-Z][A-Z_]+(?=: )/.exec(error ?? '')?.[0];
  if (code === undefined) return undefined;
  const words = DELIVERY_CAUSES[language][code];
  return words === undefined ? code : `${words} (${code})`;
}
