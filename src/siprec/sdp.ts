import { parseCrypto, type OfferedCrypto } from './crypto-attribute.ts';
import { dtlsOf, type OfferedDtls } from './dtls-attributes.ts';
import { SiprecError } from './errors.ts';
import { iceOf, type OfferedIce, type OwnIce } from './ice-attributes.ts';
import type { LineSecurity } from './line-security.ts';
import { ownList } from './own-copy.ts';
import { STATIC_FORMATS } from './static-formats.ts';

type StreamDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** One format of an m-line, static ones completed from RFC 3551 table 4. */
export interface OfferedFormat {
  readonly payloadType: number;
  /** Upper case, for example `PCMA`, `TELEPHONE-EVENT`; `UNKNOWN` for a dynamic number without rtpmap. */
  readonly encoding: string;
  readonly clockRate: number;
  readonly channels: number;
  readonly fmtp?: string;
}

/** One m-line of an offer, in its place. */
export interface OfferedLine {
  readonly index: number;
  readonly media: string;
  readonly protocol: string;
  readonly port: number;
  /** The format list of the m-line as sent. */
  readonly formatList: readonly string[];
  readonly formats: readonly OfferedFormat[];
  /** Connection address of the line, or the session's. */
  readonly address?: string;
  readonly direction: StreamDirection;
  /** RFC 4574, as an opaque token. */
  readonly label?: string;
  readonly packetTime?: number;
  /** Reports may share the port of the audio (RFC 5761). */
  readonly rtcpMux?: boolean;
  /** Where the client takes reports, when not on the port above that of the audio (RFC 3605). */
  readonly rtcp?: { readonly port: number; readonly address?: string };
  /** The `a=crypto` lines that can be answered, in the client's order. */
  readonly cryptos?: readonly OfferedCrypto[];
  /** What it announces for DTLS. */
  readonly dtls?: OfferedDtls;
  /** What it says of ICE, and our end of it once `agreeIce` has decided. */
  readonly ice?: OfferedIce;
  readonly ownIce?: OwnIce;
  /** How the line is encrypted, and why it must not be taken, once `secureOffer` has decided. */
  readonly security?: LineSecurity;
  readonly refusal?: string;
}

export interface SessionOffer {
  /** The whole o= value, for the log. */
  readonly origin: string;
  /** The t= value, repeated in the answer (SDP-12). */
  readonly timing: string;
  readonly lines: readonly OfferedLine[];
  /** What was tolerated while reading. */
  readonly warnings: readonly string[];
}

const MAX_SDP = 64 * 1024;
const MAX_LINES = 32;
const MAX_FORMATS = 64;

/**
 * Reads an offer (RFC 8866). Tolerates bare LF, missing `o=`, `s=`, `t=`, `c=`, blanks around names and values, unknown
 * lines (SDP-19). Throws SiprecError BAD_SDP when it is no SDP or an m-line cannot be read, TOO_LARGE.
 */
export function parseSdp(text: string): SessionOffer {
  if (text.length > MAX_SDP) throw new SiprecError('TOO_LARGE', `SDP of ${text.length} characters`);
  const warnings: string[] = [];
  const fields = splitFields(text, warnings);
  if (fields[0]?.type !== 'v') throw new SiprecError('BAD_SDP', 'SDP does not begin with v=');
  const starts = fields.flatMap((field, index) => (field.type === 'm' ? [index] : []));
  if (starts.length > MAX_LINES) throw new SiprecError('TOO_LARGE', `${starts.length} m-lines`);
  const session = fields.slice(0, starts[0] ?? fields.length);
  const shared = { address: addressOf(session), attributes: attributesOf(session) };
  const origin = valueOf(session, 'o');
  const timing = valueOf(session, 't');
  if (origin === undefined) warnings.push('SDP without o=');
  if (timing === undefined) warnings.push('SDP without t=');
  return {
    origin: origin ?? '',
    timing: timing !== undefined && /^\d{1,20} \d{1,20}$/.test(timing) ? timing : '0 0',
    lines: starts.map((start, index) =>
      parseLine({ index, shared, fields: fields.slice(start, starts[index + 1]), warnings }),
    ),
    warnings,
  };
}

