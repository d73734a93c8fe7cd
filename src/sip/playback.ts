import { createSocket, type Socket } from 'node:dgram';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';

/** Prepared audio: one RTP payload every 20 ms (RFC 3551 §4.5.14 for G.711). */
export interface PreparedAudio {
  readonly payloadType: number;
  /** Timestamp units a frame: 160 at 8,000 Hz. */
  readonly step: number;
  readonly frames: readonly Uint8Array[];
}

const FRAME = 20;
const RTP_HEADER = 12;

/**
 * A socket that audio is played from. It lives on the main thread, far from the threads that receive: what is played is short and rare. Whoever
 * opens it closes it.
 */
export class Playback {
  readonly #socket: Socket;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    // A peer that is gone is no fault of ours.
    socket.on('error', () => undefined);
    // Peers send to a line that says sendonly all the same; it is read and forgotten.
    socket.on('message', () => undefined);
  }

  /** Binds a port. Rejects with what the system says when there is none. */
  static async open(localAddress: string): Promise<Playback> {
    const socket = createSocket(localAddress.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0);
    await once(socket, 'listening');
    return new Playback(socket);
  }

  get port(): number {
    return this.#closed ? 0 : this.#socket.address().port;
  }

  /** Plays to its end; resolves earlier when the playback is closed. Never rejects. Paced against the clock, so that delays do not add up. */
  async play(audio: PreparedAudio, to: { readonly address: string; readonly port: number }): Promise<void> {
    const ssrc = randomBytes(4).readUInt32BE();
    const [sequence, timestamp] = [randomInt(0x8000), randomInt(0x7fffffff)];
    const began = performance.now();
    for (const [at, frame] of audio.frames.entries()) {
      const wait = began + at * FRAME - performance.now();
      if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
      if (this.#closed) return;
      const packet = Buffer.alloc(RTP_HEADER + frame.length);
      packet[0] = 0x80;
      packet[1] = audio.payloadType | (at === 0 ? 0x80 : 0);
      packet.writeUInt16BE((sequence + at) & 0xffff, 2);
      packet.writeUInt32BE((timestamp + at * audio.step) >>> 0, 4);
      packet.writeUInt32BE(ssrc, 8);
      packet.set(frame, RTP_HEADER);
      this.#socket.send(packet, to.port, to.address, () => undefined);
    }
  }

  /** May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}
