/*
 * The sending side of the media benchmark: streams of 20 ms G.711 packets, sent by `sendmmsg` called through koffi. Every
 * packet's payload is a cut of one table of noise at a place that depends on stream and packet number, so that nothing is
 * copied here and every octet of a recording can be foretold.
 */
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { threadSrtp } from '../../src/media/srtp/load-engine.ts';
import { SrtpSender } from '../../src/media/srtp/srtp-sender.ts';
import type { SuiteName } from '../../src/media/srtp/suites.ts';

export const PAYLOAD_OCTETS = 160;
const HEADER_OCTETS = 12;
const TABLE_OCTETS = 1 << 16;
const TURN_MS = 20;

/** Noise from a fixed seed (xorshift32), the same in every process; never the octet of A-law silence. */
export function noiseTable(): Buffer {
  const table = Buffer.allocUnsafeSlow(TABLE_OCTETS + PAYLOAD_OCTETS);
  let state = 0x9e3779b9;
  for (let at = 0; at < table.length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const octet = (state >>> 8) & 0xff;
    table[at] = octet === 0xd5 ? 0x55 : octet;
  }
  return table;
}

/** Where in the table the payload of a packet begins. */
export const payloadAt = (stream: number, turn: number): number =>
  (Math.imul(stream, 40_503) + Math.imul(turn, 9973)) & (TABLE_OCTETS - 1);

/** How the packets of an encrypted load are protected. */
export const SUITE: SuiteName = 'AES_CM_128_HMAC_SHA1_80';

/**
 * So many streams of an encrypted load differ: the others repeat them, with one key and SSRC, so that a packet is encrypted once a turn and sent many times.
 * The two sides of a call are never the same.
 */
const ENCRYPTED_STREAMS = 16;

/** The stream whose packets a stream carries. */
export const contentOf = (stream: number, isEncrypted: boolean): number =>
  isEncrypted ? stream % ENCRYPTED_STREAMS : stream;

/** The SSRC of a stream of the load. */
const ssrcOf = (stream: number): number => 0x5ea10000 + stream;

/*
 * One message of a batch: struct mmsghdr (64 octets), two struct iovec (header, payload), struct sockaddr_in and the RTP
 * header, each in an array of its own.
 */
const MESSAGE = 64;
const VECTORS = 32;
const NAME = 16;

type SendMany = (fd: number, messages: bigint, count: number, flags: number) => number;

export class RtpLoad {
  readonly #koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  readonly #sendmmsg: SendMany;
  readonly #fd: number;
  readonly #streams: number;
  readonly #table = noiseTable();
  readonly #headers: Buffer;
  readonly #messages: Buffer;
  readonly #vectors: Uint32Array;
  readonly #names: Buffer;
  readonly #messageBase: bigint;
  readonly #tableLow: number;
  /** The packets of this turn, where they are encrypted; and what encrypts them. */
  readonly #packets: readonly Buffer[] = [];
  readonly #sender: SrtpSender | undefined;
  #encryptedTurn = -1;
  sent = 0;

