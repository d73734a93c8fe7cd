import { randomBytes } from 'node:crypto';
import { keyBytesOf } from './crypto-attribute.ts';
import { Secret } from './secret.ts';
import { NO_ENCRYPTION, type SecurityPolicy } from './secure-offer.ts';
import type { OfferedFormat, OfferedLine, SessionOffer } from './sdp.ts';

const format = (payloadType: number, encoding: string, fmtp?: string): OfferedFormat => ({
  payloadType,
  encoding,
  clockRate: 8000,
  channels: 1,
  ...(fmtp !== undefined && { fmtp }),
});

const FORMATS: readonly OfferedFormat[] = [
  format(8, 'PCMA'),
  format(0, 'PCMU'),
  format(13, 'CN'),
  format(101, 'TELEPHONE-EVENT', '0-15'),
];

/**
 * What a client that leaves the offer to us (DLG-10) would have to offer itself: one audio line, label 1, with all that we
 * can record. The answer to it is our offer; it stands for the client's own words until those come with the ACK.
 */
export function ownOffer(policy: SecurityPolicy = NO_ENCRYPTION): SessionOffer {
  const line: OfferedLine = {
    index: 0,
    media: 'audio',
    protocol: 'RTP/AVP',
    // Any but 0, which would mean a line that is switched off; where the client is, is not known yet.
    port: 9,
    formatList: FORMATS.map(({ payloadType }) => String(payloadType)),
    formats: FORMATS,
    direction: 'sendonly',
    label: '1',
  };
  return { origin: '', timing: '0 0', lines: [{ ...line, ...ownKeying(policy) }], warnings: [] };
}

/**
 * A client's answer to an offer of ours as what it is for a recorder: the description of what it will send. Lines keep
 * their place and label (RFC 3264 §6); one the answer leaves out is switched off.
 */
export function answerToOffer(offered: SessionOffer, answer: SessionOffer): SessionOffer {
  const warnings =
    answer.lines.length === offered.lines.length
      ? answer.warnings
      : [
          ...answer.warnings,
          `answer with ${answer.lines.length} m-lines to an offer with ${offered.lines.length}`,
        ];
  return {
    ...answer,
    lines: offered.lines.map((line) => answeredLine(line, answer.lines[line.index])),
    warnings,
  };
}

function answeredLine(offered: OfferedLine, answer: OfferedLine | undefined): OfferedLine {
  if (answer?.media !== offered.media) return { ...offered, port: 0, direction: 'inactive' };
  const label = answer.label ?? offered.label;
  const formats = answer.formats.map((format) => mapped(format, offered));
  // We did not offer to share the port, and ICE only where the client had spoken it before.
  const kept = offered.ownIce === undefined ? withoutIce(answer) : answer;
  return { ...kept, ...(label !== undefined && { label }), formats, rtcpMux: false };
}

const withoutIce = ({ ice: _ice, ownIce: _ownIce, ...line }: OfferedLine): OfferedLine => line;

/** A number answered without its rtpmap means what we offered it for. */
function mapped(format: OfferedFormat, offered: OfferedLine): OfferedFormat {
  if (format.encoding !== 'UNKNOWN') return format;
  return offered.formats.find(({ payloadType }) => payloadType === format.payloadType) ?? format;
}

/**
 * Where the trunk requires SRTP, our offer has a key of ours, for the one suite that everybody has to know; the client's key comes with its
 * answer. Where the signalling must not carry keys there is nothing to offer.
 */
function ownKeying(policy: SecurityPolicy): Pick<OfferedLine, 'protocol' | 'security' | 'refusal'> {
  if (policy.srtp !== 'required') return { protocol: 'RTP/AVP' };
  if (!policy.keysAreSafe)
    return { protocol: 'RTP/AVP', refusal: 'this trunk requires SRTP, and SRTP needs TLS signalling' };
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  const crypto = { tag: '1', suite, keys: [], unencryptedRtcp: false } as const;
  const own = new Secret(randomBytes(keyBytesOf(suite)));
  return { protocol: 'RTP/SAVP', security: { crypto, own } };
}
