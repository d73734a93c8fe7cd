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
