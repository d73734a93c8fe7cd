import { isIPv6 } from 'node:net';
import type { CallPolicy, CallRecorder, OfferedCall } from '../recorder/call.ts';
import type { Decision } from '../rules/decision.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { PlainCall } from './announcement-calls.ts';
import { present } from '../siprec/optional.ts';
import { plainText } from '../siprec/plain-text.ts';
import { AnswerWriter } from './answer-writer.ts';
import type { Log } from './connection.ts';
import { DialogKeeper, signallingOf, type DialogBook } from './dialog-keeper.ts';
import type { SipApplicationServer, SipDialog, SipRequest, SipResponse } from './drachtio.ts';
import { agreedSeconds, dialogHeaders, identityOf, localAddress } from './headers.ts';
import { checkDialogHeaders, checkRequest, FORBIDDEN, readSession, unavailable } from './invite-checks.ts';
import type { DialogSignalling } from './kept-dialog.ts';
import { giveUpUnheard, type ResumedCall } from './left-call.ts';
import { forgetMessages } from './light-dialog.ts';
import { refusalFor, type Refusal } from './refusal.ts';
import { restoreDialog } from './restored-dialog.ts';
import { respond, shorten } from './respond.ts';
import { securityPolicy } from './security-policy.ts';
import { describeContent, type CallContext, type SessionContent } from './session-content.ts';
import { SignalledCall } from './signalled-call.ts';
import { checkTls } from './trunk-tls.ts';
import type { Trunk, Trunks } from './trunks.ts';
import { KEEP_WITHOUT_ACK, type Watchdog } from './watchdog.ts';

export interface IntakeParts {
  readonly server: SipApplicationServer;
  readonly trunks: Trunks;
  readonly recorder: CallRecorder;
  readonly policy: CallPolicy;
  /** What ordinary calls are for: the first that takes one has it. */
  readonly plainCalls?: readonly { takes(call: PlainCall): boolean }[];
  readonly mediaAddress?: string;
  /** SHA-256 of the certificate of the media threads; without it no DTLS is answered. */
  readonly dtlsFingerprint?: string | undefined;
  readonly embeddedServer?: boolean;
  readonly software: string;
  readonly log: Log;
  readonly watchdog: Pick<Watchdog, 'watch'>;
  /** Keeps running calls for the start after a crash. */
  readonly book?: DialogBook | undefined;
  /** True when the SIP server is ours and lets a call without ACK live if we ask it to (DLG-6). */
  readonly keepWithoutAck: boolean;
}

/** One INVITE on its way to an answer. */
interface Incoming {
  readonly request: SipRequest;
  readonly response: SipResponse;
  readonly trunk: Trunk;
  readonly host: string;
  /** True once the client has cancelled; the server has answered 487 by then. */
  readonly cancelled: () => boolean;
}

type Decided = OfferedCall & { readonly decision: Decision };

