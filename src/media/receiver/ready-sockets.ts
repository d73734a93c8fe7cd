import type { Libc } from './libc.ts';

/** How often the kernel is asked, in milliseconds. */
const READY_MS = 500;
/** What it names at once; more than that waits for the next time. */
const NAMED = 1024;

/**
 * Sockets on which something comes seldom. One call asks the kernel which of them have something to read (epoll), where reading each of thousands in vain would take more
 * than a hundredth of the thread.
 */
export class ReadySockets<Member extends { readonly fd: number }> {
  /** For the list of what this thread has opened. */
  readonly fd: number;
  readonly #libc: Libc;
  readonly #members = new Map<number, Member>();
  readonly #ready = new Int32Array(NAMED);
  #dueAt = 0;

  /** Throws SystemCallError. */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.fd = libc.epoll();
  }

  /** Throws SystemCallError, and the socket is not watched then. */
  add(member: Member): void {
    this.#libc.watch(this.fd, member.fd);
    this.#members.set(member.fd, member);
  }

  /** For a socket that is closed next, which the kernel then watches no more. */
  remove({ fd }: Member): void {
    this.#members.delete(fd);
  }

  all(): Member[] {
    return [...this.#members.values()];
  }

  /** Those that have something to read, every half second by `now` (ms of a clock that only goes forward); at other times none. Never throws. */
  *due(now: number): Iterable<Member> {
    if (now < this.#dueAt || this.#members.size === 0) return;
    this.#dueAt = now + READY_MS;
    const count = this.#libc.ready(this.fd, this.#ready);
    for (let index = 0; index < count; index += 1) {
      const member = this.#members.get(this.#ready[index] ?? -1);
      if (member !== undefined) yield member;
    }
  }
}
