import type { LinePorts, RecordingCall } from '../recorder/call.ts';
import type { EndReason } from '../recorder/events.ts';
import { planLines } from '../siprec/answer.ts';
import { answerToOffer } from '../siprec/offer.ts';
import type { CallDescription } from '../siprec/description.ts';
import type { SessionOffer } from '../siprec/sdp.ts';
import { eraseKeys } from '../siprec/secure-offer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { Log } from './connection.ts';
import { sequenceOf, type DialogKeeper } from './dialog-keeper.ts';
import type { SipDialog, SipRequest, SipResponse } from './drachtio.ts';
import { agreedSeconds, dialogHeaders } from './headers.ts';
import { keysOf } from './info-keys.ts';
import type { DialogSignalling } from './kept-dialog.ts';
import { offerInactive } from './inactive-offer.ts';
import { checkOptions, NOT_ALLOWED } from './invite-checks.ts';
import { refusalFor } from './refusal.ts';
import { respond, type Answer } from './respond.ts';
import {
  describeContent,
  readBody,
  type CallContext,
  type ReadBody,
  type SessionContent,
} from './session-content.ts';
import { SnapshotRequests } from './snapshot-requests.ts';

export interface SignalledCallParts {
  readonly recording: RecordingCall;
  /** Ends a recording and begins the next one of the dialog on the same ports; rejects when it cannot, and nothing has changed. */
  readonly succeed: (
    before: RecordingCall,
    offer: SessionOffer,
    description: CallDescription,
  ) => Promise<RecordingCall>;
  readonly content: SessionContent;
  /** The INVITE had no offer: our 200 carries one, the answer comes with the ACK (DLG-10). */
  readonly offering: boolean;
  /** Number of the INVITE whose 200 carried it, where that was not the first one. */
  readonly offeredIn?: number;
  readonly answers: AnswerWriter;
  readonly context: CallContext;
  readonly transport: string;
  /** Our address, for Warning headers. */
  readonly host: string;
  readonly software: string;
  readonly log: Log;
  /** Keeps the dialog for the start after a crash. */
  readonly keeper?: DialogKeeper | undefined;
}

/** How long a BYE of ours may wait for its answer; OpenSIPS refuses it, others may be gone. */
const BYE_PATIENCE = 3000;

