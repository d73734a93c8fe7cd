import type { Clip, ClipEncoding } from '../media/clip.ts';
import { parseBody } from '../siprec/body.ts';
import { SiprecError } from '../siprec/errors.ts';
import { parseSdp, type SessionOffer } from '../siprec/sdp.ts';
import { secureOffer, type SecurityPolicy } from '../siprec/secure-offer.ts';
import type { Log } from './connection.ts';
import type { SipApplicationServer, SipDialog, SipRequest, SipResponse } from './drachtio.ts';
import { ALLOW, contactOf } from './headers.ts';
import { NOT_ALLOWED } from './invite-checks.ts';
import type { PlayPlan } from './play-schedule.ts';
import { choosePlayLine, PlaySdp, type PlayLine } from './play-sdp.ts';
import type { Heard, Way } from './player-engine.ts';
import type { Player, PlayerLine } from './player.ts';
import { refusalFor } from './refusal.ts';
import { respond } from './respond.ts';

export interface PlayedCallParts {
  readonly server: SipApplicationServer;
  readonly player: Player;
  readonly software: string;
  readonly log: Log;
}

/** What one call hears. */
export interface Programme {
  readonly encodings: readonly ClipEncoding[];
  readonly clip: (encoding: ClipEncoding) => Promise<Clip>;
  readonly plan: PlayPlan;
  /** Address of ours for the SDP. */
  readonly address: string;
  readonly security: SecurityPolicy;
}

/** What was heard, and since when (epoch milliseconds); nothing when the call did not come about. */
export type Played = Heard & { readonly at: number };

/** A client that never acknowledged hears it all the same, this many milliseconds after the answer. */
const ACK_PATIENCE = 2000;

/** One ordinary call that is answered, hears something and is hung up. Nothing of it is recorded. */
export class PlayedCall {
  readonly #parts: PlayedCallParts;
  readonly #programme: Programme;
  readonly #request: SipRequest;
  readonly #line: PlayerLine;
  readonly #sdp: PlaySdp;
  #offer: SessionOffer | undefined;
  #chosen: PlayLine | undefined;
  #over = false;

  private constructor(parts: PlayedCallParts, request: SipRequest, programme: Programme, line: PlayerLine) {
    this.#parts = parts;
    this.#request = request;
    this.#programme = programme;
    this.#line = line;
    this.#sdp = new PlaySdp(programme.address, line.port);
  }

  /**
   * Answers an INVITE, plays, hangs up; resolves when that is over. Rejects with SiprecError, or what keeps it from being played, as long as it
   * was not answered.
   */
  static async serve(
    parts: PlayedCallParts,
    call: { readonly request: SipRequest; readonly response: SipResponse },
    programme: Programme,
  ): Promise<Played> {
    const { request, response } = call;
    const offer = offerOf(request, programme.security);
    const chosen = offer && choosePlayLine(offer, programme.encodings);
    if (chosen === undefined && programme.security.srtp === 'required')
      throw new SiprecError('NO_AUDIO', 'this trunk requires SRTP, and the call brings no offer');
    // What cannot be read must come to light before the answer.
    await programme.clip(chosen?.encoding ?? 'PCMA');
    const played = new PlayedCall(parts, request, programme, await parts.player.open(programme.address));
    played.#offer = offer;
    played.#chosen = chosen;
    try {
      return await played.#answer(response);
    } finally {
      played.#over = true;
      played.#line.close();
    }
  }

