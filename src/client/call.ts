import { randomInt } from 'node:crypto';
import { openChannel, type Channel, type TlsTrust } from './channel.ts';
import { ClientError } from './client-error.ts';
import { RecordingDialog } from './dialog.ts';
import type { Law } from '../media/g711-encoder.ts';
import { LegEncryption, type CallEncryption } from './leg-encryption.ts';
import { LegHandshake, type CallHandshake } from './leg-handshake.ts';
import {
  MediaSender,
  openMediaSocket,
  type MediaSocket,
  type SendingLeg,
  type SentLeg,
} from './media-sender.ts';
import { BROKEN_METADATA, buildBody, buildMetadata, newMetadataIds, type CallParty } from './metadata.ts';
import { planStream, type Impairment, type StreamStart } from './rtp-plan.ts';
import { buildOffer, parseAnswer, type AnswerLine, type OfferDirection } from './session-description.ts';
import { formatOf, type StreamFormat } from './stream-format.ts';
import { methodOf, statusOf, type SipMessage } from './sip-message.ts';
import { bracketed, parseTarget, type Target, type Transport } from './target.ts';
import { DEFAULT_TIMERS, Transactions, type SipTimers } from './transactions.ts';

/** One side of the call to be recorded. */
export interface CallLeg extends CallParty {
  readonly law: Law;
  /** Octets of `format`, by default of `law`, 8,000 a second. The longer leg determines how long the call lasts. */
  readonly audio: Uint8Array;
  readonly format?: StreamFormat;
  /** Milliseconds from the answer to the first packet; 0 by default. */
  readonly startDelay?: number;
  readonly impairment?: Impairment;
  /** First values of the stream; random by default. */
  readonly rtp?: Partial<StreamStart>;
  /** `a=label`; `1` for the caller, `2` for the callee by default. */
  readonly label?: string;
}

/** Everything but `to`, `caller` and `callee` has a default. Times are milliseconds. */
export interface CallOptions {
  readonly to: string;
  readonly transport?: Transport;
  /** Local address to call from. */
  readonly from?: string;
  readonly tls?: TlsTrust;
  /** Encrypted audio: SRTP with keys in the SDP, or from DTLS; left out: plain RTP. */
  readonly encryption?: CallEncryption | CallHandshake;
  readonly caller: CallLeg;
  /** Left out: an offer with one line only. */
  readonly callee?: CallLeg;
  readonly metadata?: 'complete' | 'absent' | 'broken';
  /** Re-INVITE with `a=inactive`, and back, counted from the answer. `sending` goes on with RTP meanwhile. */
  readonly hold?: { readonly at: number; readonly until: number; readonly sending?: boolean };
  /** CANCEL this long after the first provisional response; 0 at once. */
  readonly cancelAfter?: number;
  /** BYE this long after the answer, even if audio is left. */
  readonly hangUpAfter?: number;
  /** Between the last packet and the BYE; 100 by default. */
  readonly linger?: number;
  /** Between the 200 and our ACK; media does not wait for it. */
  readonly ackDelay?: number;
  readonly sendTwice?: boolean;
  readonly timers?: Partial<SipTimers>;
  readonly software?: string;
  readonly onStep?: (step: CallStep) => void;
  /** Hangs up with a BYE when it fires; does nothing before the answer. */
  readonly signal?: AbortSignal;
}

export interface LegReport extends SentLeg {
  readonly label: string;
  readonly party: CallParty;
  /** RTP encoding name. */
  readonly codec: string;
  /** Crypto suite, or `none`. */
  readonly encryption: string;
  /** 8 hex digits. */
  readonly ssrc: string;
  /** `address:port` the packets went to; undefined when the server refused the line. */
  readonly sentTo: string | undefined;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
}

export type CallOutcome = 'completed' | 'cancelled' | 'ended-by-server' | 'connection-lost';

/** Moments of a call that others may want to wait for. */
type CallStep = 'answered' | 'held' | 'resumed';

export interface CallReport {
  readonly callId: string;
  readonly target: Target;
  readonly outcome: CallOutcome;
  /** Why the server was lost after it had answered. */
  readonly failure?: string;
  /** Of the final response to the INVITE, for example `SIP/2.0 200 OK`. */
  readonly statusLine: string;
  /** Milliseconds from INVITE to final response. */
  readonly answerTime: number;
  readonly answer: readonly AnswerLine[];
  readonly legs: readonly LegReport[];
  /** Status of the answer to our BYE, undefined when none was sent. */
  readonly byeStatus: number | undefined;
  /** Epoch milliseconds of the answer and of the end. */
  readonly answeredAt: number | undefined;
  readonly endedAt: number;
}