/** Decides about new calls: every one ends as a recording or as exactly one refusal. */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #calls = new Set<SignalledCall>();
  #draining = false;
  #hangingUp = false;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#calls.size;
  }

  get draining(): boolean {
    return this.#draining;
  }

  drain(): void {
    this.#draining = true;
  }

  async hangUpAll(): Promise<void> {
    this.#draining = true;
    this.#hangingUp = true;
    await Promise.all(
      [...this.#calls].map(async (call) => {
        await call.hangUp();
        this.#calls.delete(call);
      }),
    );
  }

  /**
   * Goes on with a call of a process before; `patience` is how long it may take until something is heard of it, in ms. Call it once the connection
   * is open. Never throws.
   */
  resume(resumed: ResumedCall, patience: number): void {
    const { kept, context, offered, recording } = resumed;
    const { recorder, server, software, log, watchdog } = this.#parts;
    const call = new SignalledCall({
      recording,
      succeed: (before, offer, description) =>
        recorder.succeed(before, this.#decided({ ...offered, offer }, description)),
      content: kept.content,
      offering: kept.offering,
      offeredIn: kept.offeredIn,
      answers: new AnswerWriter(kept.answers.address, kept.answers),
      context,
      transport: offered.facts.transport,
      host: offered.localAddress,
      software,
      log,
      keeper: this.#keeperOf(offered, context),
    });
    const dialog = restoreDialog(server, kept.signalling, { local: kept.answers.last });
    const over = (): void => {
      this.#calls.delete(call);
    };
    this.#calls.add(call);
    call.attach(dialog, kept.signalling);
    dialog.on('destroy', over);
    watchdog.watch(call, dialog, over, Date.now());
    giveUpUnheard({ call, dialog, resumed, over }, patience);
  }

  /** Handles one INVITE without a dialog. Never rejects, never throws. */
  invite(request: SipRequest, response: SipResponse): void {
    let cancelled = false;
    request.on('cancel', () => {
      cancelled = true;
    });
    const host = localAddress(request);
    const trunk = this.#parts.trunks.find(request.source_address);
    if (trunk === undefined) {
      this.#refuse({ request, response }, FORBIDDEN);
      return;
    }
    const incoming = { request, response, trunk, host, cancelled: () => cancelled };
    const insecure = checkTls(request, trunk.tls, this.#parts.embeddedServer === true);
    if (insecure !== undefined) {
      this.#refuse(incoming, insecure);
      return;
    }
    const { plainCalls = [], mediaAddress = host } = this.#parts;
    const plain = { request, response, trunk, host, address: mediaAddress };
    if (plainCalls.some((each) => each.takes(plain))) return;
    this.#decide(incoming).catch((error: unknown) => {
      this.#refuse(incoming, this.#explain(error, host));
    });
  }

  /** Rejects with what the recorder or the parsers throw; once a recording is accepted it never rejects. */
  async #decide(incoming: Incoming): Promise<void> {
    const refusal = this.#precheck(incoming);
    if (refusal === undefined) await this.#take(incoming);
    else this.#refuse(incoming, refusal);
  }

  #precheck({ request, host }: Incoming): Refusal | undefined {
    const refusal = checkRequest(request) ?? checkDialogHeaders(request, host);
    if (refusal !== undefined) return refusal;
    if (this.#draining) return unavailable('draining');
    const readiness = this.#parts.recorder.readiness();
    if (!readiness.ready) return unavailable(readiness.reason);
    return host === '' && this.#parts.mediaAddress === undefined
      ? unavailable('own address unknown')
      : undefined;
  }

  async #take(incoming: Incoming): Promise<void> {
    const { request, response, trunk, host } = incoming;
    const { recorder, mediaAddress, dtlsFingerprint, software, log } = this.#parts;
    const security = securityPolicy(trunk, request.protocol, dtlsFingerprint);
    const { content, offered: hasOffer } = readSession(request, trunk, Date.now(), security);
    const answers = new AnswerWriter(mediaAddress ?? host);
    answers.check(content.offer);
    const context = { from: identityOf(request, 'from'), to: identityOf(request, 'to'), trunk, security };
    const offered = offeredCall(incoming, content, bindAddress(host, mediaAddress));
    const decided = this.#decided(offered, describeContent(content, context));
    const { notRecorded = 'inactive' } = trunk;
    if (!decided.decision.record && notRecorded !== 'inactive') {
      this.#turnAway(incoming, decided, notRecorded);
      return;
    }
    const recording = await recorder.accept(decided);
    const transport = offered.facts.transport;
    const call = new SignalledCall({
      recording,
      succeed: (before, offer, description) =>
        recorder.succeed(before, this.#decided({ ...offered, offer }, description)),
      content,
      offering: !hasOffer,
      answers,
      context,
      transport,
      host,
      software,
      log,
      keeper: this.#keeperOf(decided, context),
    });
    this.#calls.add(call);
    if (incoming.cancelled()) {
      await this.#drop(call);
      return;
    }
    try {
      const localSdp = answers.write(content.offer, recording.ports);
      const headers = {
        'Content-Type': 'application/sdp',
        Server: software,
        ...dialogHeaders(request, transport, trunk),
        ...(this.#parts.keepWithoutAck && KEEP_WITHOUT_ACK),
      };
      shorten(response, headers, localSdp);
      this.#answer(incoming, call, { localSdp, headers });
    } catch (error) {
      log('error', 'an accepted call could not be answered', {
        recording: recording.id,
        error: String(error),
      });
      respond(response, { status: 500, headers: {} }, software);
      await this.#drop(call);
    }
  }

  #keeperOf(
    { offer: _offer, description: _description, ...call }: OfferedCall,
    context: CallContext,
  ): DialogKeeper | undefined {
    const { from, to } = context;
    const identities = present({ from, to });
    return this.#parts.book && new DialogKeeper(this.#parts.book, { call, identities });
  }

  #decided(offered: Omit<OfferedCall, 'description'>, description: CallDescription): Decided {
    const decision = this.#parts.policy.decide({ description, trunk: offered.facts.trunk, at: Date.now() });
    return Object.assign({}, offered, { description, decision });
  }

  /** A call that the rules keep out, on a trunk that wants to hear so. */
  #turnAway({ response }: Incoming, call: Decided, status: number): void {
    this.#parts.recorder.decline(call, String(status));
    respond(response, { status, headers: {} }, this.#parts.software);
  }

  /** Sends the 200 and hands the dialog over. The callback form runs before a BYE in the same chunk is read (trap 1). */
  #answer(
    { request, response }: Incoming,
    call: SignalledCall,
    options: { readonly localSdp: string; readonly headers: Record<string, string> },
  ): void {
    this.#parts.server.createUAS(request, response, options, (error, dialog) => {
      if (dialog === undefined) {
        // A CANCEL crossed our 200, or the connection of the client is gone. The text may be a string (trap 2).
        this.#parts.log('info', 'an accepted call was not established', { error: String(error) });
        void this.#drop(call);
        return;
      }
      forgetMessages(this.#parts.server, dialog);
      this.#established(call, dialog, signallingOf(request, dialog, agreedSeconds(options.headers)));
    });
  }

  /** Apart from `#answer`, so that what lasts as long as the dialog does not hold on to the INVITE. */
  #established(call: SignalledCall, dialog: SipDialog, signalling: DialogSignalling | undefined): void {
    const over = (): void => {
      this.#calls.delete(call);
    };
    call.attach(dialog, signalling);
    dialog.on('destroy', over);
    this.#parts.watchdog.watch(call, dialog, over);
    if (this.#hangingUp) void call.hangUp().then(over);
  }

  #drop(call: SignalledCall): Promise<void> {
    this.#calls.delete(call);
    return call.end('cancelled');
  }

  #explain(error: unknown, host: string): Refusal {
    const refusal = refusalFor(error, host);
    if (refusal.status === 500)
      this.#parts.log('error', 'an INVITE could not be handled', { error: String(error) });
    return refusal;
  }

  #refuse(
    incoming: { readonly request: SipRequest; readonly response: SipResponse; readonly trunk?: Trunk },
    refusal: Refusal,
  ): void {
    const { request, response, trunk } = incoming;
    respond(response, refusal, this.#parts.software);
    const callId = request.get('call-id');
    this.#parts.log('info', 'call refused', { status: refusal.status, detail: refusal.detail, callId });
    this.#parts.recorder.refuse({
      reason: String(refusal.status),
      detail: refusal.detail,
      ...(trunk && { trunk: trunk.name }),
      ...(callId !== undefined && { callId }),
    });
  }
}

function offeredCall(
  { request, trunk }: Incoming,
  content: SessionContent,
  address: string,
): Omit<OfferedCall, 'description'> {
  const software = request.get('user-agent') ?? request.get('server') ?? request.get('organization');
  return {
    facts: {
      callId: request.get('call-id') ?? '',
      trunk: trunk.name,
      transport: request.protocol === undefined || request.protocol === '' ? 'udp' : request.protocol,
      remoteAddress: request.source_address,
      remotePort: request.source_port,
      ...(software !== undefined && software !== '' && { pbxSoftware: plainText(software) }),
    },
    offer: content.offer,
    localAddress: address,
    sources: {
      networks: trunk.media ?? trunk.from,
      offered: trunk.media === undefined,
      keepAlive: trunk.rtpKeepAlive !== false,
    },
  };
}

/** The ports must be of the family the SDP names. */
function bindAddress(host: string, mediaAddress: string | undefined): string {
  if (mediaAddress === undefined) return host;
  return host !== '' && isIPv6(mediaAddress) === isIPv6(host) ? host : mediaAddress;
}
