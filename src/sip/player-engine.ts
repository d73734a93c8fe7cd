import { createSocket, type Socket } from 'node:dgram';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { FRAME_MS, stepOf, type Clip } from '../media/clip.ts';
import type { SrtpKeying } from '../media/srtp/keying.ts';
import { threadSrtp } from '../media/srtp/load-engine.ts';
import { SrtpSender } from '../media/srtp/srtp-sender.ts';
import { tickAt, type PlayPlan } from './play-schedule.ts';

export interface Target {
  readonly address: string;
  readonly port: number;
}

/** Where the packets of a line go, and how they are sent. Plain data: it crosses threads. */
export interface Way {
  readonly to: Target;
  readonly payloadType: number;
  /** Ours, where the line is encrypted. */
  readonly keying?: SrtpKeying;
}

/** What is played on a line. Plain data: it crosses threads. */
export interface Piece extends Way {
  readonly clip: Clip;
  readonly plan: PlayPlan;
}

/** UDP ports, both ends included. */
export interface PlayPorts {
  readonly first: number;
  readonly last: number;
}

/** What was heard. */
export interface Heard {
  readonly milliseconds: number;
  /** False when somebody ended it before. */
  readonly whole: boolean;
}

const RTP_HEADER = 12;
/** Half a frame: a packet is late by no more. */
const LOOK_EVERY = 10;
/** Ports that are tried before giving up, where others use them. */
const PORT_TRIES = 200;
/** After a stand-still of the machine no burst is sent: the rest comes later, and nothing of a text is left out. */
const MOST_AT_ONCE = 5;

interface Stream {
  readonly piece: Piece;
  sender: SrtpSender | undefined;
  /** Undefined while the peer is on hold. */
  way: Way | undefined;
  readonly ssrc: number;
  readonly firstTimestamp: number;
  sequence: number;
  /** Put off by a stand-still. */
  began: number;
  /** Ticks that are over. */
  ticks: number;
  /** The next packet is the first after a silence. */
  marked: boolean;
  readonly over: (heard: Heard) => void;
}

interface Line {
  readonly socket: Socket;
  stream: Stream | undefined;
}

/** Sockets that audio is played from, all on one timer, paced against the clock, so that delays do not add up. */
export class PlayerEngine {
  readonly #ports: PlayPorts | undefined;
  readonly #lines = new Map<number, Line>();
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Without `ports` the system chooses them. */
  constructor(ports?: PlayPorts) {
    this.#ports = ports;
  }

  /** Binds a port. Rejects with what the system says when there is none. */
  async open(localAddress: string): Promise<{ readonly line: number; readonly port: number }> {
    const socket = await this.#bind(localAddress.includes(':') ? 'udp6' : 'udp4');
    // A peer that is gone is no fault of ours.
    socket.on('error', () => undefined);
    // Peers send to a line that says sendonly all the same; it is read and forgotten.
    socket.on('message', () => undefined);
    const line = ++this.#next;
    this.#lines.set(line, { socket, stream: undefined });
    return { line, port: socket.address().port };
  }

