import { isIPv6 } from 'node:net';
import { parse, parsePayloads, write } from 'sdp-transform';
import { ClientError } from './client-error.ts';
import type { CryptoLine } from './leg-encryption.ts';
import type { DtlsAttributes } from './leg-handshake.ts';
import type { StreamFormat } from './stream-format.ts';

/** One audio line of our offer. */
interface OfferLine {
  readonly port: number;
  readonly format: StreamFormat;
  readonly label: string;
  readonly encryption?:
    | { readonly profile: string; readonly cryptos: CryptoLine[] }
    | { readonly profile: string; readonly attributes: DtlsAttributes }
    | undefined;
}

export type OfferDirection = 'sendonly' | 'inactive';

const TELEPHONE_EVENT = 101;

export interface OfferFacts {
  readonly address: string;
  readonly sessionId: number;
  readonly version: number;
  readonly direction: OfferDirection;
  readonly lines: readonly OfferLine[];
}

/** The recording client's SDP (RFC 7866 §7.1.1): one audio line a direction of the call, labelled. */
export function buildOffer(facts: OfferFacts): string {
  const ipVer = isIPv6(facts.address) ? 6 : 4;
  return write({
    version: 0,
    origin: {
      username: 'sealtape',
      sessionId: facts.sessionId,
      sessionVersion: facts.version,
      netType: 'IN',
      ipVer,
      address: facts.address,
    },
    name: '-',
    connection: { version: ipVer, ip: facts.address },
    timing: { start: 0, stop: 0 },
    media: facts.lines.map((line) => ({
      type: 'audio',
      port: line.port,
      protocol: line.encryption?.profile ?? 'RTP/AVP',
      ...(line.encryption && keyingOf(line.encryption)),
      payloads: `${line.format.payloadType} ${TELEPHONE_EVENT}`,
      rtp: [rtpmapOf(line.format), { payload: TELEPHONE_EVENT, codec: 'telephone-event', rate: 8000 }],
      fmtp: [
        ...(line.format.fmtp === undefined
          ? []
          : [{ payload: line.format.payloadType, config: line.format.fmtp }]),
        { payload: TELEPHONE_EVENT, config: '0-15' },
      ],
      ptime: 20,
      label: line.label,
      direction: facts.direction,
    })),
  });
}

const keyingOf = (
  encryption: NonNullable<OfferLine['encryption']>,
): { crypto: CryptoLine[] } | DtlsAttributes =>
  'cryptos' in encryption ? { crypto: encryption.cryptos } : encryption.attributes;

const rtpmapOf = ({ payloadType, encoding, clockRate, channels }: StreamFormat) => ({
  payload: payloadType,
  codec: encoding,
  rate: clockRate,
  ...(channels === undefined ? {} : { encoding: channels }),
});

/** One line of the server's answer. */
export interface AnswerLine {
  /** Where to send; port 0 when the server refused the line. */
  readonly address: string;
  readonly port: number;
  readonly direction: string;
  readonly label: string | undefined;
  readonly payloadTypes: readonly number[];
  readonly cryptos: readonly CryptoLine[];
  /** Of a line whose keys come from a handshake. */
  readonly dtls: DtlsAttributes | undefined;
}

/**
 * Reads the lines of an SDP answer with sdp-transform, which knows nothing of how our server writes them. Throws ClientError
 * BAD_ANSWER.
 */
export function parseAnswer(sdp: string): readonly AnswerLine[] {
  if (!sdp.startsWith('v=0')) throw new ClientError('BAD_ANSWER', 'the answer carries no SDP');
  const session = parse(sdp);
  if (session.media.length !== [...sdp.matchAll(/^m=/gm)].length)
    throw new ClientError('BAD_ANSWER', 'an m-line of the answer cannot be read');
  return session.media.map((media) => {
    const address = media.connection?.ip ?? session.connection?.ip ?? '';
    if (media.port > 65535 || (media.port !== 0 && address === ''))
      throw new ClientError('BAD_ANSWER', `cannot read the line ${media.type} ${media.port}`);
    return {
      address,
      port: media.port,
      direction: media.direction ?? session.direction ?? 'sendrecv',
      label: media.label,
      payloadTypes: parsePayloads(media.payloads ?? ''),
      cryptos: media.crypto ?? [],
      dtls: dtlsOf(media.setup, media.fingerprint),
    };
  });
}

const dtlsOf = (
  setup: string | undefined,
  fingerprint: DtlsAttributes['fingerprint'] | undefined,
): DtlsAttributes | undefined =>
  setup === undefined || fingerprint === undefined ? undefined : { setup, fingerprint };
