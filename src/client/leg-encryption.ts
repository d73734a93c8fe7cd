import { threadSrtp } from '../media/srtp/load-engine.ts';
import { newMasterKey, SrtpSender } from '../media/srtp/srtp-sender.ts';
import type { SuiteName } from '../media/srtp/suites.ts';
import { ClientError } from './client-error.ts';

/** How a test call encrypts its audio. */
export interface CallEncryption {
  readonly suite: SuiteName;
  /** Offers RTP/AVP with keys, for the server to take or to leave (RFC 8643). */
  readonly optional?: boolean;
  /** A new key in the re-INVITE that resumes the call. */
  readonly rekey?: boolean;
  /** Sends under another key than the offer names, as a broken client or an attacker would. */
  readonly wrongKey?: boolean;
  /** Told of every key of ours and of the server's, for those who look where keys must not be. */
  readonly onKey?: (key: Buffer) => void;
}

/** `a=crypto` as sdp-transform has it. */
export interface CryptoLine {
  readonly id: number;
  readonly suite: string;
  readonly config: string;
}

/** The keys of one leg: what the offer says of them, what the answer has to say, and the packets under them. */
export class LegEncryption {
  readonly #wish: CallEncryption;
  #key: Buffer;
  #sender: SrtpSender | undefined;
  /** The server left it at plain RTP. */
  #plain = false;

  constructor(wish: CallEncryption) {
    this.#wish = wish;
    this.#key = this.#newKey();
  }

  get profile(): string {
    return this.#wish.optional === true ? 'RTP/AVP' : 'RTP/SAVP';
  }

  /** The lines of the next offer. */
  get cryptos(): CryptoLine[] {
    return [{ id: 1, suite: this.#wish.suite, config: `inline:${this.#key.toString('base64')}|2^31` }];
  }

  /** Crypto suite in use, or `none`. */
  get name(): string {
    return this.#plain ? 'none' : this.#wish.suite;
  }

  /** Takes a new key; the packets before the next answer go out under the old one. */
  renew(): void {
    if (this.#wish.rekey === true) this.#key = this.#newKey();
  }

  /** Throws ClientError BAD_ANSWER when the answer is none to our offer (RFC 4568 §5.1.3). */
  answered(cryptos: readonly CryptoLine[]): void {
    const [crypto, ...more] = cryptos;
    this.#plain = crypto === undefined && this.#wish.optional === true;
    if (this.#plain) return;
    if (crypto?.id !== 1 || crypto.suite !== this.#wish.suite || more.length > 0)
      throw new ClientError('BAD_ANSWER', 'the answer does not take the key we offered');
    if (crypto.config.includes(this.#key.toString('base64')))
      throw new ClientError('BAD_ANSWER', 'the answer repeats our own key');
    const { suite, wrongKey, onKey } = this.#wish;
    onKey?.(Buffer.from(crypto.config.slice('inline:'.length), 'base64'));
    const bytes = wrongKey === true ? newMasterKey(suite) : this.#key;
    this.#sender = new SrtpSender(threadSrtp(), { suite, masters: [{ bytes }] });
  }

  /** The packet as it goes out. */
  protect(packet: Buffer): Buffer {
    if (this.#sender === undefined) return packet;
    const room = Buffer.concat([packet, Buffer.alloc(this.#sender.overhead)]);
    return room.subarray(0, this.#sender.protect(room, packet.length));
  }

  #newKey(): Buffer {
    const key = newMasterKey(this.#wish.suite);
    this.#wish.onKey?.(key);
    return key;
  }
}
