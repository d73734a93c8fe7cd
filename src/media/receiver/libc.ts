import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { isIPv4, isIPv6 } from 'node:net';

/*
 * The system calls of the batch receiver, called straight from TypeScript through koffi. Constants and layouts are
 * those of 64-bit little-endian Linux with glibc or musl, which x86-64 and arm64 share (asm-generic headers).
 */

export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
/** Option and control message have the same number. */
export const SO_TIMESTAMPNS = 35;
/** Option and control message have the same number. */
export const SO_RXQ_OVFL = 40;
const SO_MEMINFO = 55;
/** Index of the drop counter in the answer to SO_MEMINFO (linux/sock_diag.h). */
const SK_MEMINFO_DROPS = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_DONTWAIT = 0x40;
const MADV_DONTNEED = 4;
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
/** struct epoll_event: what is ready, and behind it what the caller has put there; without a gap on x86-64 alone. */
const EVENT_DATA = arch() === 'x64' ? 4 : 8;
const EVENT_BYTES = EVENT_DATA + 8;
/** Of the largest pages these machines have: what is rounded to them is rounded to the smaller ones too. */
const PAGE_BYTES = 64 * 1024;
export const MSG_TRUNC = 0x20;

export const EINTR = 4;
export const EAGAIN = 11;
export const EADDRINUSE = 98;

/** A system call that failed, with the number the kernel gave. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  readonly errno: number;

  constructor(call: string, errno: number) {
    super(`${call} failed with errno ${errno}`);
    this.errno = errno;
  }
}

type Call = (...args: (number | bigint | string | Buffer | null)[]) => number;

interface Koffi {
  load(path: null): { func(definition: string): unknown };
  errno(): number;
  address(value: Buffer): bigint;
}

/** The calls themselves; those that can fail throw SystemCallError, except `recvmmsg`, whose caller asks `errno()`. */
export class Libc {
  readonly #koffi: Koffi;
  readonly #socket: Call;
  readonly #bind: Call;
  readonly #setsockopt: Call;
  readonly #getsockopt: Call;
  readonly #getsockname: Call;
  readonly #inetPton: Call;
  readonly #inetNtop: Call;
  readonly #recvmmsg: Call;
  readonly #sendto: Call;
  readonly #close: Call;
  readonly #madvise: Call;
  readonly #epollCreate: Call;
  readonly #epollCtl: Call;
  readonly #epollWait: Call;
  // Arguments that the kernel reads, or answers that are read at once: a call copies none and keeps none, and there are dozens a recording.
  readonly #value = Buffer.alloc(4);
  readonly #length = Buffer.alloc(4);
  readonly #answer = Buffer.alloc(64);
  readonly #name4 = Buffer.alloc(16);
  readonly #name6 = Buffer.alloc(28);
  readonly #address = Buffer.alloc(16);
  readonly #event = Buffer.alloc(EVENT_BYTES);
  #events = Buffer.alloc(0);

  constructor(koffi: Koffi) {
    const library = koffi.load(null);
    const bindCall = (definition: string): Call => library.func(definition) as Call;
    this.#koffi = koffi;
    this.#socket = bindCall('int socket(int, int, int)');
    this.#bind = bindCall('int bind(int, void *, uint)');
    this.#setsockopt = bindCall('int setsockopt(int, int, int, void *, uint)');
    this.#getsockopt = bindCall('int getsockopt(int, int, int, void *, void *)');
    this.#getsockname = bindCall('int getsockname(int, void *, void *)');
    this.#inetPton = bindCall('int inet_pton(int, str, void *)');
    this.#inetNtop = bindCall('intptr_t inet_ntop(int, void *, void *, uint)');
    this.#recvmmsg = bindCall('int recvmmsg(int, void *, uint, int, void *)');
    this.#sendto = bindCall('intptr_t sendto(int, void *, size_t, int, void *, uint)');
    this.#close = bindCall('int close(int)');
    this.#madvise = bindCall('int madvise(void *, size_t, int)');
    this.#epollCreate = bindCall('int epoll_create1(int)');
    this.#epollCtl = bindCall('int epoll_ctl(int, int, int, void *)');
    this.#epollWait = bindCall('int epoll_wait(int, void *, int, int)');
  }