  #answer(response: SipResponse): Promise<Played> {
    const { server, log } = this.#parts;
    const localSdp =
      this.#offer === undefined
        ? this.#sdp.offer(this.#programme.encodings)
        : this.#sdp.answer(this.#offer, this.#chosen);
    const headers = this.#headers();
    return new Promise((resolve) => {
      const nothing = (): void => {
        resolve({ milliseconds: 0, whole: false, at: Date.now() });
      };
      server.createUAS(this.#request, response, { localSdp, headers }, (error, dialog) => {
        if (dialog === undefined) {
          log('info', 'a call that was to hear something was not established', { error: String(error) });
          nothing();
        } else
          this.#converse(dialog).then(resolve, (failure: unknown) => {
            log('warn', 'a call could not hear what it asked for', { error: String(failure) });
            nothing();
          });
      });
    });
  }

  /** Plays once the client has acknowledged, and hangs up unless it did. */
  async #converse(dialog: SipDialog): Promise<Played> {
    const acknowledged = new Promise<SipRequest | undefined>((resolve) => {
      dialog.on('ack', resolve);
      setTimeout(() => {
        resolve(undefined);
      }, ACK_PATIENCE).unref();
    });
    const gone = new Promise<undefined>((resolve) => {
      dialog.on('destroy', () => {
        this.#over = true;
        this.#line.close();
        resolve(undefined);
      });
    });
    this.#listen(dialog);
    try {
      const ack = await Promise.race([acknowledged, gone]);
      return this.#over ? { milliseconds: 0, whole: false, at: Date.now() } : await this.#play(ack);
    } finally {
      if (!this.#over) this.#hangUp(dialog);
    }
  }

  async #play(ack: SipRequest | undefined): Promise<Played> {
    if (this.#offer === undefined && ack !== undefined) {
      this.#offer = offerOf(ack, this.#programme.security);
      this.#chosen = this.#offer && choosePlayLine(this.#offer, this.#programme.encodings);
    }
    const chosen = this.#chosen;
    if (chosen === undefined) throw new SiprecError('NO_AUDIO', 'our offer was not answered');
    const at = Date.now();
    const heard = await this.#line.play({
      clip: await this.#programme.clip(chosen.encoding),
      plan: this.#programme.plan,
      ...this.#wayOf(chosen),
    });
    return { ...heard, at };
  }

  #listen(dialog: SipDialog): void {
    const { software } = this.#parts;
    const renegotiate = (request: SipRequest, response: SipResponse): void => {
      try {
        const body = this.#renegotiate(request);
        const headers = this.#headers();
        respond(response, { status: 200, headers, ...(body !== undefined && { body }) }, software);
      } catch (error) {
        respond(response, refusalFor(error, this.#programme.address), software);
      }
    };
    dialog.on('modify', renegotiate);
    dialog.on('update', renegotiate);
    for (const method of ['info', 'options'] as const)
      dialog.on(method, (_request, response) => {
        respond(response, { status: 200, headers: {} }, software);
      });
    for (const method of ['refer', 'message', 'notify', 'subscribe', 'publish'] as const)
      dialog.on(method, (_request, response) => {
        respond(response, NOT_ALLOWED, software);
      });
  }

  /** The client moves its end, wants other keys, or puts us on hold. The codec stays; what was played goes on. Throws SiprecError. */
  #renegotiate(request: SipRequest): string | undefined {
    const { security } = this.#programme;
    const offer = offerOf(request, security, this.#offer);
    const before = this.#chosen;
    if (offer === undefined || before === undefined)
      return this.#offer === undefined || request.method !== 'INVITE'
        ? undefined
        : this.#sdp.answer(this.#offer, before);
    const line = offer.lines[before.line.index];
    if (line !== undefined && (line.direction === 'inactive' || line.direction === 'sendonly')) {
      this.#line.redirect(undefined);
      return this.#sdp.held(offer, { ...before, line });
    }
    const chosen = choosePlayLine(offer, [before.encoding]);
    this.#offer = offer;
    this.#chosen = chosen;
    this.#line.redirect(this.#wayOf(chosen));
    return this.#sdp.answer(offer, chosen);
  }

  #wayOf({ line, payloadType }: PlayLine): Way {
    const { security } = line;
    return {
      to: { address: line.address ?? this.#request.source_address, port: line.port },
      payloadType,
      ...(security?.crypto !== undefined && {
        keying: {
          suite: security.crypto.suite,
          masters: [{ bytes: Uint8Array.from(security.own.reveal()) }],
        },
      }),
    };
  }

  #hangUp(dialog: SipDialog): void {
    this.#over = true;
    try {
      dialog.destroy({}, () => undefined);
    } catch {
      // It ended at this very moment.
    }
  }

  #headers(): Record<string, string> {
    return {
      Contact: contactOf(this.#request.protocol ?? 'udp'),
      Allow: ALLOW,
      'Content-Type': 'application/sdp',
      Server: this.#parts.software,
    };
  }
}

/** Undefined for a message that brings none. Throws SiprecError for one that cannot be read. */
function offerOf(
  request: SipRequest,
  security: SecurityPolicy,
  before?: SessionOffer,
): SessionOffer | undefined {
  if (request.body === undefined || request.body.trim() === '') return undefined;
  const { sdp } = parseBody(request.get('content-type') ?? request.get('c'), request.body);
  return sdp === undefined ? undefined : secureOffer(parseSdp(sdp), security, before);
}
