import { randomUUID } from 'node:crypto';
import type { Peer, Received } from './peer.ts';

export interface RequestParts {
  /** Added to or, with undefined, taken from the usual headers. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly type?: string;
  readonly body?: string;
  readonly uri?: string;
  /** Default: one more than the last. */
  readonly cseq?: number;
}

const BOUNDARY = 'test-boundary';

/** One dialog as a SIPREC client sees it. */
export class RecordingClient {
  /** Another one where a client comes back over a new connection. */
  peer: Peer;
  readonly callId = randomUUID();
  #cseq = 0;
  #toTag = '';

  constructor(peer: Peer) {
    this.peer = peer;
  }

  /** The text of a request, not sent yet. */
  compose(method: string, parts: RequestParts = {}): string {
    if (method !== 'ACK' && method !== 'CANCEL') this.#cseq = parts.cseq ?? this.#cseq + 1;
    const body = parts.body ?? '';
    const { address, protocol } = this.peer;
    const headers: Record<string, string | undefined> = {
      Via: `SIP/2.0/${protocol.toUpperCase()} ${address};branch=z9hG4bK${method === 'CANCEL' ? this.callId : randomUUID()}`,
      'Max-Forwards': '70',
      From: '"Client" <sip:+15550100@127.0.0.1>;tag=client',
      To: `<sip:srs@127.0.0.1>${this.#toTag === '' ? '' : `;tag=${this.#toTag}`}`,
      'Call-ID': this.callId,
      CSeq: `${parts.cseq ?? this.#cseq} ${method}`,
      Contact: `<sip:client@${address}>;+sip.src`,
      'User-Agent': 'test-client/1.0',
      ...(parts.type !== undefined && { 'Content-Type': parts.type }),
      ...parts.headers,
      'Content-Length': String(Buffer.byteLength(body)),
    };
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : `${name}: ${value}`,
    );
    return `${method} ${parts.uri ?? 'sip:srs@127.0.0.1'} SIP/2.0\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
  }

  /** Sends a request and returns its final response. */
  async request(method: string, parts: RequestParts = {}): Promise<Received> {
    this.peer.send(this.compose(method, parts));
    const response = await this.peer.final(`${this.#cseq} ${method}`);
    const tag = /;tag=([^;]+)/.exec(response.headers.get('to') ?? '')?.[1];
    if (method === 'INVITE' && tag !== undefined && response.status < 300) this.#toTag = tag;
    return response;
  }

  /** An INVITE that opens a recording session, with its ACK when it is taken. */
  async invite(parts: RequestParts = recordingSession()): Promise<Received> {
    const response = await this.request('INVITE', parts);
    if (response.status < 300) this.ack();
    return response;
  }

  ack(parts: RequestParts = {}): void {
    this.peer.send(this.compose('ACK', parts));
  }

  bye(parts: RequestParts = {}): Promise<Received> {
    return this.request('BYE', parts);
  }
}

/** One audio line of an offer. */
export const audioLine = (label: string, direction = 'sendonly', port = 49_170): string =>
  `m=audio ${port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n` +
  `a=label:${label}\r\na=${direction}\r\n`;

export const sdpOf = (...lines: readonly string[]): string =>
  `v=0\r\no=client 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n${lines.join('')}`;

export const TWO_LINES = sdpOf(audioLine('1'), audioLine('2', 'sendonly', 49_172));

/** Anna sends label 1, Bert label 2. */
export const COMPLETE =
  '<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode><session session_id="s1"/>' +
  ['anna', 'bert']
    .map(
      (name, index) =>
        `<participant participant_id="${name}"><nameID aor="sip:${name}@pbx.example"/></participant>` +
        `<stream stream_id="st${index}" session_id="s1"><label>${index + 1}</label></stream>` +
        `<participantstreamassoc participant_id="${name}"><send>st${index}</send></participantstreamassoc>`,
    )
    .join('') +
  '</recording>';

/** Bert left, Carl took over label 2. */
export const TRANSFER =
  '<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>partial</datamode>' +
  '<participant participant_id="carl"><nameID aor="sip:carl@pbx.example"/></participant>' +
  '<participantsessionassoc participant_id="bert" session_id="s1"><disassociate-time>2026-11-23T18:47:00Z' +
  '</disassociate-time></participantsessionassoc>' +
  '<participantstreamassoc participant_id="carl"><send>st1</send></participantstreamassoc></recording>';

/** Type and body with both parts. */
export const multipart = (sdp: string, metadata: string): Pick<RequestParts, 'type' | 'body'> => ({
  type: `multipart/mixed;boundary=${BOUNDARY}`,
  body:
    `--${BOUNDARY}\r\nContent-Type: application/sdp\r\n\r\n${sdp}\r\n` +
    `--${BOUNDARY}\r\nContent-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\n\r\n` +
    `${metadata}\r\n--${BOUNDARY}--\r\n`,
});

export const recordingSession = (sdp = TWO_LINES, metadata = COMPLETE): RequestParts => ({
  headers: { Require: 'siprec' },
  ...multipart(sdp, metadata),
});

export const plainSdp = (sdp: string): Pick<RequestParts, 'type' | 'body'> => ({
  type: 'application/sdp',
  body: sdp,
});

export const plainMetadata = (metadata: string): Pick<RequestParts, 'type' | 'body'> => ({
  type: 'application/rs-metadata+xml',
  body: metadata,
});
