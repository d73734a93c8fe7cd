import { randomInt } from 'node:crypto';
import { buildAnswer } from '../siprec/answer.ts';
import { SiprecError } from '../siprec/errors.ts';
import type { SessionOffer } from '../siprec/sdp.ts';
import { MAX_ANSWER_SDP } from './respond.ts';

/** What a restart must know to go on with the answers of a dialog. */
export interface AnswerState {
  readonly address: string;
  readonly sessionId: string;
  readonly version: number;
  /** '' before the first. */
  readonly last: string;
}

/** The answers of one dialog: one session id, a version that rises with every change (SDP-11, SDP-13). */
export class AnswerWriter {
  readonly #address: string;
  readonly #sessionId: string;
  #version: number;
  #last: string;

  /** `before`: what another process has answered already. */
  constructor(address: string, before?: AnswerState) {
    this.#address = address;
    this.#sessionId = before?.sessionId ?? String(randomInt(1, 2 ** 47));
    this.#version = before?.version ?? 0;
    this.#last = before?.last ?? '';
  }

  get state(): AnswerState {
    return {
      address: this.#address,
      sessionId: this.#sessionId,
      version: this.#version,
      last: this.#last,
    };
  }

  /** The answer sent last, '' before the first. */
  get last(): string {
    return this.#last;
  }

  /** Throws SiprecError NO_AUDIO, TOO_LARGE; then nothing has changed. */
  write(offer: SessionOffer, ports: ReadonlyMap<number, number>): string {
    const next = this.#build(offer, ports, this.#version + 1);
    if (withoutOrigin(next) === withoutOrigin(this.#last)) return this.#last;
    this.#version += 1;
    this.#last = next;
    return next;
  }

  /** Throws what `write` would throw, whatever ports there will be. */
  check(offer: SessionOffer): void {
    this.#build(offer, new Map(offer.lines.map(({ index }) => [index, 65_534])), this.#version + 1);
  }

  #build(offer: SessionOffer, ports: ReadonlyMap<number, number>, version: number): string {
    const text = buildAnswer(offer, { address: this.#address, ports, sessionId: this.#sessionId, version });
    if (Buffer.byteLength(text) > MAX_ANSWER_SDP)
      throw new SiprecError('TOO_LARGE', 'the answer to this offer is too long');
    return text;
  }
}

/** All behind the line `o=`, the second one, which alone tells versions apart. */
const withoutOrigin = (answer: string): string => answer.slice(answer.indexOf('\r\n', 'v=0\r\n'.length));
