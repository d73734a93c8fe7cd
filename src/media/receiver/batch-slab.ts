import { AF_INET, AF_INET6, type Libc, MSG_TRUNC, SO_RXQ_OVFL, SO_TIMESTAMPNS, SOL_SOCKET } from './libc.ts';
import { newRun } from './pass-on.ts';

/** Datagrams one system call takes at most. */
export const SLOTS = 64;
/**
 * Room for a datagram: 20 ms of two channels of 16 bits at 48 kHz, which come in fragments, with what may stand before them. No power of two, so
 * that the beginnings of the slots do not share few places of the caches.
 */
export const SLOT_BYTES = 4160;

/*
 * struct mmsghdr on 64-bit Linux, in words of 32 bits:
 *
 *  0        2           4      6         8          10             12     14    15
 *  msg_name msg_namelen msg_iov msg_iovlen msg_control msg_controllen flags msg_len padding
 */
const HEADER_WORDS = 16;
const NAME_LENGTH = 2;
const CONTROL_LENGTH = 10;
const FLAGS = 12;
const MESSAGE_LENGTH = 14;

const HEADER_BYTES = HEADER_WORDS * 4;
const IOVEC_BYTES = 16;
const NAME_BYTES = 32;
/** struct sockaddr_in6, the longest name of a UDP sender. */
const SOCKADDR_BYTES = 28;
/** A control message with a time: its header and two words of 64 bits. */
const STAMP_BYTES = 32;
/** 32 bytes of time stamp and 24 of drop counter, and some to spare. */
const CONTROL_BYTES = 64;

const IOVECS = SLOTS * HEADER_BYTES;
const NAMES = IOVECS + SLOTS * IOVEC_BYTES;
const CONTROLS = NAMES + SLOTS * NAME_BYTES;
const DESCRIPTION_BYTES = CONTROLS + SLOTS * CONTROL_BYTES;

/** The last sender of a socket as the kernel names it (struct sockaddr_in, sockaddr_in6), in words. */
export interface LastSender {
  /** Family and port; 0 while there was none. */
  senderPort: number;
  /** Of IPv4. */
  senderHost: number;
  /** All of it, of IPv6. */
  sender6: Int32Array | undefined;
}

/**
 * Memory for one `recvmmsg`: 64 slots of data, and the headers that tell the kernel where they are. It is described
 * once and used again for every read of every socket; what the kernel writes is read back in place.
 */
export class BatchSlab {
  /** The data, with lengths and times of arrival of what was received last, and one sender in place of all. */
  readonly run = newRun(SLOTS, SLOT_BYTES);
  readonly #libc: Libc;
  readonly #description = Buffer.allocUnsafeSlow(DESCRIPTION_BYTES).fill(0);
  readonly #words = new Int32Array(this.#description.buffer, 0, DESCRIPTION_BYTES / 4);

  constructor(libc: Libc) {
    this.#libc = libc;
    const description = libc.address(this.#description);
    const data = libc.address(this.run.slab);
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const header = slot * HEADER_BYTES;
      const iovec = IOVECS + slot * IOVEC_BYTES;
      this.#pointer(header, description + BigInt(NAMES + slot * NAME_BYTES));
      this.#pointer(header + 16, description + BigInt(iovec));
      this.#pointer(header + 24, 1n);
      this.#pointer(header + 32, description + BigInt(CONTROLS + slot * CONTROL_BYTES));
      this.#pointer(iovec, data + BigInt(slot * SLOT_BYTES));
      this.#pointer(iovec + 8, BigInt(SLOT_BYTES));
    }
    this.#offer(SLOTS);
  }

  /** Reads up to `SLOTS` datagrams of a socket. Returns how many, or -1 with `errno()` set. */
  receive(fd: number): number {
    return this.#libc.receive(fd, this.#description, SLOTS);
  }

  /** Makes the first `count` slots ready again; the kernel has shortened their lengths to what it wrote. */
  release(count: number): void {
    this.#offer(count);
  }

  /**
   * Brings lengths and times of the first `count` slots into `run`; `now` gives the time of what the kernel did not stamp. Returns how many
   * datagrams were longer than their slot.
   */
  survey(count: number, now: () => number): number {
    const { lengths, times } = this.run;
    const words = this.#words;
    let flags = 0;
    for (let slot = 0, header = 0; slot < count; slot += 1, header += HEADER_WORDS) {
      lengths[slot] = words[header + MESSAGE_LENGTH] ?? 0;
      flags |= words[header + FLAGS] ?? 0;
      const at = this.#arrivedAt(slot);
      times[slot] = at < 0 ? now() : at;
    }
    return (flags & MSG_TRUNC) === 0 ? 0 : this.#truncated(count);
  }

