import { randomBytes, randomInt } from 'node:crypto';
import type { CaptureLine, LineReporting } from './capture.ts';
import type { DtlsDesk } from './dtls/dtls-desk.ts';
import type { DtlsHost, DtlsLine, DtlsTerms } from './dtls/dtls-line.ts';
import { packetKind } from './dtls/dtls-records.ts';
import { EarlyPackets } from './dtls/early-packets.ts';
import type { Leg } from './leg.ts';
import { LineGuard } from './line-guard.ts';
import { openedRun } from './opened-run.ts';
import { eraseSecurity, type CaptureSecurity } from './line-security.ts';
import type { LiveCapture } from './live-capture.ts';
import type { Arrival, ArrivalRun, Receiver, ReceiverSocket } from './receiver/receiver.ts';
import { formatSource, splitSource } from './receiver/source-keys.ts';
import { bufferFor, REPORT_BUFFER_BYTES } from './receiver/receiver-options.ts';
import { looksLikeRtcp } from './rtcp/rtcp-packet.ts';
import { IceLine, type Component, type IceHost } from './ice/ice-line.ts';
import { isStun } from './ice/is-stun.ts';

/** Canonical name of this recorder in all its reports: random, and new with every start (RFC 7022 §4.2). */
const OWN_NAME = randomBytes(12).toString('base64');

/** Of the reports, one in so many goes along with something on the port of the audio: every 15 s on the average (RFC 6263 §6). */
const KEEP_OPEN_EVERY = 3;
const NOTHING = Buffer.alloc(0);

/** Where to bind, and the even port of a pair. */
export interface PortPair {
  readonly receiver: Receiver;
  readonly bind: string;
  readonly port: number;
}

const isHandshake = ({ slab, start, end }: Arrival): boolean =>
  end > start && packetKind(slab[start] ?? 0) === 'dtls';

/**
 * The way from the ports of a line to its leg: who may send, what is encrypted, what is a report. Stays when one capture succeeds another
 * on the same ports.
 */
export class LineRoute {
  capture: LiveCapture;
  leg: Leg;
  /** Opens the packets of an encrypted line. */
  #guard: LineGuard | undefined;
  /** Shakes hands for the keys of the guard. */
  #dtls: DtlsLine | undefined;
  /** The same for a port of the reports alone, which has keys of its own (RFC 5764 §4). */
  #reportGuard: LineGuard | undefined;
  #reportDtls: DtlsLine | undefined;
  readonly #desk: DtlsDesk;
  readonly #early = new EarlyPackets();
  /** Answers the client's checks, where it speaks ICE. */
  #ice: IceLine | undefined;
  #rtcp: LineReporting | undefined;
  #socket: ReceiverSocket | undefined;
  /** The odd port; undefined where reports share the even one. */
  #reportSocket: ReceiverSocket | undefined;
  /** Where the client's reports come from: ours go there (RFC 4961). */
  #reporter: string | undefined;
  /** Reports since the way was last kept open. */
  #turns = 0;
  #own = { ssrc: randomInt(0x1_0000_0000), name: OWN_NAME };

  constructor(capture: LiveCapture, leg: Leg, desk: DtlsDesk) {
    this.capture = capture;
    this.leg = leg;
    this.#desk = desk;
  }