  /** Resolves when it was played to its end, or the line is closed. Rejects when the keys cannot be used. */
  play(line: number, piece: Piece): Promise<Heard> {
    const known = this.#lines.get(line);
    if (known === undefined) return Promise.resolve({ milliseconds: 0, whole: false });
    known.stream?.over(heardOf(known.stream, false));
    return new Promise((resolve) => {
      known.stream = {
        piece,
        sender: piece.keying && new SrtpSender(threadSrtp(), piece.keying),
        way: piece,
        ssrc: randomBytes(4).readUInt32BE(),
        firstTimestamp: randomInt(0x7fffffff),
        sequence: randomInt(0x8000),
        began: performance.now(),
        ticks: 0,
        marked: true,
        over: resolve,
      };
      this.#timer ??= setInterval(() => {
        this.#look();
      }, LOOK_EVERY);
      this.#look();
    });
  }

  /** The peer moved, or wants other keys or another number of the format: what follows goes that way, or nowhere while it is on hold. */
  redirect(line: number, way: Way | undefined): void {
    const stream = this.#lines.get(line)?.stream;
    if (stream === undefined) return;
    stream.way = way;
    if (way === undefined || isKeptBy(stream.sender, way)) return;
    stream.sender?.destroy();
    stream.sender = way.keying && new SrtpSender(threadSrtp(), way.keying);
  }

  /** May be called twice. */
  close(line: number): void {
    const known = this.#lines.get(line);
    if (known === undefined) return;
    this.#lines.delete(line);
    this.#finish(known, false);
    known.socket.close();
  }

  closeAll(): void {
    for (const line of this.#lines.keys()) this.close(line);
    this.#rest();
  }

  async #bind(type: 'udp4' | 'udp6'): Promise<Socket> {
    const ports = this.#ports;
    const span = ports === undefined ? 1 : ports.last - ports.first + 1;
    const start = randomInt(span);
    let refusal: unknown;
    for (let tries = 0; tries < Math.min(span, PORT_TRIES); tries++)
      try {
        return await boundTo(type, ports === undefined ? 0 : ports.first + ((start + tries) % span));
      } catch (error) {
        refusal = error;
      }
    throw refusal;
  }

  #look(): void {
    const now = performance.now();
    let playing = 0;
    for (const line of this.#lines.values())
      if (line.stream !== undefined) {
        playing += 1;
        this.#advance(line, line.stream, now);
      }
    if (playing === 0) this.#rest();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #advance(line: Line, stream: Stream, now: number): void {
    const { piece } = stream;
    const late = Math.floor((now - stream.began) / FRAME_MS) + 1 - stream.ticks - MOST_AT_ONCE;
    if (late > 0) stream.began += late * FRAME_MS;
    const due = Math.floor((now - stream.began) / FRAME_MS) + 1;
    for (; stream.ticks < due; stream.ticks++) {
      const tick = tickAt(stream.ticks, piece.clip.ends.length, piece.plan);
      if (tick === 'end') {
        this.#finish(line, true);
        return;
      }
      if (tick === 'pause' || stream.way === undefined) stream.marked = true;
      else this.#send(line.socket, { stream, way: stream.way }, tick);
    }
  }

  #send(
    socket: Socket,
    { stream, way }: { readonly stream: Stream; readonly way: Way },
    frame: number,
  ): void {
    const { clip } = stream.piece;
    const { to, payloadType } = way;
    const payload = clip.octets.subarray(frame === 0 ? 0 : clip.ends[frame - 1], clip.ends[frame]);
    const length = RTP_HEADER + payload.length;
    const packet = Buffer.alloc(length + (stream.sender?.overhead ?? 0));
    packet[0] = 0x80;
    packet[1] = payloadType | (stream.marked ? 0x80 : 0);
    packet.writeUInt16BE(stream.sequence & 0xffff, 2);
    packet.writeUInt32BE((stream.firstTimestamp + stream.ticks * stepOf(clip.encoding)) >>> 0, 4);
    packet.writeUInt32BE(stream.ssrc, 8);
    packet.set(payload, RTP_HEADER);
    stream.sender?.protect(packet, length);
    stream.marked = false;
    stream.sequence += 1;
    // The port may be closed, the address unreachable: nobody listens then.
    socket.send(packet, to.port, to.address, () => undefined);
  }

  #finish(line: Line, whole: boolean): void {
    const { stream } = line;
    if (stream === undefined) return;
    line.stream = undefined;
    stream.sender?.destroy();
    stream.over(heardOf(stream, whole));
  }
}

const isKeptBy = (sender: SrtpSender | undefined, { keying }: Way): boolean =>
  keying === undefined ? sender === undefined : sender?.isFrom(keying) === true;

async function boundTo(type: 'udp4' | 'udp6', port: number): Promise<Socket> {
  const socket = createSocket(type);
  const bound = once(socket, 'listening');
  socket.bind(port);
  try {
    await bound;
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

const heardOf = ({ ticks }: Stream, whole: boolean): Heard => ({ milliseconds: ticks * FRAME_MS, whole });