interface Field {
  readonly type: string;
  readonly value: string;
}

/** `type=value` lines. A blank line followed by a delimiter or another `v=` ends the description (SDP-19). */
function splitFields(text: string, warnings: string[]): readonly Field[] {
  const fields: Field[] = [];
  let blank = false;
  const clean = CONTROLS.test(text);
  for (const raw of text.split(/\r\n|\n|\r/)) {
    const line = (clean ? withoutControls(raw) : raw).trim();
    if (line === '') {
      blank = fields.length > 0;
      continue;
    }
    if (blank && (line.startsWith('--') || line.startsWith('v='))) {
      warnings.push('text after the SDP ignored');
      break;
    }
    const field = /^([A-Za-z])\s*=(.*)$/.exec(line);
    if (field) fields.push({ type: (field[1] ?? '').toLowerCase(), value: (field[2] ?? '').trim() });
    else warnings.push('SDP line without type= ignored');
  }
  return fields;
}

// A stray control octet (seen on the wire, SIG-9) must reach neither the log nor the answer.
const CONTROLS = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const withoutControls = (line: string): string => line.replace(/[\0-\x08\x0b-\x1f\x7f]/g, '');

const valueOf = (fields: readonly Field[], type: string): string | undefined =>
  fields.find((field) => field.type === type)?.value;

/** What is said for all lines. */
interface Shared {
  readonly address: string | undefined;
  readonly attributes: readonly Attribute[];
}

function parseLine(input: {
  readonly index: number;
  readonly shared: Shared;
  readonly fields: readonly Field[];
  readonly warnings: string[];
}): OfferedLine {
  const { index, shared, fields, warnings } = input;
  const head = parseHead(valueOf(fields, 'm') ?? '', index + 1);
  const attributes = attributesOf(fields);
  const address = addressOf(fields) ?? shared.address;
  if (address === undefined) warnings.push(`m-line ${index + 1} has no connection address`);
  return {
    index,
    ...head,
    formats: formatsOf(head.formatList, attributes, warnings),
    ...(address !== undefined && { address }),
    direction: directionOf(attributes) ?? directionOf(shared.attributes) ?? 'sendrecv',
    ...labelOf(attributes),
    ...packetTimeOf(attributes),
    ...reportingOf(attributes),
    ...cryptosOf(attributes),
    ...dtlsOf(attributes, shared.attributes),
    ...iceOf(attributes, shared.attributes),
  };
}

/** `audio 49170/2 RTP/AVP 0 8`; the number of ports is ignored. */
function parseHead(
  text: string,
  position: number,
): Pick<OfferedLine, 'media' | 'port' | 'protocol' | 'formatList'> {
  const match = /^(\S+)\s+(\d{1,5})(?:\/\d{1,5})?\s+(\S+)\s+(\S.*)$/.exec(text);
  if (!match) throw new SiprecError('BAD_SDP', `m-line ${position} cannot be read`);
  const [, media = '', digits, protocol = '', formats = ''] = match;
  const port = Number(digits);
  if (port > 65_535) throw new SiprecError('BAD_SDP', `m-line ${position} has port ${port}`);
  const formatList = formats.split(/\s+/);
  if (formatList.length > MAX_FORMATS) throw new SiprecError('TOO_LARGE', `${formatList.length} formats`);
  return { media: media.toLowerCase(), port, protocol, formatList };
}

interface Attribute {
  readonly name: string;
  readonly value: string;
}

/** `a=name:value`; blanks around both are dropped (`a= label:1` is in a vendor's manual). */
function attributesOf(fields: readonly Field[]): readonly Attribute[] {
  return fields
    .filter((field) => field.type === 'a')
    .map(({ value }) => {
      const colon = value.indexOf(':');
      return colon === -1
        ? { name: value.toLowerCase(), value: '' }
        : { name: value.slice(0, colon).trim().toLowerCase(), value: value.slice(colon + 1).trim() };
    });
}

