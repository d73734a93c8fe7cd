import { createSocket, type Socket } from 'node:dgram';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { rtpHeader, type PlannedPacket, type StreamPlan } from './rtp-plan.ts';

/** One stream to send. */
export interface SendingLeg {
  readonly audio: Uint8Array;
  readonly plan: StreamPlan;
  readonly payloadType: number;
  readonly ssrc: number;
  /** Undefined when the server refused the line: nothing is sent then. */
  destination: { readonly address: string; readonly port: number } | undefined;
  /** Encrypts a packet. */
  readonly protect?: ((packet: Buffer) => Buffer) | undefined;
}

interface SampleSpan {
  readonly from: number;
  readonly to: number;
}

/** What went out on one leg. */
export interface SentLeg {
  /** Distinct packets that left while the line was active. */
  readonly packets: number;
  readonly octets: number;
  /** SHA-256 over the octets of those packets in the order of the audio, hex. */
  readonly sha256: string;
  /** Samples of the audio that were not sent: lost on purpose or held. */
  readonly missing: readonly SampleSpan[];
  /** Packets sent in spite of a hold. */
  readonly whileHeld: number;
}

/** A bound socket for one leg; RTP comes from the port the offer names (RFC 4961). */
export interface MediaSocket {
  readonly port: number;
  readonly socket: Socket;
}

/** Binds an even port, as RTP has it (RFC 3550 §11). */
export async function openMediaSocket(address: string): Promise<MediaSocket> {
  for (;;) {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    const { port } = socket.address();
    if (port % 2 === 0) {
      // A receiver that is gone is the receiver's matter; RTP goes on until the BYE.
      socket.on('error', () => undefined);
      return { port, socket };
    }
    socket.close();
  }
}

interface LegState {
  readonly leg: SendingLeg;
  readonly socket: Socket;
  next: number;
  restart: boolean;
  readonly sent: Map<number, number>;
  whileHeld: number;
}

/** Sends several streams in real time against one absolute schedule. */
export class MediaSender {
  readonly #legs: readonly LegState[];
  readonly #sendWhileHeld: boolean;
  #held = false;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #ended = false;
  /** Packets on their way to the kernel: a socket closed now would drop them. */
  #inFlight = 0;
  #finish: () => void = () => undefined;
  /** Resolves after the last packet went out, or when stopped. */
  readonly finished: Promise<void>;

  constructor(legs: readonly SendingLeg[], sockets: readonly Socket[], sendWhileHeld = false) {
    this.#legs = legs.flatMap((leg, index) => {
      const socket = sockets[index];
      return socket === undefined
        ? []
        : [{ leg, socket, next: 0, restart: true, sent: new Map<number, number>(), whileHeld: 0 }];
    });
    this.#sendWhileHeld = sendWhileHeld;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  start(): void {
    this.#startedAt = performance.now();
    this.#step();
  }

  /** What falls due while held is skipped, as its moment has passed when the call goes on. */
  hold(held: boolean): void {
    this.#held = held;
    if (held) for (const state of this.#legs) state.restart = true;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#end();
  }

  /** What was sent, per leg in their order. */
  results(): readonly SentLeg[] {
    return this.#legs.map(({ leg, sent, whileHeld }) => {
      const hash = createHash('sha256');
      const missing: SampleSpan[] = [];
      let [octets, position] = [0, 0];
      for (const [from, to] of [...sent].sort(([a], [b]) => a - b)) {
        if (from > position) missing.push({ from: position, to: from });
        hash.update(leg.audio.subarray(from, to));
        octets += to - from;
        position = to;
      }
      if (position < leg.audio.length) missing.push({ from: position, to: leg.audio.length });
      return { packets: sent.size, octets, sha256: hash.digest('hex'), missing, whileHeld };
    });
  }

  #step(): void {
    const now = performance.now() - this.#startedAt;
    let nextDue = Infinity;
    for (const state of this.#legs) {
      const { packets } = state.leg.plan;
      let packet = packets[state.next];
      while (packet !== undefined && packet.due <= now) {
        this.#send(state, packet);
        packet = packets[++state.next];
      }
      nextDue = Math.min(nextDue, packet?.due ?? Infinity);
    }
    if (nextDue === Infinity) {
      this.#end();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#step();
    }, nextDue - now);
  }

  #end(): void {
    this.#ended = true;
    if (this.#inFlight === 0) this.#finish();
  }

  #send(state: LegState, planned: PlannedPacket): void {
    const { leg } = state;
    if (leg.destination === undefined || (this.#held && !this.#sendWhileHeld)) return;
    // The marker bit begins a talk spurt (RFC 3551 §4.1).
    const header = rtpHeader(planned, leg.payloadType, leg.ssrc, state.restart);
    state.restart = false;
    const payload = leg.audio.subarray(planned.from, planned.to);
    const { port, address } = leg.destination;
    this.#inFlight++;
    const packet = Buffer.concat([header, payload]);
    state.socket.send(leg.protect?.(packet) ?? packet, port, address, () => {
      this.#inFlight--;
      if (this.#ended) this.#end();
    });
    if (this.#held) state.whileHeld++;
    else state.sent.set(planned.from, planned.to);
  }
}
