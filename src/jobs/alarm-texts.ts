import { framed, minute, type Notice, type NoticeLanguage } from './notice.ts';

/** What people are told of one alarm. */
export interface AlarmNews {
  readonly code: string;
  readonly subject?: string;
  /** One sentence; English, as in the log. */
  readonly text: string;
  /** Epoch milliseconds. */
  readonly since: number;
  /** When it ended; undefined while it lasts. */
  readonly over?: number;
}

interface Words {
  readonly began: (names: string) => string;
  readonly ended: (names: string) => string;
  readonly lasts: (name: string, since: string) => string;
  readonly over: (name: string, since: string, until: string) => string;
  readonly detail: string;
}

const WORDS: Readonly<Record<NoticeLanguage, Words>> = {
  en: {
    began: (names) => `alarm ${names}`,
    ended: (names) => `alarm over: ${names}`,
    lasts: (name, since) => `Alarm ${name} since ${since}:`,
    over: (name, since, until) => `Over: ${name}, from ${since} to ${until}:`,
    detail: 'What holds now: sealtape status',
  },
  de: {
    began: (names) => `Alarm ${names}`,
    ended: (names) => `Alarm beendet: ${names}`,
    lasts: (name, since) => `Alarm ${name} seit ${since}:`,
    over: (name, since, until) => `Beendet: ${name}, von ${since} bis ${until}:`,
    detail: 'Was jetzt gilt: sealtape status',
  },
};

/** One mail about all of them, those that last first. Times are UTC. */
export function alarmNotice(
  news: readonly AlarmNews[],
  options: { readonly language: NoticeLanguage; readonly recorder: string; readonly now: number },
): Notice {
  const words = WORDS[options.language];
  const lasting = news.filter(({ over }) => over === undefined);
  const paragraphs = [...lasting, ...news.filter(({ over }) => over !== undefined)].map((each) => {
    const since = minute(each.since);
    const name = each.subject === undefined ? each.code : `${each.code} (${each.subject})`;
    const line =
      each.over === undefined ? words.lasts(name, since) : words.over(name, since, minute(each.over));
    return `${line}\n${each.text}`;
  });
  const subject = lasting.length > 0 ? words.began(codesOf(lasting)) : words.ended(codesOf(news));
  return framed(options, subject, [...paragraphs, words.detail]);
}

const codesOf = (news: readonly AlarmNews[]): string => [...new Set(news.map(({ code }) => code))].join(', ');