  /** Of the call just made; any other call in between may change it. */
  errno(): number {
    return this.#koffi.errno();
  }

  /** Where the bytes of a buffer lie; stays true as long as the buffer lives, since its store is outside the heap. */
  address(buffer: Buffer): bigint {
    return this.#koffi.address(buffer);
  }

  /** A UDP socket that never blocks and is not inherited by child processes. */
  udpSocket(family: number): number {
    return this.#check('socket', this.#socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }

  bind(fd: number, address: string, port: number): void {
    const name = this.#socketAddress(address, port);
    this.#check('bind', this.#bind(fd, name, name.length));
  }

  boundPort(fd: number): number {
    this.#check('getsockname', this.#getsockname(fd, this.#answer, this.#room()));
    return this.#answer.readUInt16BE(2);
  }

  setOption(fd: number, option: number, value: number): void {
    this.#check('setsockopt', this.#setsockopt(fd, SOL_SOCKET, option, this.#int32(value), 4));
  }

  /** Lets an IPv6 socket take IPv4 too, as `::` does in Node. */
  allowBothFamilies(fd: number): void {
    this.#check('setsockopt', this.#setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, this.#int32(0), 4));
  }

  /** Asks for a receive buffer, beyond net.core.rmem_max where this process may. */
  setReceiveBuffer(fd: number, bytes: number): void {
    if (this.#setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, this.#int32(bytes), 4) !== 0)
      this.setOption(fd, SO_RCVBUF, bytes);
  }

  /** The bytes of receive buffer granted. */
  receiveBuffer(fd: number): number {
    this.#check('getsockopt', this.#getsockopt(fd, SOL_SOCKET, SO_RCVBUF, this.#answer, this.#room()));
    // The kernel keeps and reports twice the number, for its own book-keeping (socket(7)).
    return this.#answer.readInt32LE() / 2;
  }

  /** Datagrams dropped at this socket so far, or undefined before Linux 4.12. */
  drops(fd: number): number | undefined {
    const info = this.#answer;
    if (this.#getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, this.#room()) !== 0) return undefined;
    const told = this.#length.readInt32LE() > SK_MEMINFO_DROPS * 4;
    return told ? info.readUInt32LE(SK_MEMINFO_DROPS * 4) : undefined;
  }

  /** Text of an address in network order: 4 bytes or 16. */
  addressText(bytes: Buffer): string {
    const text = Buffer.alloc(46);
    this.#inetNtop(bytes.length === 4 ? AF_INET : AF_INET6, bytes, text, text.length);
    return text.toString('latin1', 0, text.indexOf(0));
  }

  /** How many headers were filled, or -1. */
  receive(fd: number, headers: Buffer, count: number): number {
    return this.#recvmmsg(fd, headers, count, MSG_DONTWAIT, null);
  }

  /** The name of a sender or receiver for a socket of a family; undefined for what is no address. */
  nameOf(family: number, to: { readonly address: string; readonly port: number }): Buffer | undefined {
    try {
      return Buffer.from(this.#socketAddress(addressIn(family, to.address), to.port));
    } catch {
      return undefined;
    }
  }

  /** Sends without waiting and without saying whether it went. */
  sendTo(fd: number, datagram: Buffer, name: Buffer): void {
    this.#sendto(fd, datagram, datagram.length, MSG_DONTWAIT, name, name.length);
  }

  close(fd: number): void {
    this.#close(fd);
  }

  /** Something that watches sockets; not inherited by child processes. */
  epoll(): number {
    return this.#check('epoll_create1', this.#epollCreate(EPOLL_CLOEXEC));
  }

  /** Has `epoll` watch a socket until it is closed. */
  watch(epoll: number, fd: number): void {
    this.#event.writeUInt32LE(EPOLLIN, 0);
    this.#event.writeInt32LE(fd, EVENT_DATA);
    this.#check('epoll_ctl', this.#epollCtl(epoll, EPOLL_CTL_ADD, fd, this.#event));
  }

  /** Puts the sockets that have something to read into `fds`, as many as fit, and returns how many; without waiting, and 0 where the kernel does not say. */
  ready(epoll: number, fds: Int32Array): number {
    if (this.#events.length < fds.length * EVENT_BYTES) this.#events = Buffer.alloc(fds.length * EVENT_BYTES);
    const count = Math.max(0, this.#epollWait(epoll, this.#events, fds.length, 0));
    for (let index = 0; index < count; index += 1)
      fds[index] = this.#events.readInt32LE(index * EVENT_BYTES + EVENT_DATA);
    return count;
  }

  /** Gives the kernel back the memory of the pages that lie wholly in a buffer; the buffer stays, and has zeros there. */
  discard(buffer: Buffer): void {
    const begin = Number(this.address(buffer) % BigInt(PAGE_BYTES));
    const first = (PAGE_BYTES - begin) % PAGE_BYTES;
    const length = Math.floor((buffer.length - first) / PAGE_BYTES) * PAGE_BYTES;
    if (length > 0) this.#madvise(buffer.subarray(first, first + length), length, MADV_DONTNEED);
  }

  #int32(value: number): Buffer {
    this.#value.writeInt32LE(value);
    return this.#value;
  }

  /** The length of the answer, before a call that puts there how much of it is filled. */
  #room(): Buffer {
    this.#length.writeInt32LE(this.#answer.length);
    return this.#length;
  }

  /** struct sockaddr_in or sockaddr_in6 of an address, whose zone may be given by number. Good until the next one. */
  #socketAddress(text: string, port: number): Buffer {
    const [address = '', zone] = text.split('%');
    const family = addressFamily(address);
    const name = family === AF_INET ? this.#name4 : this.#name6;
    name.writeUInt16LE(family, 0);
    name.writeUInt16BE(port, 2);
    this.#check('inet_pton', this.#inetPton(family, address, this.#address) - 1);
    if (family === AF_INET) this.#address.copy(name, 4, 0, 4);
    else {
      this.#address.copy(name, 8);
      name.writeUInt32LE(zone === undefined ? 0 : Number(zone) >>> 0, 24);
    }
    return name;
  }

  #check(call: string, result: number): number {
    if (result < 0) throw new SystemCallError(call, this.errno());
    return result;
  }
}

/** AF_INET or AF_INET6. Throws TypeError for what is not an address. */
export function addressFamily(address: string): number {
  if (isIPv4(address)) return AF_INET;
  if (isIPv6(address) && !address.includes('%')) return AF_INET6;
  throw new TypeError(`not an address: ${address}`);
}

/** An IPv4 address as a socket for both families wants it (RFC 4291 §2.5.5.2). */
const addressIn = (family: number, address: string): string =>
  family === AF_INET6 && isIPv4(address) ? `::ffff:${address}` : address;

/** Gives the kernel back what malloc keeps free, of every thread's; undefined where the C library cannot (musl, other systems). */
export function loadTrim(): (() => void) | undefined {
  try {
    const library = (createRequire(import.meta.url)('koffi') as Koffi).load(null);
    const trim = library.func('int malloc_trim(size_t)') as Call;
    return () => {
      trim(0);
    };
  } catch {
    return undefined;
  }
}

/** The C library of this process. Throws with the reason where the batch receiver cannot work. */
export function loadLibc(): Libc {
  if (platform() !== 'linux') throw new Error(`recvmmsg needs Linux, this is ${platform()}`);
  if (arch() !== 'x64' && arch() !== 'arm64') throw new Error(`no structure layouts for ${arch()}`);
  return new Libc(createRequire(import.meta.url)('koffi') as Koffi);
}
