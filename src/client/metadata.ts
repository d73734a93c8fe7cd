import { randomBytes, randomUUID } from 'node:crypto';

/** One side of the call, as the metadata names it. */
export interface CallParty {
  readonly name?: string;
  readonly number: string;
}

/** Identifiers of one recording session, made once and repeated in later offers. */
export interface MetadataIds {
  readonly group: string;
  readonly session: string;
  /** Session-ID of the recorded call (RFC 7989), which a PBX would take from its own call. */
  readonly callSession: string;
  readonly participants: readonly string[];
  readonly streams: readonly string[];
}

/** RFC 7865 §6.10: 16 octets of a UUID in base64. */
const newId = (): string => Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64');

export function newMetadataIds(lines: number): MetadataIds {
  const many = (): readonly string[] => Array.from({ length: lines }, newId);
  const half = (): string => randomBytes(16).toString('hex');
  return {
    group: newId(),
    session: newId(),
    callSession: `${half()};remote=${half()}`,
    participants: many(),
    streams: many(),
  };
}

const XML_ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

const escape = (text: string): string => text.replace(/[&<>"]/g, (char) => XML_ESCAPES[char] ?? char);

export interface MetadataFacts {
  readonly ids: MetadataIds;
  readonly parties: readonly CallParty[];
  readonly labels: readonly string[];
  readonly host: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
}

/** Complete recording metadata (RFC 7865): participant n sends stream n and receives the others. */
export function buildMetadata(facts: MetadataFacts): string {
  const { ids } = facts;
  const time = `<associate-time>${new Date(facts.startedAt).toISOString()}</associate-time>`;
  const participants = facts.parties.map((party, index) => participant(party, index, facts));
  const streams = facts.labels.map(
    (label, index) =>
      `  <stream stream_id="${ids.streams[index] ?? ''}" session_id="${ids.session}">\n` +
      `    <label>${escape(label)}</label>\n  </stream>`,
  );
  const sessions = ids.participants.map(
    (id) =>
      `  <participantsessionassoc participant_id="${id}" session_id="${ids.session}">${time}</participantsessionassoc>`,
  );
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<recording xmlns="urn:ietf:params:xml:ns:recording:1">',
    '  <datamode>complete</datamode>',
    `  <group group_id="${ids.group}">${time}</group>`,
    `  <session session_id="${ids.session}">`,
    `    <sipSessionID>${ids.callSession}</sipSessionID>`,
    `    <group-ref>${ids.group}</group-ref>`,
    '  </session>',
    ...participants,
    ...streams,
    `  <sessionrecordingassoc session_id="${ids.session}">${time}</sessionrecordingassoc>`,
    ...sessions,
    ...ids.participants.map((id, index) => streamAssociation(id, index, ids.streams)),
    '</recording>',
    '',
  ].join('\n');
}

function participant(party: CallParty, index: number, facts: MetadataFacts): string {
  const name = party.name === undefined ? '' : `\n      <name xml:lang="en">${escape(party.name)}</name>`;
  return (
    `  <participant participant_id="${facts.ids.participants[index] ?? ''}">\n` +
    `    <nameID aor="sip:${escape(party.number)}@${escape(facts.host)}">${name}\n    </nameID>\n  </participant>`
  );
}

function streamAssociation(id: string, own: number, streams: readonly string[]): string {
  const parts = streams.map((stream, index) =>
    index === own ? `    <send>${stream}</send>` : `    <recv>${stream}</recv>`,
  );
  return `  <participantstreamassoc participant_id="${id}">\n${parts.join('\n')}\n  </participantstreamassoc>`;
}

/** Metadata no parser can read: a recording server must record nevertheless. */
export const BROKEN_METADATA =
  '<?xml version="1.0"?><recording xmlns="urn:ietf:params:xml:ns:recording:1"><session';

export interface MessageBody {
  readonly contentType: string;
  readonly bytes: Buffer;
}

/** SDP and metadata as one body (RFC 7866 §9.1, RFC 9806 for the media type); SDP alone when there is no metadata. */
export function buildBody(sdp: string, metadata: string | undefined): MessageBody {
  if (metadata === undefined) return { contentType: 'application/sdp', bytes: Buffer.from(sdp) };
  const boundary = `sealtape-${randomBytes(8).toString('hex')}`;
  const parts = [
    `--${boundary}`,
    'Content-Type: application/sdp',
    'Content-Disposition: session;handling=required',
    '',
    sdp,
    `--${boundary}`,
    'Content-Type: application/rs-metadata+xml',
    'Content-Disposition: recording-session',
    '',
    metadata,
    `--${boundary}--`,
    '',
  ];
  return { contentType: `multipart/mixed;boundary=${boundary}`, bytes: Buffer.from(parts.join('\r\n')) };
}
