import { z } from 'zod';
import type { CallStanding, OfferedCall } from '../recorder/call.ts';
import type { HeaderIdentity } from '../siprec/description.ts';
import type { OfferedLine, SessionOffer } from '../siprec/sdp.ts';
import { Secret } from '../siprec/secret.ts';
import type { AnswerState } from './answer-writer.ts';
import type { SessionContent } from './session-content.ts';

/** Raised when an older state cannot be read any more; such calls are not taken up again. */
const VERSION = 1;

const Endpoint = z.object({ address: z.string(), port: z.int().min(0).max(65_535) });

const Signalling = z.object({
  callId: z.string().min(1),
  /** Tags: the client's, and ours. */
  fromTag: z.string().min(1),
  toTag: z.string().min(1),
  /** Headers of the INVITE as they came, '' without one; Contact is the newest. */
  from: z.string(),
  to: z.string(),
  contact: z.string(),
  recordRoute: z.string(),
  allow: z.string(),
  /** Our Contact as the client knows it. */
  ownContact: z.string(),
  /** Of the client's last request that was seen. Later ones have a higher one. */
  cseq: z.int().min(0),
  /** What no request of ours has gone beyond, after a restart. */
  ownCSeq: z.int().min(0).optional(),
  protocol: z.enum(['udp', 'tcp', 'tls']),
  remote: Endpoint,
  local: Endpoint,
  /** How long the session lives without a refresh of the client (RFC 4028). */
  sessionSeconds: z.int().positive().optional(),
});

/** One dialog of a client with us, as RFC 3261 §12 has it. */
export type DialogSignalling = Readonly<z.infer<typeof Signalling>>;

/** Everything a later process needs to go on with the dialog of a call. No key of any media is in it. */
export interface KeptDialog {
  /** When it was so, epoch milliseconds. */
  readonly at: number;
  /** The present recording. */
  readonly recording: string;
  readonly signalling: DialogSignalling;
  readonly call: Omit<OfferedCall, 'description' | 'offer'>;
  readonly identities: { readonly from?: HeaderIdentity; readonly to?: HeaderIdentity };
  readonly content: SessionContent;
  readonly answers: AnswerState;
  readonly standing: CallStanding;
  /** The media of some line was encrypted, by keys that died with the process. */
  readonly encrypted: boolean;
  /** Our last 200 carries an offer that is not answered, to the INVITE of this number. */
  readonly offering: boolean;
  readonly offeredIn: number;
}

const Line = z.looseObject({
  index: z.int().min(0),
  media: z.string(),
  protocol: z.string(),
  port: z.int(),
  formatList: z.array(z.string()),
  formats: z.array(z.looseObject({ payloadType: z.int(), encoding: z.string(), clockRate: z.number() })),
  direction: z.enum(['sendrecv', 'sendonly', 'recvonly', 'inactive']),
});

/** What is relied on. The rest is of the same hand and version. */
const Kept = z.object({
  version: z.literal(VERSION),
  at: z.number(),
  recording: z.string().min(1),
  signalling: Signalling,
  call: z.looseObject({
    facts: z.looseObject({ callId: z.string(), trunk: z.string(), transport: z.string() }),
    localAddress: z.string(),
    sources: z.object({
      networks: z.array(z.string()),
      offered: z.boolean(),
      keepAlive: z.boolean().optional(),
    }),
  }),
  identities: z.looseObject({}),
  content: z.looseObject({
    offer: z.looseObject({ timing: z.string(), lines: z.array(Line) }),
    metadataStatus: z.string(),
    headers: z.record(z.string(), z.string()),
    warnings: z.array(z.string()),
  }),
  answers: z.object({ address: z.string(), sessionId: z.string(), version: z.int(), last: z.string() }),
  standing: z.object({
    kept: z.boolean(),
    ports: z.array(z.tuple([z.int(), z.int()])),
    pauses: z.array(z.object({ cause: z.enum(['operator', 'policy']), actor: z.string().optional() })),
  }),
  encrypted: z.boolean(),
  offering: z.boolean(),
  offeredIn: z.int(),
});

/** The text to be kept: JSON on one line. Keys of the media are left out, and so is the answer that has ours. */
export function composeKept(kept: Omit<KeptDialog, 'encrypted'>): string {
  const { content, answers, standing } = kept;
  const encrypted = content.offer.lines.some(({ security }) => security !== undefined);
  return JSON.stringify(
    {
      version: VERSION,
      ...kept,
      content: { ...content, offer: withoutKeys(content.offer) },
      answers: encrypted ? { ...answers, last: '' } : answers,
      standing: { ...standing, ports: [...standing.ports] },
      encrypted,
    },
    (_key, value: unknown) => (value instanceof Secret ? undefined : value),
  );
}

const withoutKeys = (offer: SessionOffer): SessionOffer => ({
  ...offer,
  lines: offer.lines.map(
    ({ cryptos: _cryptos, dtls: _dtls, security: _security, ...line }): OfferedLine => line,
  ),
});

/** What `composeKept` made of a dialog; undefined when it is none of this version. */
export function readKept(state: unknown): KeptDialog | undefined {
  const read = Kept.safeParse(state);
  if (!read.success) return undefined;
  const { standing, ...kept } = read.data;
  // The parts that are not looked into are as they were written.
  return { ...kept, standing: { ...standing, ports: new Map(standing.ports) } } as unknown as KeptDialog;
}