  #truncated(count: number): number {
    let truncated = 0;
    for (let header = 0; header < count * HEADER_WORDS; header += HEADER_WORDS)
      if ((this.#word(header + FLAGS) & MSG_TRUNC) !== 0) truncated += 1;
    return truncated;
  }

  /** The first slot from `slot` on that comes from another sender than the `last`, `count` at most. */
  sameSource(slot: number, count: number, last: LastSender): number {
    let end = slot;
    while (end < count && this.isSource(end, last)) end += 1;
    return end;
  }

  /** Epoch milliseconds at which the kernel took the datagram in, or -1 when it did not say. */
  #arrivedAt(slot: number): number {
    const words = this.#words;
    const first = (CONTROLS + slot * CONTROL_BYTES) / 4;
    // The time is the first control message, as a rule, and the only one.
    const plain =
      words[slot * HEADER_WORDS + CONTROL_LENGTH] === STAMP_BYTES && words[first + 3] === SO_TIMESTAMPNS;
    const time = plain ? first + 4 : this.#control(slot, SO_TIMESTAMPNS);
    if (time < 0) return -1;
    const seconds = ((words[time] ?? 0) >>> 0) + (words[time + 1] ?? 0) * 0x1_0000_0000;
    return seconds * 1000 + (words[time + 2] ?? 0) / 1e6;
  }

  /** Datagrams dropped at the socket before this one was queued; the kernel says so only when there were any. */
  drops(slot: number): number {
    const drops = this.#control(slot, SO_RXQ_OVFL);
    return drops < 0 ? 0 : this.#word(drops) >>> 0;
  }

  /** Whether a slot comes from the `last` sender. */
  isSource(slot: number, last: LastSender): boolean {
    const name = nameWord(slot);
    if (this.#word(name) !== last.senderPort) return false;
    if (last.sender6 === undefined) return this.#word(name + 1) === last.senderHost;
    for (let word = 2; word < 7; word += 1) if (this.#word(name + word) !== last.sender6[word]) return false;
    return true;
  }

  /** Makes the sender of a slot the `last` one. */
  rememberSource(slot: number, last: LastSender): void {
    const name = nameWord(slot);
    last.senderPort = this.#word(name);
    last.senderHost = this.#word(name + 1);
    last.sender6 = (last.senderPort & 0xffff) === AF_INET ? undefined : this.#words.slice(name, name + 7);
  }

  /** Address and port of the sender of a slot. */
  source(slot: number): { readonly address: string; readonly port: number } {
    const name = NAMES + slot * NAME_BYTES;
    const port = this.#description.readUInt16BE(name + 2);
    const family = this.#description.readUInt16LE(name);
    if (family !== AF_INET6)
      return { address: this.#libc.addressText(this.#description.subarray(name + 4, name + 8)), port };
    const address = this.#libc.addressText(this.#description.subarray(name + 8, name + 24));
    const zone = this.#description.readUInt32LE(name + 24);
    return { address: zone === 0 ? address : `${address}%${zone}`, port };
  }

  /** Word at which the data of a control message of a kind begins, or -1. cmsghdr: length (8 bytes), level, type. */
  #control(slot: number, type: number): number {
    const end = this.#word(slot * HEADER_WORDS + CONTROL_LENGTH);
    const start = (CONTROLS + slot * CONTROL_BYTES) / 4;
    let at = 0;
    while (at + 16 <= end) {
      const message = start + at / 4;
      if (this.#word(message + 2) === SOL_SOCKET && this.#word(message + 3) === type) return message + 4;
      const length = this.#word(message);
      if (length < 16) return -1;
      at += (length + 7) & ~7;
    }
    return -1;
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }

  #offer(count: number): void {
    for (let header = 0; header < count * HEADER_WORDS; header += HEADER_WORDS) {
      this.#words[header + NAME_LENGTH] = SOCKADDR_BYTES;
      this.#words[header + CONTROL_LENGTH] = CONTROL_BYTES;
    }
  }

  #pointer(offset: number, value: bigint): void {
    this.#description.writeBigUInt64LE(value, offset);
  }
}

const nameWord = (slot: number): number => (NAMES + slot * NAME_BYTES) / 4;