  /** `ports` on 127.0.0.1, one a stream; with a master key the packets are encrypted. */
  constructor(ports: readonly number[], key?: Uint8Array) {
    const libc = this.#koffi.load(null);
    this.#sendmmsg = libc.func('int sendmmsg(int, uintptr_t, uint, int)') as SendMany;
    this.#fd = Number(libc.func('int socket(int, int, int)')(2, 2, 0));
    this.#streams = ports.length;
    this.#headers = Buffer.allocUnsafeSlow(ports.length * HEADER_OCTETS).fill(0);
    this.#messages = Buffer.allocUnsafeSlow(ports.length * MESSAGE).fill(0);
    this.#vectors = new Uint32Array((ports.length * VECTORS) / 4);
    this.#names = Buffer.allocUnsafeSlow(ports.length * NAME).fill(0);
    this.#messageBase = this.#koffi.address(this.#messages);
    if (key !== undefined) {
      this.#sender = new SrtpSender(threadSrtp(), { suite: SUITE, masters: [{ bytes: key }] });
      const octets = HEADER_OCTETS + PAYLOAD_OCTETS + this.#sender.overhead;
      this.#packets = Array.from({ length: ENCRYPTED_STREAMS }, () => Buffer.allocUnsafeSlow(octets));
    }
    const table = this.#koffi.address(this.#table);
    this.#tableLow = Number(table & 0xffffffffn);
    if (this.#tableLow + this.#table.length > 0xffffffff)
      throw new Error('the table of noise lies across 4 GiB; run again');
    ports.forEach((port, stream) => {
      this.#lay(stream, port, table);
    });
  }

  /** Sends turn after turn of 20 ms, the streams spread over its milliseconds. Returns the number of whole turns sent. */
  async run(stopped: () => boolean): Promise<number> {
    const start = performance.now();
    const cut = (part: number): number => Math.floor((part * this.#streams) / TURN_MS);
    let tick = 0;
    while (!stopped() || tick % TURN_MS !== 0) {
      const due = Math.floor(performance.now() - start);
      for (; tick < due && !(stopped() && tick % TURN_MS === 0); tick += 1) {
        const part = tick % TURN_MS;
        this.#send(cut(part), cut(part + 1), Math.floor(tick / TURN_MS));
      }
      await delay(1);
    }
    return tick / TURN_MS;
  }

  /** Sends one packet of every stream at once. */
  burst(turn: number): void {
    this.#send(0, this.#streams, turn);
  }

  /** Sends a stream to another port from now on. */
  aim(stream: number, port: number): void {
    this.#names.writeUInt16BE(port, stream * NAME + 2);
  }

  #send(from: number, to: number, turn: number): void {
    if (this.#sender !== undefined) this.#encrypt(this.#sender, turn);
    else for (let stream = from; stream < to; stream += 1) this.#address(stream, turn);
    for (let next = from; next < to;) {
      const count = this.#sendmmsg(
        this.#fd,
        this.#messageBase + BigInt(next * MESSAGE),
        Math.min(64, to - next),
        0,
      );
      // A port that is closed answers with an error on the next send; the packet goes out at the second try.
      if (count <= 0) continue;
      this.sent += count;
      next += count;
    }
  }

  /** The header of a packet, and where its payload begins. */
  #address(stream: number, turn: number): void {
    const header = stream * HEADER_OCTETS;
    const time = turn * PAYLOAD_OCTETS;
    this.#headers[header + 2] = turn >>> 8;
    this.#headers[header + 3] = turn;
    this.#headers[header + 4] = time >>> 24;
    this.#headers[header + 5] = time >>> 16;
    this.#headers[header + 6] = time >>> 8;
    this.#headers[header + 7] = time;
    this.#vectors[stream * 8 + 4] = this.#tableLow + payloadAt(stream, turn);
  }

  /** Makes the packets of a turn, once; they lie where the messages say. */
  #encrypt(sender: SrtpSender, turn: number): void {
    if (turn === this.#encryptedTurn) return;
    this.#encryptedTurn = turn;
    this.#packets.forEach((packet, stream) => {
      packet.writeUInt16BE(0x8008, 0);
      packet.writeUInt16BE(turn & 0xffff, 2);
      packet.writeUInt32BE((turn * PAYLOAD_OCTETS) >>> 0, 4);
      packet.writeUInt32BE(ssrcOf(stream), 8);
      const from = payloadAt(stream, turn);
      this.#table.copy(packet, HEADER_OCTETS, from, from + PAYLOAD_OCTETS);
      sender.protect(packet, HEADER_OCTETS + PAYLOAD_OCTETS);
    });
  }

  #lay(stream: number, port: number, table: bigint): void {
    const header = stream * HEADER_OCTETS;
    this.#headers.writeUInt16BE(0x8008, header);
    this.#headers.writeUInt32BE(ssrcOf(stream), header + 8);
    const encrypted = this.#packets[contentOf(stream, true)];
    const whole = encrypted && this.#koffi.address(encrypted);
    const name = stream * NAME;
    this.#names.writeUInt16LE(2, name);
    this.#names.writeUInt16BE(port, name + 2);
    this.#names.writeUInt32BE(0x7f000001, name + 4);
    const vectors = Buffer.from(this.#vectors.buffer, stream * VECTORS, VECTORS);
    vectors.writeBigUInt64LE(whole ?? this.#koffi.address(this.#headers) + BigInt(header), 0);
    vectors.writeBigUInt64LE(BigInt(HEADER_OCTETS), 8);
    vectors.writeBigUInt64LE(whole === undefined ? table : whole + BigInt(HEADER_OCTETS), 16);
    vectors.writeBigUInt64LE(
      BigInt((encrypted?.length ?? HEADER_OCTETS + PAYLOAD_OCTETS) - HEADER_OCTETS),
      24,
    );
    const message = stream * MESSAGE;
    const vectorBase = this.#koffi.address(Buffer.from(this.#vectors.buffer));
    this.#messages.writeBigUInt64LE(this.#koffi.address(this.#names) + BigInt(name), message);
    this.#messages.writeUInt32LE(NAME, message + 8);
    this.#messages.writeBigUInt64LE(vectorBase + BigInt(stream * VECTORS), message + 16);
    this.#messages.writeBigUInt64LE(2n, message + 24);
  }
}