/** One recorded dialog: what the client changes, says and ends, in the order it arrives. Owns its recording. */
export class SignalledCall {
  readonly #parts: SignalledCallParts;
  /** The present one: a new communication session begins another (siprec-interop.md 2.5). */
  #recording: RecordingCall;
  #content: SessionContent;
  #dialog: SipDialog | undefined;
  #hungUp = false;
  #ended = false;
  /** Whether our last 200 carried an offer that the client has not answered. */
  #offering: boolean;
  /** CSeq number of the re-INVITE that asked for it. */
  #offeredIn: number;
  readonly #snapshots: SnapshotRequests;
  #context: CallContext;
  /** Overlapping re-INVITEs happen (siprec-interop.md 4.11): one is answered before the next is read. */
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: SignalledCallParts) {
    this.#parts = parts;
    this.#recording = parts.recording;
    this.#content = parts.content;
    this.#context = parts.context;
    this.#offering = parts.offering;
    this.#offeredIn = parts.offeredIn ?? 0;
    this.#snapshots = new SnapshotRequests({
      note: (step, detail) => {
        this.#recording.note(step, detail);
      },
      ...parts,
    });
  }

  /**
   * Takes over the dialog. Must run in the same turn in which it came to be, or its first events are lost (trap 1). Without `signalling` it is
   * not kept for the start after a crash.
   */
  attach(dialog: SipDialog, signalling?: DialogSignalling): void {
    this.#dialog = dialog;
    if (signalling !== undefined && !this.#ended) this.#keep(signalling);
    const { software } = this.#parts;
    const renegotiate = (request: SipRequest, response: SipResponse): void => {
      this.#inTurn(() => this.#renegotiate(request, response), response);
    };
    dialog.on('modify', renegotiate);
    dialog.on('update', renegotiate);
    dialog.on('ack', (request) => {
      this.#inTurn(() => this.#acknowledged(request));
    });
    dialog.on('info', (request, response) => {
      const keys = keysOf(request);
      if (keys !== '' && !this.#ended) this.#recording.pressed(keys);
      respond(response, { status: 200, headers: {} }, software);
    });
    dialog.on('options', (request, response) => {
      respond(response, { status: 200, headers: dialogHeaders(request, this.#parts.transport) }, software);
    });
    for (const method of ['refer', 'message', 'notify', 'subscribe', 'publish'] as const)
      dialog.on(method, (_request, response) => {
        respond(response, NOT_ALLOWED, software);
      });
    this.#watchStops(this.#recording);
    dialog.on('destroy', (request, reason) => {
      this.#inTurn(() => this.#leave(request, reason));
    });
    // Cancelled or hung up before the dialog came to be: nobody records any more.
    if (this.#hungUp || this.#ended) this.#sayBye(dialog, () => undefined);
  }

  /** Where the trunk wants it, the client of a recording that somebody stops hears so. */
  #watchStops(recording: RecordingCall): void {
    const { transport, software, context, answers } = this.#parts;
    if (context.trunk.reInviteAtStop !== true || !recording.standing.kept) return;
    let asked = false;
    recording.onStanding(() => {
      const dialog = this.#dialog;
      if (recording.standing.kept || asked || dialog === undefined) return;
      asked = true;
      const offer = (): string | undefined =>
        this.#ended || this.#recording !== recording
          ? undefined
          : answers.write(this.#content.offer, acceptedPorts(this.#content, recording.ports));
      const note = (step: string, detail?: string): void => {
        recording.note(step, detail);
      };
      offerInactive({ dialog, offer, note, transport, software });
    });
  }

  #keep(signalling: DialogSignalling): void {
    const { answers, keeper } = this.#parts;
    keeper?.begin(signalling, () => ({
      recording: this.#recording,
      content: this.#content,
      answers,
      offering: this.#offering,
      offeredIn: this.#offeredIn,
    }));
  }

  /** The INVITE was cancelled or could not be answered: there is no dialog. */
  end(reason: EndReason): Promise<void> {
    this.#ended = true;
    this.#parts.keeper?.over();
    return this.#recording.end(reason).finally(() => {
      eraseKeys(this.#content.offer);
    });
  }

  /** Ends the dialog from our side. Resolves when the recording is closed and the client has answered, or did not in time. */
  async hangUp(): Promise<void> {
    if (this.#hungUp) return;
    this.#hungUp = true;
    const dialog = this.#dialog;
    const answered =
      dialog === undefined || this.#ended
        ? Promise.resolve()
        : new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, BYE_PATIENCE);
            this.#sayBye(dialog, () => {
              clearTimeout(timer);
              resolve();
            });
          });
    await Promise.all([answered, this.end('shutdown')]);
  }

  get recording(): RecordingCall {
    return this.#recording;
  }

  /** Nobody is there any more: ends the recording as interrupted, and the dialog as far as anybody knows it. */
  async giveUp(why: string): Promise<void> {
    if (this.#ended) return;
    this.#recording.note('given up', why);
    await this.end('no-ack');
    if (this.#dialog !== undefined) this.#sayBye(this.#dialog, () => undefined);
  }

  #sayBye(dialog: SipDialog, done: () => void): void {
    try {
      dialog.destroy({}, done);
    } catch {
      done();
    }
  }

  /** A re-INVITE or UPDATE, with any of SDP and metadata. */
  async #renegotiate(request: SipRequest, response: SipResponse): Promise<void> {
    const { software, host } = this.#parts;
    if (this.#ended) {
      respond(response, { status: 487, headers: {} }, software);
      return;
    }
    try {
      const answer = checkOptions(request) ?? (await this.#agree(request));
      respond(response, answer, software);
      if (answer.status === 200) this.#parts.keeper?.refreshed(request, agreedSeconds(answer.headers));
      // After a re-INVITE there is an ACK to wait for.
      if (request.method === 'UPDATE') this.#snapshots.consider(this.#dialog, this.#content);
    } catch (error) {
      const refusal = refusalFor(error, host);
      this.#recording.note('re-offer refused', `${refusal.status} ${refusal.detail}`);
      if (refusal.status === 500)
        this.#parts.log('error', 'a re-offer could not be handled', {
          recording: this.#recording.id,
          error: String(error),
        });
      respond(response, refusal, software);
    }
  }

  /** The answer to a re-INVITE or UPDATE; throws SiprecError and leaves everything as it was (UAS-1: requests are atomic). */
  async #agree(request: SipRequest): Promise<Answer> {
    const { answers, transport, context } = this.#parts;
    const read = this.#read(request);
    const { content } = read;
    const headers = dialogHeaders(request, transport, context.trunk);
    if (!read.offered) {
      if (read.hasMetadata) await this.#take(read);
      if (request.method !== 'INVITE') return { status: 200, headers };
      // A re-INVITE without SDP asks for our offer: what we last answered, nothing added (DLG-9).
      this.#offering = true;
      this.#offeredIn = sequenceOf(request);
      return withSdp(headers, answers.last);
    }
    answers.check(content.offer);
    await this.#follow(read);
    const ports = await this.#recording.reoffer(content.offer, this.#describe(content));
    this.#learnContent(content);
    this.#offering = false;
    return withSdp(headers, answers.write(content.offer, acceptedPorts(content, ports)));
  }

  async #acknowledged(request: SipRequest): Promise<void> {
    if (this.#ended) return;
    this.#recording.note('acknowledged');
    // The ACK of an earlier INVITE may be told only after the next one: what has no body and another number is not meant.
    const empty = request.body === undefined || request.body.trim() === '';
    if (this.#offering && !(empty && isEarlier(request, this.#offeredIn))) await this.#answered(request);
    else await this.#learn(request);
    this.#parts.keeper?.changed();
    this.#snapshots.consider(this.#dialog, this.#content);
  }

  /** The client's answer to our offer; one that cannot be used leaves the line open as offered: RTP may come all the same. */
  async #answered(request: SipRequest): Promise<void> {
    try {
      const read = this.#read(request);
      this.#offering = false;
      if (!read.offered) {
        this.#recording.note('no answer to our offer');
        if (read.hasMetadata) await this.#take(read);
        return;
      }
      const content = { ...read.content, offer: answerToOffer(this.#content.offer, read.content.offer) };
      await this.#recording.reoffer(content.offer, this.#describe(content));
      this.#learnContent(content);
    } catch (error) {
      this.#recording.note('answer to our offer ignored', String(error));
    }
  }

  /** Metadata that came with a request that carries no offer. */
  async #take(read: ReadBody): Promise<void> {
    await this.#follow(read);
    this.#learnContent(read.content);
    this.#recording.describe(this.#describe(read.content));
  }

  /** Begins the next recording when a body opened a new communication session; where that fails the present one goes on. */
  async #follow({ content, newSession }: ReadBody): Promise<void> {
    if (newSession === undefined || this.#isOver()) return;
    const before = this.#recording;
    before.note('new communication session', newSession.id);
    // Another call begins here; nothing of it was cut off.
    this.#context = withoutInterruption(this.#context);
    try {
      this.#recording = await this.#parts.succeed(before, content.offer, this.#describe(content));
    } catch (error) {
      before.note('recording not divided', String(error));
      return;
    }
    this.#recording.note('follows', before.id);
    this.#watchStops(this.#recording);
    // The call ended while the ports changed hands.
    if (this.#isOver()) await this.#recording.end('shutdown');
  }

  #isOver(): boolean {
    return this.#ended;
  }

  #learnContent(content: SessionContent): void {
    eraseKeys(this.#content.offer, content.offer);
    this.#content = content;
  }

  #read(request: SipRequest): ReadBody {
    return readBody(request, this.#content, Date.now(), this.#parts.context.security);
  }

  #describe(content: SessionContent): CallDescription {
    return describeContent(content, this.#context);
  }

  /** Metadata in ACK or BYE (META-15). What cannot be read there has no answer to say so in, only the log. */
  async #learn(request: SipRequest): Promise<void> {
    if (request.body === undefined || request.body.trim() === '') return;
    try {
      const read = this.#read(request);
      const content = { ...read.content, offer: this.#content.offer };
      if (read.hasMetadata) await this.#take({ ...read, content });
    } catch (error) {
      this.#recording.note('body ignored', `${request.method}: ${String(error)}`);
    }
  }

  async #leave(request: SipRequest, reason: string | undefined): Promise<void> {
    // Metadata of a BYE describes what was; it begins nothing any more.
    this.#ended = true;
    await this.#learn(request);
    const given = endReason(reason);
    if (given !== 'bye') this.#recording.note('ended by the SIP server', reason);
    await this.end(given);
  }

  #inTurn(work: () => Promise<void>, response?: SipResponse): void {
    this.#turn = this.#turn.then(work).catch((error: unknown) => {
      const { log, software } = this.#parts;
      log('error', 'a request of a recorded call failed', {
        recording: this.#recording.id,
        error: String(error),
      });
      if (response !== undefined) respond(response, { status: 500, headers: {} }, software);
    });
  }
}

const isEarlier = (request: SipRequest, sequence: number): boolean => sequenceOf(request) < sequence;

const withoutInterruption = ({ continues: _continues, ...context }: CallContext): CallContext => context;

const withSdp = (headers: Readonly<Record<string, string>>, body: string): Answer => ({
  status: 200,
  headers: { ...headers, 'Content-Type': 'application/sdp' },
  body,
});

/** A port stays open for a line the client rejects for a while; the answer names it only while we accept the line. */
const acceptedPorts = (content: SessionContent, ports: LinePorts): LinePorts =>
  new Map([...ports].filter(([line]) => planLines(content.offer)[line]?.accepted === true));

/** The SIP server ends a dialog by itself when the ACK or the session refresh stays out (drachtio-protocol.md section 6). */
function endReason(reason: string | undefined): EndReason {
  return reason === 'ACK timeout' || reason === 'Session timer expired' ? 'no-ack' : 'bye';
}
