import type { Alarm } from '../alarm.ts';
import { alarmNotice, type AlarmNews } from './alarm-texts.ts';
import type { NoticeLanguage, NoticePost } from './notice.ts';

export interface AlarmTellerDeps {
  readonly post: NoticePost;
  readonly language: NoticeLanguage;
  /** Names this recorder in subjects. */
  readonly recorder: string;
  readonly now: () => number;
  readonly log: (level: 'warn', message: string, fields: Record<string, unknown>) => void;
  /** Milliseconds, see below; for tests. */
  readonly gather?: number;
  readonly pause?: number;
}

/** Alarms that come together are one mail. */
const GATHER = 10_000;
/** Between two mails: a condition that comes and goes must not fill a mailbox. Also until the next try where a mail could not be sent. */
const PAUSE = 300_000;
/** Conditions told in one mail; a flood of one code needs no more to be seen. */
const MOST = 50;
/** Deliveries that fail are told by mails of their own, with numbers. */
const TOLD_ELSEWHERE = 'destination-failing';

/** Tells people by mail which critical alarms begin, and when they are over. What an earlier process told is not known. */
export class AlarmTeller {
  readonly #deps: AlarmTellerDeps;
  /** By code and subject; what is still to be told. */
  readonly #news = new Map<string, AlarmNews>();
  /** Whose beginning was told. */
  readonly #told = new Set<string>();
  #lastMail = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #closed = false;

  constructor(deps: AlarmTellerDeps) {
    this.#deps = deps;
  }

  /** An alarm began, grew worse or ended. Never throws, never waits. */
  changed({
    alarm,
    active,
  }: {
    readonly alarm: Alarm & { readonly since: number };
    readonly active: boolean;
  }): void {
    const { code, subject, severity, text, since } = alarm;
    if (code === TOLD_ELSEWHERE) return;
    const key = `${code} ${subject ?? ''}`;
    const lasts = active && severity === 'critical';
    // Nobody needs to hear the end of what nobody was told.
    const isKnown = this.#news.has(key) || this.#told.has(key);
    if (!isKnown && (!lasts || this.#news.size >= MOST)) return;
    const over = lasts ? {} : { over: this.#deps.now() };
    this.#news.set(key, { code, ...(subject !== undefined && { subject }), text, since, ...over });
    this.#tellSoon();
  }

  /** Tells what is left, once. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#sending;
    if (this.#news.size > 0) await this.#send();
  }

  #tellSoon(): void {
    if (this.#closed || this.#sending !== undefined) return;
    const { gather = GATHER, pause = PAUSE, now } = this.#deps;
    const wait = Math.max(gather, this.#lastMail + pause - now());
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#sending = this.#send().finally(() => {
        this.#sending = undefined;
        if (this.#news.size > 0) this.#tellSoon();
      });
    }, wait).unref();
  }

  async #send(): Promise<void> {
    const { post, log, now, language, recorder } = this.#deps;
    const news = new Map(this.#news);
    this.#lastMail = now();
    try {
      await post.send(alarmNotice([...news.values()], { language, recorder, now: now() }));
    } catch (error) {
      const why = (error as { readonly message?: string }).message ?? String(error);
      log('warn', 'people could not be told of alarms by mail', { error: why });
      return;
    }
    for (const [key, told] of news) {
      if (told.over === undefined) this.#told.add(key);
      else this.#told.delete(key);
      // What changed while the mail was under way is told with the next.
      if (this.#news.get(key) === told) this.#news.delete(key);
    }
  }
}
