import { randomUUID } from 'node:crypto';
import type { Clip, ClipEncoding } from '../media/clip.ts';
import type { Announcement } from '../recorder/announcements.ts';
import type { CallRecorder } from '../recorder/call.ts';
import type { AnnouncedEvent } from '../recorder/events.ts';
import { recogniseSession } from '../siprec/recognise.ts';
import { announcedParty } from './announced-party.ts';
import { announcementOf, type AnnouncementNumbers, type AskedAnnouncement } from './announcement-uri.ts';
import type { SipRequest, SipResponse } from './drachtio.ts';
import { tagsOf, warning } from './headers.ts';
import { checkDialogHeaders, checkRequest, unavailable } from './invite-checks.ts';
import { PlayedCall, type PlayedCallParts } from './played-call.ts';
import { refusalFor, type Refusal } from './refusal.ts';
import { respond } from './respond.ts';
import { securityPolicy } from './security-policy.ts';
import type { Trunk } from './trunks.ts';

/** What can be played, and where it is stated; wired to `recorder/announcements.ts`. */
export interface AnnouncementSource {
  find(name: string, locale: string | undefined): Announcement | undefined;
  clip(announcement: Announcement, encoding: ClipEncoding): Promise<Clip>;
  readonly numbers: AnnouncementNumbers;
  /** Calls at once. */
  readonly most: number;
  /** How long what was played to whom is kept without a recording, in milliseconds. */
  readonly keepFor: number;
  /** States what was heard. Never rejects. */
  announced(event: AnnouncedEvent): Promise<unknown>;
}

export interface AnnouncementCallParts extends PlayedCallParts {
  readonly source: AnnouncementSource;
  readonly recorder: Pick<CallRecorder, 'readiness'>;
  readonly draining: () => boolean;
}

/** An INVITE of a listed trunk. */
export interface PlainCall {
  readonly request: SipRequest;
  readonly response: SipResponse;
  readonly trunk: Trunk;
  /** Local address it came in on. */
  readonly host: string;
  /** For the SDP. */
  readonly address: string;
}

/**
 * Ordinary calls to the announcement service (RFC 4240 §3): answered, played to, hung up; what was heard is stated, and nothing is recorded. Never
 * rejects.
 */
export class AnnouncementCalls {
  readonly #parts: AnnouncementCallParts;
  readonly #served = new Set<Promise<void>>();
  #running = 0;

  constructor(parts: AnnouncementCallParts) {
    this.#parts = parts;
  }

  /** Takes the call when it asks for an announcement; false when it is none of ours. A recording session is never one. */
  takes(call: PlainCall): boolean {
    const asked = announcementOf(call.request.uri, this.#parts.source.numbers);
    if (asked === undefined || isRecordingSession(call.request)) return false;
    const refusal = 'status' in asked ? refusalOf(call, asked) : this.#precheck(call);
    if (refusal !== undefined) this.#refuse(call, refusal);
    else if (!('status' in asked)) this.#begin(call, asked);
    return true;
  }

  /** Resolves when the calls of now are over and what they heard is stated. */
  async settled(): Promise<void> {
    await Promise.all(this.#served);
  }

  #begin(call: PlainCall, asked: AskedAnnouncement): void {
    const served = this.#serve(call, asked)
      .catch((error: unknown) => {
        this.#refuse(call, refusalFor(error, call.host));
      })
      .finally(() => this.#served.delete(served));
    this.#served.add(served);
  }

  #precheck({ request, host }: PlainCall): Refusal | undefined {
    const { draining, recorder, source } = this.#parts;
    const refusal = checkRequest(request) ?? checkDialogHeaders(request, host);
    if (refusal !== undefined) return refusal;
    if (draining()) return unavailable('draining');
    // To say that a call is recorded, and not to record it, would be the worst of both.
    const readiness = recorder.readiness();
    if (!readiness.ready) return unavailable(readiness.reason);
    return this.#running >= source.most
      ? { status: 486, detail: `${source.most} announcements are being played`, headers: {} }
      : undefined;
  }

  async #serve(call: PlainCall, asked: AskedAnnouncement): Promise<void> {
    const { source } = this.#parts;
    const { request, trunk, address } = call;
    const found = source.find(asked.name, asked.locale);
    if (found === undefined) {
      this.#refuse(
        call,
        refusalOf(call, { status: 404, detail: `no announcement ${asked.name.slice(0, 60)}` }),
      );
      return;
    }
    this.#running += 1;
    try {
      const played = await PlayedCall.serve(this.#parts, call, {
        encodings: found.encodings,
        clip: (encoding) => source.clip(found, encoding),
        plan: asked.plan,
        address,
        security: securityPolicy(trunk, request.protocol),
      });
      if (played.milliseconds === 0) return;
      const { at, milliseconds, whole } = played;
      await source.announced({
        type: 'announced',
        at,
        id: randomUUID(),
        name: found.name,
        locale: found.locale,
        sha256: found.sha256,
        milliseconds,
        whole,
        trunk: trunk.name,
        callId: request.get('call-id') ?? '',
        ...announcedParty(request, trunk),
        keepUntil: at + source.keepFor,
      });
    } finally {
      this.#running -= 1;
    }
  }

  #refuse({ request, response }: PlainCall, refusal: Refusal): void {
    const { log, software } = this.#parts;
    const { status, detail } = refusal;
    log('info', 'announcement not played', { status, detail, callId: request.get('call-id') });
    respond(response, refusal, software);
  }
}

const refusalOf = (
  { host }: PlainCall,
  { status, detail }: { readonly status: number; readonly detail: string },
): Refusal => ({ status, detail, headers: warning(host, detail) });

/** Whatever address it is sent to, in the most tolerant reading: what shall be recorded is not played to. */
const isRecordingSession = (request: SipRequest): boolean =>
  recogniseSession(
    {
      required: tagsOf(request, 'require'),
      supported: [],
      contact: request.get('contact') ?? '',
      hasMetadata:
        /rs-metadata/i.test(request.body ?? '') || /rs-metadata/i.test(request.get('content-type') ?? ''),
      ciscoParticipant: request.has('x-cisco-recording-participant'),
      from: request.get('from') ?? '',
    },
    'compat',
  ).recording;