  /** Binds the port of the line and, where reports have one of their own, that too. Rejects as `Receiver.open` does, with neither bound. */
  async open(pair: PortPair, line: CaptureLine): Promise<ReceiverSocket> {
    const { receiver, bind, port } = pair;
    const socket = await receiver.open(bind, port, this.#sink, {
      pace: this.#ice === undefined && this.#dtls === undefined ? 'usual' : 'brisk',
      receiveBuffer: bufferFor(line.packetRate),
      runs: this.#runs,
    });
    this.#socket = socket;
    this.#rtcp = line.rtcp;
    try {
      await this.#openReports(pair);
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Takes what a re-offer says of keys and reports. */
  async change(line: CaptureLine, at: number, pair: Omit<PortPair, 'port'>): Promise<void> {
    this.secure(line, at);
    this.#rtcp = line.rtcp;
    if (this.#socket === undefined) return;
    try {
      await this.#openReports({ ...pair, port: this.#socket.port });
    } catch {
      // Another program has the odd port. The audio goes on without reports.
    }
  }

  /** Gives the route what its line is secured with; the keys that came with the request are overwritten later. */
  secure({ security, ice, rtcp }: CaptureLine, at: number): void {
    if (ice === undefined) this.#ice = undefined;
    else if (this.#ice === undefined) this.#ice = new IceLine(ice, this.#iceHost);
    else this.#ice.update(ice);
    this.leg.connectivity = this.#ice?.status ?? this.leg.connectivity;
    if (security !== 'unchanged') {
      this.#resecure(security, at);
      this.#resecureReports(security?.dtls, rtcp);
    }
    this.leg.encryption = this.#guard?.suite ?? this.leg.encryption;
    this.leg.keyExchange = this.#dtls?.status ?? this.leg.keyExchange;
  }

  /** Takes in the reports that the kernel still has. */
  async drain(): Promise<void> {
    await this.#reportSocket?.drain();
  }

  /** Tells the client how its packets arrive (RFC 7866 §8.1.1). `now` in epoch ms. */
  report(now: number): void {
    this.#keepOpen();
    this.#tell(now, false);
  }

  /** Tells it for the last time. Where nobody has ever spoken there is nothing to tell, and nobody to leave (RFC 3550 §6.3.7). */
  leave(now: number): void {
    if (this.leg.packets > 0 || this.leg.reports.counts.sent > 0) this.#tell(now, true);
  }

  #tell(now: number, leaves: boolean): void {
    const target = this.#target();
    const socket = this.#reportSocket ?? this.#socket;
    if (this.#rtcp === undefined || target === undefined || socket === undefined) return;
    const guard = this.#guardOf(socket);
    // Not in clear on an encrypted line.
    if (guard?.canSend === false) return;
    const { streams } = this.leg.sources;
    // Two that chose the same number cannot be told apart (RFC 3550 §8.2).
    if (streams.some(({ ssrc }) => ssrc === this.#own.ssrc))
      this.#own = { ...this.#own, ssrc: (this.#own.ssrc + 1 + randomInt(0xffff)) % 0x1_0000_0000 };
    const compound = this.leg.reports.compose(this.#own, streams, { now, leaves });
    socket.send(guard?.protectRtcp(compound) ?? compound, target);
  }

  /** What the packets of a port are protected with. */
  #guardOf(socket: ReceiverSocket | undefined): LineGuard | undefined {
    return socket === this.#socket ? this.#guard : (this.#reportGuard ?? this.#guard);
  }

  /**
   * An empty datagram now and then (RFC 6263 §4.1), as nothing else of ours goes out on the port of the audio: whatever stands in between forgets a way
   * that nobody uses. Reports on the same port do as well, and so do the checks of ICE.
   */
  #keepOpen(): void {
    const keep = this.#rtcp?.keepAlive;
    if (keep === undefined || this.#rtcp?.mux === true || this.#ice !== undefined) return;
    this.#turns = (this.#turns + 1) % KEEP_OPEN_EVERY;
    const target = this.leg.sources.address ?? keep.target;
    if (this.#turns === 1 && target !== undefined) this.#socket?.send(NOTHING, target);
  }

  /** Says farewell, closes the port of the reports and overwrites the keys; the other port belongs to the capture, which closes it next. */
  close(): void {
    if (this.#dtls !== undefined) this.#desk.close(this.#dtls);
    this.#resecureReports(undefined, undefined);
    this.#releaseEarly();
    this.#reportSocket?.close();
    this.#guard?.destroy();
  }

  #resecure(security: CaptureSecurity | undefined, at: number): void {
    if (security?.dtls !== undefined) {
      this.#guard ??= new LineGuard();
      this.#guard.expectKeys();
      if (this.#dtls !== undefined) this.#desk.update(this.#dtls, security.dtls);
      else this.#dtls = this.#desk.open(security.dtls, this.#host, () => `port ${this.#socket?.port ?? 0}`);
      return;
    }
    if (this.#dtls !== undefined) this.#desk.close(this.#dtls);
    this.#dtls = undefined;
    this.#releaseEarly();
    if (this.#guard !== undefined) this.#guard.update(security, at);
    else if (security !== undefined) this.#guard = new LineGuard(security);
  }

  /** A line without DTLS has one set of keys for both ports (RFC 4568 §6), one with a shared port has one port. */
  #resecureReports(terms: DtlsTerms | undefined, rtcp: LineReporting | undefined): void {
    if (terms === undefined || rtcp?.mux !== false) {
      if (this.#reportDtls !== undefined) this.#desk.close(this.#reportDtls);
      this.#reportGuard?.destroy();
      this.#reportDtls = undefined;
      this.#reportGuard = undefined;
      return;
    }
    const own = { ...terms, peer: rtcp.target };
    this.#reportGuard ??= new LineGuard();
    if (this.#reportDtls !== undefined) this.#desk.update(this.#reportDtls, own);
    else this.#reportDtls = this.#desk.open(own, this.#reportHost);
  }

  /** The port of the reports as a handshake sees it. A client that makes none there has no reports, and that is all. */
  get #reportHost(): Omit<DtlsHost, 'failed'> {
    return {
      send: (datagram, to) => {
        this.#reportSocket?.send(datagram, to);
      },
      hurry: () => undefined,
      isAllowed: (source) => this.leg.gate.isAllowed(source),
      secured: ({ theirs, own }) => {
        const keys = { theirs, own, unencryptedRtcp: false };
        this.#reportGuard?.update(keys, 0);
        eraseSecurity(keys);
      },
      state: () => undefined,
    };
  }

  /** The port as a handshake sees it. */
  get #host(): Omit<DtlsHost, 'failed'> {
    return {
      send: (datagram, to) => {
        this.#socket?.send(datagram, to);
      },
      hurry: () => {
        this.#socket?.hurry?.();
      },
      isAllowed: (source) => this.leg.gate.isAllowed(source),
      secured: ({ theirs, own }) => {
        const keys = { theirs, own, unencryptedRtcp: false };
        this.#guard?.update(keys, 0);
        this.leg.encryption = theirs.suite;
        eraseSecurity(keys);
        this.#releaseEarly();
      },
      state: (text) => {
        this.leg.keyExchange = text;
      },
    };
  }

  /** The ports as checks see them. */
  get #iceHost(): IceHost {
    return {
      send: (component: Component, datagram: Buffer, to: string): void => {
        (component === 1 ? this.#socket : this.#reportSocket)?.send(datagram, to);
      },
      state: (text: string): void => {
        this.leg.connectivity = text;
      },
      checked: (): void => {
        this.leg.checks++;
      },
    };
  }

  /** Without ICE agreed on, what it sends is neither audio nor anybody's fault, and is counted nowhere. */
  #takeStun(component: Component, { slab, start, end, at }: Arrival): void {
    const source = (component === 1 ? this.#socket : this.#reportSocket)?.sourceAddress();
    if (this.#ice === undefined || source === undefined || !this.leg.gate.isAllowed(source)) return;
    this.#ice.take(component, slab.subarray(start, end), source, at);
    const chosen = this.#ice.nominated(component);
    if (chosen !== undefined) (component === 1 ? this.#dtls : this.#reportDtls)?.reach(chosen);
  }

  #takeHandshake(line: DtlsLine, { slab, start, end }: Arrival, socket: ReceiverSocket | undefined): void {
    this.#desk.take(line, slab.subarray(start, end), socket?.sourceAddress() ?? '');
  }

  async #openReports({ receiver, bind, port }: PortPair): Promise<void> {
    if (this.#rtcp === undefined || this.#rtcp.mux || this.#reportSocket !== undefined) return;
    this.#reportSocket = await receiver.open(bind, port + 1, this.#reportSink, {
      // A client waits for answers to its checks, and for those in its handshake.
      pace: this.#ice === undefined && this.#reportDtls === undefined ? 'seldom' : 'brisk',
      receiveBuffer: REPORT_BUFFER_BYTES,
    });
  }

  /** A fault of ours in one leg must not stop the sweep over all the others. */
  readonly #sink = (arrival: Arrival): void => {
    try {
      if (isStun(arrival)) {
        this.#takeStun(1, arrival);
        return;
      }
      const admitted = this.leg.gate.admits(arrival.sourceKey, () => this.capture.sourceOf(this.leg));
      if (!admitted) return;
      if (this.#dtls !== undefined && isHandshake(arrival))
        this.#takeHandshake(this.#dtls, arrival, this.#socket);
      else if (looksLikeRtcp(arrival.slab, arrival.start)) this.#takeReport(arrival, this.#socket);
      else if (this.#guard === undefined) this.leg.take(arrival);
      else this.#takeGuarded(this.#guard, arrival);
    } catch (error) {
      this.capture.fail(error as Error);
    }
  };

  /** Audio in order. */
  readonly #runs = (run: ArrivalRun, from: number, to: number): number => {
    const { leg } = this;
    const guard = this.#guard;
    if (!leg.gate.isLast(run.sourceKey)) return 0;
    if (guard === undefined) return this.#dtls === undefined ? leg.takeRun(run, from, to) : 0;
    // While a handshake is under way what no key opens may be for the keys to come.
    if (!guard.isShut || this.#dtls?.isAwaited === true) return 0;
    return openedRun().take({ guard, leg, capture: this.capture }, run, from, to);
  };

  /** What is no report has no business on this port. */
  readonly #reportSink = (arrival: Arrival): void => {
    try {
      if (isStun(arrival)) {
        this.#takeStun(2, arrival);
        return;
      }
      const socket = this.#reportSocket;
      const admitted = this.leg.gate.admits(arrival.sourceKey, () => socket?.sourceAddress() ?? '');
      if (!admitted) return;
      if (this.#reportDtls !== undefined && isHandshake(arrival))
        this.#takeHandshake(this.#reportDtls, arrival, socket);
      else this.#takeReport(arrival, socket);
    } catch (error) {
      this.capture.fail(error as Error);
    }
  };

  #takeReport(arrival: Arrival, socket: ReceiverSocket | undefined): void {
    const guard = this.#guardOf(socket);
    if (guard === undefined) {
      this.#hear(arrival, socket);
      return;
    }
    const admission = guard.admit(arrival);
    if (admission === 'opened') this.#hear(guard.clear, socket);
    else this.leg.turnAway(admission);
  }

  #hear(report: Arrival, socket: ReceiverSocket | undefined): void {
    const from = socket?.sourceAddress() ?? '';
    if (this.leg.reports.take(report, from)) this.#reporter = from;
    // Among the audio it is one more packet that is none.
    else if (socket === this.#socket) this.leg.take(report);
  }

  #takeGuarded(guard: LineGuard, arrival: Arrival): void {
    if (guard.isDone(arrival.at)) {
      guard.destroy();
      this.#guard = undefined;
      this.leg.take(arrival);
      return;
    }
    const admission = guard.admit(arrival);
    if (admission === 'opened') this.leg.take(guard.clear);
    else if (admission === 'repeated' || this.#dtls?.isAwaited !== true) this.leg.turnAway(admission);
    else if (!this.#early.hold(arrival)) this.leg.turnAway('early');
  }

  /** Hears what came before the keys and fits them; counts the rest. */
  #releaseEarly(): void {
    for (const arrival of this.#early.release()) {
      const { leg } = this;
      if (this.#guard?.admit(arrival) === 'opened') leg.take(this.#guard.clear);
      else leg.turnAway('early');
    }
  }

  /**
   * Where its reports came from; else what ICE has found; else where the SDP wants ours; else beside the port of its audio, where that comes from another host
   * than the SDP names (a translation of addresses in between).
   */
  #target(): string | undefined {
    const shown = this.#reporter ?? this.#ice?.nominated(this.#rtcp?.mux === true ? 1 : 2);
    return shown ?? this.#named();
  }

  #named(): string | undefined {
    const named = this.#rtcp?.target;
    const audio = splitSource(this.leg.sources.address ?? '');
    if (audio === undefined) return named;
    if (named !== undefined && splitSource(named)?.address === audio.address) return named;
    return formatSource(audio.address, audio.port + (this.#rtcp?.mux === true ? 0 : 1));
  }
}
