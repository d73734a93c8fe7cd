/** A mail to the people who look after the recorder. Plain text; never names of parties, numbers or audio. */
export interface Notice {
  readonly subject: string;
  readonly text: string;
}

/** Takes notices to people; `delivery/mail.ts` fits. */
export interface NoticePost {
  /** Resolves when the first server on the way has taken it over; rejects with an error whose message says why not. */
  send(notice: Notice): Promise<void>;
}

export type NoticeLanguage = 'en' | 'de';

/** A moment as every mail has it: minutes, UTC. */
export const minute = (at: number): string =>
  `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** What a mail about anything says of its recorder, and when it was written, around its own words. Times are UTC. */
export const framed = (
  { recorder, now }: { readonly recorder: string; readonly now: number },
  subject: string,
  paragraphs: readonly string[],
): Notice => ({
  subject: `[Sealtape ${recorder}] ${subject}`,
  text: `${paragraphs.join('\n\n')}\n\n${recorder}, ${minute(now)}\n`,
});
