import { randomInt } from 'node:crypto';
import { FRAME_MS, type ClipEncoding } from '../media/clip.ts';
import { formatCrypto } from '../siprec/crypto-attribute.ts';
import { SiprecError } from '../siprec/errors.ts';
import type { OfferedFormat, OfferedLine, SessionOffer } from '../siprec/sdp.ts';

/** On which line of an offer we play, and in what. */
export interface PlayLine {
  readonly line: OfferedLine;
  readonly encoding: ClipEncoding;
  readonly payloadType: number;
}

const RTPMAP: Readonly<Record<ClipEncoding, string>> = {
  PCMA: 'PCMA/8000',
  PCMU: 'PCMU/8000',
  G722: 'G722/8000',
  OPUS: 'opus/48000/2',
};

/** Numbers of our own offer; those below 96 are registered (RFC 3551 table 4). */
const NUMBERS: Readonly<Record<ClipEncoding, number>> = { PCMA: 8, PCMU: 0, G722: 9, OPUS: 111 };

/**
 * The first line that wants to hear something we can send, in the client's order of formats. Throws SiprecError NO_AUDIO with the reason when
 * there is none. `secureOffer` has decided about the offer.
 */
export function choosePlayLine(offer: SessionOffer, playable: readonly ClipEncoding[]): PlayLine {
  const reasons: string[] = [];
  for (const line of offer.lines) {
    const reason = whyNot(line);
    const format = reason === undefined ? line.formats.find((each) => fits(each, playable)) : undefined;
    if (format !== undefined)
      return { line, encoding: format.encoding as ClipEncoding, payloadType: format.payloadType };
    reasons.push(`m-line ${line.index + 1}: ${reason ?? `none of ${playable.join(', ')} is offered`}`);
  }
  throw new SiprecError('NO_AUDIO', reasons.slice(0, 4).join('; ') || 'the offer has no m-line');
}

const fits = ({ encoding, clockRate, channels }: OfferedFormat, playable: readonly ClipEncoding[]): boolean =>
  playable.some((each) => each === encoding) &&
  (encoding === 'OPUS' ? clockRate === 48_000 && channels === 2 : channels === 1);

function whyNot(line: OfferedLine): string | undefined {
  const { media, port, protocol, direction, refusal, security } = line;
  if (media !== 'audio') return `${media} is not played`;
  if (port === 0) return 'offered with port 0';
  if (refusal !== undefined) return refusal;
  if (direction === 'sendonly' || direction === 'inactive') return `${direction} hears nothing`;
  if (security === undefined)
    return /^RTP\/AVPF?$/i.test(protocol) ? undefined : `profile ${protocol} is not supported`;
  // Keys that are agreed on beside the media need the media threads, which only receive.
  return security.crypto === undefined ? 'DTLS-SRTP is not played, only keys in the SDP are' : undefined;
}

/** Descriptions of one dialog: one session id, a version that rises with every one (RFC 3264 §8). */
export class PlaySdp {
  readonly #address: string;
  readonly #port: number;
  readonly #sessionId = String(randomInt(1, 2 ** 47));
  #version = 0;

  constructor(address: string, port: number) {
    this.#address = address;
    this.#port = port;
  }

  /** The answer to an offer: one line that we send on, the others switched off. */
  answer(offer: SessionOffer, chosen: PlayLine | undefined): string {
    const lines = offer.lines.flatMap((line) =>
      line.index === chosen?.line.index
        ? [
            `m=audio ${this.#port} ${line.protocol} ${chosen.payloadType}`,
            `a=rtpmap:${chosen.payloadType} ${RTPMAP[chosen.encoding]}`,
            `a=ptime:${FRAME_MS}`,
            ...(line.security?.crypto === undefined
              ? []
              : [formatCrypto(line.security.crypto, line.security.own)]),
            ...(line.rtcpMux === true ? ['a=rtcp-mux'] : []),
            'a=sendonly',
          ]
        : [`m=${line.media} 0 ${line.protocol} ${line.formatList.join(' ')}`],
    );
    return this.#text(offer.timing, lines);
  }

  /** To a client that is on hold: the line stays, nothing is sent. */
  held(offer: SessionOffer, chosen: PlayLine): string {
    return this.answer(offer, chosen).replace('a=sendonly', 'a=inactive');
  }

  /** What we offer a client that leaves it to us. */
  offer(playable: readonly ClipEncoding[]): string {
    const numbers = playable.map((encoding) => NUMBERS[encoding]);
    return this.#text('0 0', [
      `m=audio ${this.#port} RTP/AVP ${numbers.join(' ')}`,
      ...playable.map((encoding) => `a=rtpmap:${NUMBERS[encoding]} ${RTPMAP[encoding]}`),
      `a=ptime:${FRAME_MS}`,
      'a=sendonly',
    ]);
  }

  #text(timing: string, lines: readonly string[]): string {
    this.#version += 1;
    const connection = `IN ${this.#address.includes(':') ? 'IP6' : 'IP4'} ${this.#address}`;
    const head = [
      'v=0',
      `o=sealtape ${this.#sessionId} ${this.#version} ${connection}`,
      's=-',
      `c=${connection}`,
      `t=${timing}`,
    ];
    return `${[...head, ...lines].join('\r\n')}\r\n`;
  }
}