function labelOf(attributes: readonly Attribute[]): { readonly label?: string } {
  const label = attributes.find(({ name, value }) => name === 'label' && value !== '')?.value;
  return label === undefined ? {} : { label };
}

function packetTimeOf(attributes: readonly Attribute[]): { readonly packetTime?: number } {
  const packetTime = Number(attributes.find(({ name }) => name === 'ptime')?.value ?? 0);
  return packetTime > 0 && Number.isFinite(packetTime) ? { packetTime } : {};
}

/** `a=rtcp-mux`, and `a=rtcp:53020 IN IP4 192.0.2.1` or the port alone. */
function reportingOf(attributes: readonly Attribute[]): Pick<OfferedLine, 'rtcp' | 'rtcpMux'> {
  const value = attributes.find(({ name }) => name === 'rtcp')?.value ?? '';
  const [, digits, address] = /^(\d{1,5})(?:\s+IN\s+IP[46]\s+(\S+))?$/i.exec(value) ?? [];
  const port = Number(digits);
  return {
    ...(attributes.some(({ name }) => name === 'rtcp-mux') && { rtcpMux: true }),
    ...(port > 0 && port <= 65_535 && { rtcp: { port, ...(address !== undefined && { address }) } }),
  };
}

const MAX_CRYPTOS = 32;

function cryptosOf(attributes: readonly Attribute[]): Pick<OfferedLine, 'cryptos'> {
  const cryptos = attributes
    .filter(({ name }) => name === 'crypto')
    .slice(0, MAX_CRYPTOS)
    .flatMap(({ value }) => parseCrypto(value) ?? []);
  return cryptos.length > 0 ? { cryptos: ownList(cryptos) } : {};
}

function directionOf(attributes: readonly Attribute[]): StreamDirection | undefined {
  for (const { name } of attributes)
    if (name === 'sendrecv' || name === 'sendonly' || name === 'recvonly' || name === 'inactive') return name;
  return undefined;
}

/** `IN IP4 192.0.2.1/127` gives the address alone. */
function addressOf(fields: readonly Field[]): string | undefined {
  const match = /^IN\s+IP[46]\s+([^\s/]+)/i.exec(valueOf(fields, 'c') ?? '');
  return match?.[1];
}

function formatsOf(
  list: readonly string[],
  attributes: readonly Attribute[],
  warnings: string[],
): readonly OfferedFormat[] {
  const maps = textsOf('rtpmap', attributes);
  const parameters = textsOf('fmtp', attributes);
  const numbers = new Set(list.filter((token) => /^\d{1,3}$/.test(token)).map(Number));
  return [...numbers]
    .filter((payloadType) => payloadType <= 127)
    .map((payloadType) => {
      const fmtp = parameters.get(payloadType);
      const known = parseMap(maps.get(payloadType)) ?? STATIC_FORMATS.get(payloadType);
      if (known === undefined) warnings.push(`payload number ${payloadType} without rtpmap`);
      return {
        payloadType,
        ...(known ?? { encoding: 'UNKNOWN', clockRate: 0, channels: 1 }),
        ...(fmtp !== undefined && { fmtp }),
      };
    });
}

/** By payload number: what follows it in the first `<number> <text>` that is about it. */
function textsOf(attribute: string, attributes: readonly Attribute[]): ReadonlyMap<number, string> {
  const texts = new Map<number, string>();
  for (const { name, value } of attributes) {
    if (name !== attribute) continue;
    const match = /^(\d{1,3})\s+(.*)$/.exec(value);
    const payloadType = Number(match?.[1]);
    if (match !== null && !texts.has(payloadType)) texts.set(payloadType, match[2] ?? '');
  }
  return texts;
}

function parseMap(text: string | undefined): Omit<OfferedFormat, 'payloadType' | 'fmtp'> | undefined {
  const match = /^([^\s/]{1,40})\s*\/\s*(\d{1,7})(?:\s*\/\s*(\d{1,2}))?/.exec(text ?? '');
  if (!match) return undefined;
  return {
    encoding: (match[1] ?? '').toUpperCase(),
    clockRate: Number(match[2]),
    channels: Number(match[3] ?? 1),
  };
}
