import { splitSource } from '../receiver/source-keys.ts';
import { composeError, composeSuccess, isAuthentic, readBindingRequest } from './stun-message.ts';
import type { BindingRequest } from './stun-message.ts';

/** What offer and answer say of ICE on a line (RFC 8839 §5.4). Plain data: it crosses to the media thread. */
export interface IceTerms {
  readonly ufrag: string;
  /** Ours, with which checks are signed. */
  readonly password: string;
  readonly theirUfrag: string;
}

/** The port of the audio, and that of reports of its own (RFC 8445 §4). */
export type Component = 1 | 2;

export interface IceHost {
  /** Answers from the port that the check came to. */
  send(component: Component, datagram: Buffer, to: string): void;
  /** One line for people: how it stands. */
  state(text: string): void;
  /** A sound check came: the client still takes part in the call (RFC 7675). */
  checked(): void;
}

/** Checks answered a second at most on one line. An agent sends twenty (RFC 8445 §14.2), and repeats some. */
const MOST_A_SECOND = 100;

/**
 * ICE on one line as a lite agent does it (RFC 8445 §2.5): it has host candidates alone, sends no checks, and answers those of the client,
 * which decides. Its checks go on for the whole call as the client's proof that it may still send (RFC 7675).
 */
export class IceLine {
  readonly #host: IceHost;
  /** What was agreed last, and what was before a restart: its pair is in use until there is a new one (RFC 8445 §9). */
  #terms: readonly IceTerms[];
  readonly #nominated = new Map<Component, string>();
  #status = 'ICE, no check came';
  #second = 0;
  #answered = 0;

  constructor(terms: IceTerms, host: IceHost) {
    this.#terms = [terms];
    this.#host = host;
    host.state(this.#status);
  }

  get status(): string {
    return this.#status;
  }

  /** Where the client wants to be spoken to, `address:port`, once it has decided. */
  nominated(component: Component): string | undefined {
    return this.#nominated.get(component);
  }

  /** Takes what a re-offer says; other words than before restart ICE. */
  update(terms: IceTerms): void {
    const [present] = this.#terms;
    if (present?.ufrag === terms.ufrag && present.theirUfrag === terms.theirUfrag) return;
    this.#terms = [terms, ...this.#terms.slice(0, 1)];
  }

  /**
   * Takes STUN of a sender that the trunk allows; `at` in ms. Answers checks of the client this line was agreed on with, and says to others
   * that they are none; everything else is passed over. Never throws.
   */
  take(component: Component, message: Buffer, source: string, at: number): void {
    const request = readBindingRequest(message);
    const place = splitSource(source);
    if (request === undefined || place === undefined || !this.#mayAnswer(at)) return;
    const terms = this.#termsOf(request);
    const refusal = refusalOf(request, terms);
    if (refusal !== undefined || terms === undefined) {
      const known = refusal === 420 || refusal === 487 ? terms?.password : undefined;
      this.#host.send(component, composeError(request, refusal ?? 401, known), source);
      return;
    }
    this.#host.send(component, composeSuccess(request, place, terms.password), source);
    this.#host.checked();
    // What belongs to the time before a restart chooses nothing any more.
    if (terms === this.#terms[0]) this.#note(component, request, source);
  }

  #note(component: Component, { usesCandidate }: BindingRequest, source: string): void {
    if (usesCandidate) this.#nominated.set(component, source);
    const chosen = this.#nominated.get(1);
    this.#say(chosen === undefined ? 'ICE, checked, nothing chosen' : `ICE, ${chosen} chosen`);
  }

  #say(text: string): void {
    if (text === this.#status) return;
    this.#status = text;
    this.#host.state(text);
  }

  #termsOf({ username }: BindingRequest): IceTerms | undefined {
    return this.#terms.find(({ ufrag, theirUfrag }) => username === `${ufrag}:${theirUfrag}`);
  }

  #mayAnswer(at: number): boolean {
    const second = Math.floor(at / 1000);
    if (second !== this.#second) this.#answered = 0;
    this.#second = second;
    this.#answered += 1;
    return this.#answered <= MOST_A_SECOND;
  }
}

/** The code with which a check is turned away (RFC 8489 §9.1.3, §6.3.1; RFC 8445 §7.3.1.1); undefined for a sound one. */
function refusalOf(request: BindingRequest, terms: IceTerms | undefined): number | undefined {
  if (request.integrityAt === undefined || request.username === undefined) return 400;
  if (terms === undefined || !isAuthentic(request, terms.password)) return 401;
  if (request.unknown.length > 0) return 420;
  // A lite agent is always the controlled one; the other end has to change its mind.
  return request.isControlled ? 487 : undefined;
}