interface Leg extends CallLeg {
  readonly label: string;
  readonly encryption: LegEncryption | LegHandshake | undefined;
}

/**
 * Places one recorded call at a recording server as a PBX would, with RTP in real time, and resolves when it is over.
 * Rejects with ClientError: BAD_TARGET, UNREACHABLE, REFUSED (with status), TIMEOUT, BAD_ANSWER, CONNECTION_LOST. A server lost after
 * its answer is the outcome `connection-lost` instead, so that what was sent until then stays known.
 */
export async function placeCall(options: CallOptions): Promise<CallReport> {
  const target = parseTarget(options.to, options.transport);
  const channel = await openChannel(target, {
    ...(options.from === undefined ? {} : { localAddress: options.from }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  const call = new Call(options, target, channel);
  try {
    return await call.run();
  } finally {
    call.close();
  }
}

const openEncryption = (wish: CallEncryption | CallHandshake): LegEncryption | LegHandshake =>
  'dtls' in wish ? new LegHandshake(wish) : new LegEncryption(wish);

const wait = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    // The call's sockets keep the process alive; a wait that lost its race must not.
    setTimeout(resolve, milliseconds).unref();
  });

class Call {
  readonly #options: CallOptions;
  readonly #target: Target;
  readonly #channel: Channel;
  readonly #legs: readonly Leg[];
  readonly #transactions: Transactions;
  readonly #dialog: RecordingDialog;
  readonly #ids;
  readonly #startedAt = Date.now();
  readonly #sessionId = randomInt(1, 2 ** 47);
  #version = 0;
  #sockets: readonly MediaSocket[] = [];
  #sending: readonly SendingLeg[] = [];
  #sender: MediaSender | undefined;
  /** Set by whatever ends the call from outside. */
  #over: 'bye' | ClientError | undefined;
  #wake: () => void = () => undefined;
  #cancelTimer: NodeJS.Timeout | undefined;

  constructor(options: CallOptions, target: Target, channel: Channel) {
    this.#options = options;
    this.#target = target;
    this.#channel = channel;
    const sides = options.callee === undefined ? [options.caller] : [options.caller, options.callee];
    const { encryption } = options;
    this.#legs = sides.map((leg, index) => ({
      ...leg,
      label: leg.label ?? String(index + 1),
      encryption: encryption && openEncryption(encryption),
    }));
    this.#ids = newMetadataIds(this.#legs.length);
    this.#transactions = new Transactions(channel, {
      timers: { ...DEFAULT_TIMERS, ...options.timers },
      sendTwice: options.sendTwice ?? false,
      onRequest: (request) => {
        this.#serve(request);
      },
      onFailure: (error) => {
        this.#end(error);
      },
    });
    const software = options.software ?? 'Sealtape test client';
    this.#dialog = new RecordingDialog({ target, local: channel.local, software }, this.#transactions);
  }

  async run(): Promise<CallReport> {
    for (const { encryption } of this.#legs)
      if (encryption instanceof LegHandshake) await encryption.prepare();
    this.#sockets = await Promise.all(this.#legs.map(() => openMediaSocket(this.#channel.local.address)));
    const calledAt = performance.now();
    const { invite, response } = await this.#invite('sendonly', true);
    const base = {
      callId: this.#dialog.callId,
      target: this.#target,
      statusLine: response.startLine,
      answerTime: performance.now() - calledAt,
    };
    if ((statusOf(response) ?? 0) >= 300) return { ...base, ...(await this.#refused(invite, response)) };
    const answeredAt = Date.now();
    this.#options.onStep?.('answered');
    const acknowledged = this.#dialog.acknowledge(invite, response, this.#options.ackDelay);
    const answer = await this.#converse(response);
    await acknowledged;
    const byeStatus = await this.#hangUp();
    return {
      ...base,
      outcome: this.#outcome(),
      ...(this.#over instanceof ClientError ? { failure: this.#over.message } : {}),
      answer,
      legs: this.#report(),
      byeStatus,
      answeredAt,
      endedAt: Date.now(),
    };
  }

  close(): void {
    clearTimeout(this.#cancelTimer);
    this.#sender?.stop();
    this.#transactions.close();
    this.#channel.close();
    for (const { socket } of this.#sockets) socket.close();
  }

  async #invite(
    direction: OfferDirection,
    first: boolean,
  ): Promise<{ invite: SipMessage; response: SipMessage }> {
    const invite = this.#dialog.invite(this.#body(direction));
    const { cancelAfter } = this.#options;
    let cancelling = !first || cancelAfter === undefined;
    const response = await this.#transactions.request(invite, () => {
      if (cancelling || cancelAfter === undefined) return;
      cancelling = true;
      // A CANCEL that comes too late is answered 481 or 200 and changes nothing: the final response decides.
      this.#cancelTimer = setTimeout(() => {
        this.#dialog.cancel(invite).catch(() => undefined);
      }, cancelAfter);
    });
    clearTimeout(this.#cancelTimer);
    return { invite, response };
  }

  #body(direction: OfferDirection): ReturnType<typeof buildBody> {
    const { address } = this.#channel.local;
    const sdp = buildOffer({
      address,
      sessionId: this.#sessionId,
      version: ++this.#version,
      direction,
      lines: this.#legs.map((leg, index) => ({
        port: this.#sockets[index]?.port ?? 0,
        format: formatOf(leg),
        label: leg.label,
        encryption: leg.encryption,
      })),
    });
    switch (this.#options.metadata ?? 'complete') {
      case 'absent':
        return buildBody(sdp, undefined);
      case 'broken':
        return buildBody(sdp, BROKEN_METADATA);
      case 'complete': {
        const facts = { ids: this.#ids, host: this.#target.host, startedAt: this.#startedAt };
        const labels = this.#legs.map((leg) => leg.label);
        return buildBody(sdp, buildMetadata({ ...facts, parties: this.#legs, labels }));
      }
    }
  }

  async #refused(
    invite: SipMessage,
    response: SipMessage,
  ): Promise<Omit<CallReport, 'callId' | 'target' | 'statusLine' | 'answerTime'>> {
    await this.#dialog.acknowledge(invite, response);
    const status = statusOf(response) ?? 0;
    if (status !== 487 || this.#options.cancelAfter === undefined) {
      const line = response.startLine.replace(/^SIP\/2\.0 /, '');
      throw new ClientError('REFUSED', `the server refused the call: ${line}`, { status });
    }
    return {
      outcome: 'cancelled',
      answer: [],
      legs: [],
      byeStatus: undefined,
      answeredAt: undefined,
      endedAt: Date.now(),
    };
  }

  /** The call between answer and BYE. What goes wrong on our side or in the server's answer ends the dialog before it is thrown. */
  async #converse(response: SipMessage): Promise<readonly AnswerLine[]> {
    try {
      const answer = parseAnswer(response.body.toString());
      if (this.#options.cancelAfter === undefined) await this.#talk(answer);
      return answer;
    } catch (error) {
      this.#sender?.stop();
      if (this.#over === undefined) await this.#dialog.bye().catch(() => undefined);
      throw error;
    }
  }

  #outcome(): CallOutcome {
    if (this.#over instanceof ClientError) return 'connection-lost';
    if (this.#over === 'bye') return 'ended-by-server';
    return this.#options.cancelAfter === undefined ? 'completed' : 'cancelled';
  }

  async #talk(answer: readonly AnswerLine[]): Promise<void> {
    this.#sending = this.#legs.map((leg) => {
      const start = {
        ssrc: randomInt(2 ** 32),
        sequence: randomInt(2 ** 16),
        timestamp: randomInt(2 ** 32),
        ...leg.rtp,
      };
      const plan = planStream(formatOf(leg).shape, start, leg.startDelay ?? 0, leg.impairment);
      return {
        audio: leg.audio,
        plan,
        payloadType: formatOf(leg).payloadType,
        ssrc: start.ssrc,
        destination: undefined,
        protect: leg.encryption && ((packet: Buffer) => leg.encryption?.protect(packet) ?? packet),
      };
    });
    this.#direct(answer);
    await this.#shakeHands();
    this.#sender = new MediaSender(
      this.#sending,
      this.#sockets.map(({ socket }) => socket),
      this.#options.hold?.sending,
    );
    const over = new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#options.signal?.addEventListener('abort', () => {
        resolve();
      });
      if (this.#over !== undefined || this.#options.signal?.aborted === true) resolve();
    });
    this.#sender.start();
    const played = this.#sender.finished.then(() => wait(this.#options.linger ?? 100));
    const { hangUpAfter } = this.#options;
    const hungUp = hangUpAfter === undefined ? [] : [wait(hangUpAfter)];
    const holding = this.#holdAndResume(this.#sender);
    await Promise.race([over, ...hungUp, Promise.all([played, holding])]);
    this.#sender.stop();
  }

  async #shakeHands(): Promise<void> {
    await Promise.all(
      this.#sending.map(async ({ destination }, index) => {
        const [encryption, socket] = [this.#legs[index]?.encryption, this.#sockets[index]?.socket];
        if (encryption instanceof LegHandshake && socket && destination)
          await encryption.shakeHands(socket, destination);
      }),
    );
  }

  /** Sends RTP where the newest answer wants it. */
  #direct(answer: readonly AnswerLine[]): void {
    for (const [index, leg] of this.#sending.entries()) {
      const line = answer[index];
      if (line === undefined) continue;
      if (line.port > 0) takeAnswer(this.#legs[index]?.encryption, line);
      const wanted = line.port > 0 && line.direction !== 'inactive';
      leg.destination = wanted ? { address: line.address, port: line.port } : undefined;
    }
  }

  async #holdAndResume(sender: MediaSender): Promise<void> {
    const { hold } = this.#options;
    if (hold === undefined) return;
    await wait(hold.at);
    sender.hold(true);
    await this.#reinvite('inactive');
    this.#options.onStep?.('held');
    await wait(hold.until - hold.at);
    for (const { encryption } of this.#legs) if (encryption instanceof LegEncryption) encryption.renew();
    this.#direct(await this.#reinvite('sendonly'));
    sender.hold(false);
    this.#options.onStep?.('resumed');
  }

  /** Empty when the call is over. */
  async #reinvite(direction: OfferDirection): Promise<readonly AnswerLine[]> {
    if (this.#over !== undefined) return [];
    const exchange = await this.#invite(direction, false).catch((error: unknown) => {
      if (this.#over === undefined) throw error;
      return undefined;
    });
    if (exchange === undefined) return [];
    const { invite, response } = exchange;
    await this.#dialog.acknowledge(invite, response);
    const status = statusOf(response) ?? 0;
    if (status >= 300)
      throw new ClientError('REFUSED', `the server refused the re-INVITE: ${status}`, { status });
    return parseAnswer(response.body.toString());
  }

  /** Status of the answer to our BYE, undefined when there was nobody left to send it to. */
  async #hangUp(): Promise<number | undefined> {
    if (this.#over !== undefined) return undefined;
    try {
      return statusOf(await this.#dialog.bye());
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      this.#over ??= error;
      return undefined;
    }
  }

  #report(): readonly LegReport[] {
    const sent = this.#sender?.results() ?? [];
    return this.#legs.flatMap((leg, index) => {
      const [result, sending] = [sent[index], this.#sending[index]];
      if (result === undefined || sending === undefined) return [];
      const { destination, plan } = sending;
      return [
        {
          ...result,
          label: leg.label,
          party: { number: leg.number, ...(leg.name === undefined ? {} : { name: leg.name }) },
          codec: formatOf(leg).encoding,
          encryption: leg.encryption?.name ?? 'none',
          ssrc: sending.ssrc.toString(16).padStart(8, '0'),
          sentTo:
            destination === undefined ? undefined : `${bracketed(destination.address)}:${destination.port}`,
          lost: plan.lost,
          duplicated: plan.duplicated,
          reordered: plan.reordered,
        },
      ];
    });
  }

  #serve(request: SipMessage): void {
    this.#dialog.answer(request);
    if (methodOf(request) === 'BYE') this.#end('bye');
  }

  #end(reason: 'bye' | ClientError): void {
    this.#over ??= reason;
    this.#wake();
  }
}

function takeAnswer(encryption: LegEncryption | LegHandshake | undefined, line: AnswerLine): void {
  if (encryption instanceof LegHandshake) encryption.answered(line.dtls);
  else encryption?.answered(line.cryptos);
}
