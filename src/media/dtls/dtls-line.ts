import type { DtlsEndpoint } from './dtls-endpoint.ts';
import { clientHelloName } from './dtls-records.ts';
import { DtlsSession, type AgreedKeys, type DtlsRole } from './dtls-session.ts';
import { isAnnounced, type Fingerprint } from './fingerprint.ts';

/** What offer and answer say of the handshake on a line. Plain data: it crosses to the media thread. */
export interface DtlsTerms {
  /** Ours; the active end begins. */
  readonly role: DtlsRole;
  /** Of the other end's certificate. */
  readonly fingerprints: readonly Fingerprint[];
  /** `address:port` of the other end as its offer names it: where the active end begins. */
  readonly peer?: string | undefined;
  /** The other end is where ICE finds it; the active end waits for that. */
  readonly afterChecks?: boolean | undefined;
  /** `a=tls-id` of the other end (RFC 8842): another one asks for another handshake. */
  readonly association?: string | undefined;
}

/** What a line needs from the port it belongs to. */
export interface DtlsHost {
  send(datagram: Buffer, to: string): void;
  /** Brings in what the port has received, now. */
  hurry(): void;
  /** Whether the networks of the trunk allow `source`. */
  isAllowed(source: string): boolean;
  /** Takes the keys of a finished handshake and overwrites them. */
  secured(keys: AgreedKeys): void;
  /** One line for people: how the handshake stands. */
  state(text: string): void;
  /** It came to nothing; `state` has been told. */
  failed(reason: string): void;
}

/** Datagrams that wait for their turn; a handshake has at most six under way, and lost ones are repeated. */
const QUEUE = 16;
/** Longer ones are no handshake of ours; a chain of certificates comes in fragments. */
const LONGEST = 2048;
/** Clients that try at a time on one line: two after a re-INVITE, more when somebody plays with us. */
const ATTEMPTS = 4;
/** After so long without keys a line is stated to have failed; it goes on listening. In ms. */
const DEADLINE = 30_000;
/** So long a port is read out of turn while its handshake is awaited: sweeps alone would make the client wait. In ms. */
const HURRY = 10_000;

interface Attempt {
  readonly session: DtlsSession;
  /** Of its ClientHello; empty where we began. */
  readonly hello: string;
  to: string;
  secured: boolean;
}

/**
 * The DTLS side of one line: whoever shakes hands with the announced certificate gives it its keys. Several may try at once, told apart by their
 * address, so that nobody can keep the right one out. Nothing happens in `take`: all the work is done in `look` and `next`.
 */
export class DtlsLine {
  readonly #endpoint: DtlsEndpoint | undefined;
  readonly #host: DtlsHost;
  readonly #queue: { readonly datagram: Buffer; readonly source: string }[] = [];
  readonly #attempts = new Map<string, Attempt>();
  #terms: DtlsTerms;
  /** When the present handshake was agreed on, in ms; undefined until the first look. */
  #since: number | undefined;
  /** What the present handshake came to. */
  #outcome: 'secured' | 'failed' | undefined;
  #now = 0;
  /** Where ICE found the other end. */
  #reached: string | undefined;
  /** Our own handshake waits for that. */
  #waits = false;
  #closed = false;
  #status = '';

  constructor(endpoint: DtlsEndpoint | undefined, terms: DtlsTerms, host: DtlsHost) {
    this.#endpoint = endpoint;
    this.#terms = terms;
    this.#host = host;
    this.#state('DTLS, no handshake yet');
  }

  /** How it stands, in one line for people. */
  get status(): string {
    return this.#status;
  }

  /** The present handshake has brought no keys yet. */
  get isAwaited(): boolean {
    return this.#outcome !== 'secured';
  }

  /** Takes what a re-offer says; the same words change nothing. Keys agreed on before hold until there are new ones. */
  update(terms: DtlsTerms): void {
    const before = this.#terms;
    this.#terms = terms;
    if (isSameAssociation(before, terms)) return;
    for (const [key, attempt] of this.#attempts) if (!attempt.secured) this.#drop(key, attempt);
    this.#since = undefined;
    this.#outcome = undefined;
  }

  /** ICE has found the other end at `peer`. */
  reach(peer: string): void {
    this.#reached = peer;
  }

  /** Keeps a copy of a datagram for its turn. */
  take(datagram: Buffer, source: string): void {
    if (this.#closed || this.#queue.length >= QUEUE || datagram.length > LONGEST) return;
    this.#queue.push({ datagram: Buffer.from(datagram), source });
  }

  /** Begins, repeats and gives up in time; `now` in ms from any start. False when there is nothing to look after until the next datagram. */
  look(now: number): boolean {
    if (this.#closed) return false;
    this.#now = now;
    const since = this.#beginInTime(now);
    if (this.#outcome !== 'secured' && now < since + HURRY) this.#host.hurry();
    for (const [key, attempt] of this.#attempts) {
      if (attempt.session.state.name !== 'handshaking') continue;
      attempt.session.expire();
      this.#settle(key, attempt);
    }
    if (this.#outcome === undefined && now > since + DEADLINE)
      this.#fail(
        this.#attempts.size === 0
          ? 'the client did not begin within 30 seconds'
          : 'it was not finished within 30 seconds',
      );
    return (
      this.#outcome === undefined ||
      [...this.#attempts.values()].some(({ session }) => session.state.name === 'handshaking')
    );
  }

  /** Works on one datagram, at most half a millisecond. False when none is left. */
  next(): boolean {
    const waiting = this.#queue.shift();
    if (waiting === undefined || this.#closed) return false;
    const { datagram, source } = waiting;
    if (this.#terms.role === 'active') this.#takeAnswer(datagram, source);
    else this.#takeRequest(datagram, source);
    return this.#queue.length > 0;
  }

  /** Says farewell and forgets everything. May be called twice. */
  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    for (const [key, attempt] of this.#attempts) this.#drop(key, attempt);
  }

  /** Begins with the first look, or once it is known where; returns when the first look was. */
  #beginInTime(now: number): number {
    if (this.#since === undefined) {
      this.#since = now;
      this.#begin();
    } else if (this.#waits && this.#reached !== undefined) this.#begin();
    return this.#since;
  }

  #begin(): void {
    if (this.#endpoint === undefined) {
      this.#fail('OpenSSL cannot be called on this machine');
      return;
    }
    const { role, afterChecks } = this.#terms;
    if (role === 'passive') return;
    const peer = afterChecks === true ? this.#reached : this.#terms.peer;
    this.#waits = afterChecks === true && peer === undefined;
    if (this.#waits) return;
    if (peer === undefined || !this.#host.isAllowed(peer)) {
      this.#fail('the client waits for us at an address outside the media networks of its trunk');
      return;
    }
    const attempt = { session: this.#endpoint.connect(), hello: '', to: peer, secured: false };
    this.#attempts.set(`active ${this.#now}`, attempt);
    this.#flush(attempt);
  }

  /** We have begun: whatever comes belongs to the newest session, also from behind another address. */
  #takeAnswer(datagram: Buffer, source: string): void {
    const [key, attempt] = [...this.#attempts].at(-1) ?? [];
    if (key === undefined || attempt === undefined) return;
    if (attempt.session.state.name === 'handshaking') attempt.to = source;
    attempt.session.take(datagram);
    this.#settle(key, attempt);
  }

  #takeRequest(datagram: Buffer, source: string): void {
    const hello = clientHelloName(datagram);
    const known = this.#attempts.get(source);
    if (known !== undefined && (hello === undefined || hello === known.hello)) {
      known.session.take(datagram);
      this.#settle(source, known);
    } else if (hello !== undefined) this.#listen(datagram, source, hello);
  }

  #listen(datagram: Buffer, source: string, hello: string): void {
    const heard = this.#endpoint?.listen(datagram, source) ?? [];
    if (!(heard instanceof DtlsSession)) {
      for (const answer of heard) this.#host.send(answer, source);
      return;
    }
    const before = this.#attempts.get(source);
    if (before !== undefined) this.#drop(source, before);
    else this.#makeRoom();
    const attempt = { session: heard, hello, to: source, secured: false };
    this.#attempts.set(source, attempt);
    this.#settle(source, attempt);
  }

  #makeRoom(): void {
    if (this.#attempts.size < ATTEMPTS) return;
    const [oldest] = [...this.#attempts].filter(([, { secured }]) => !secured);
    if (oldest !== undefined) this.#drop(...oldest);
  }

  /** Sends what there is to send, and looks whether the handshake is over. */
  #settle(key: string, attempt: Attempt): void {
    const { state } = attempt.session;
    this.#flush(attempt);
    if (state.name === 'failed') {
      this.#drop(key, attempt);
      this.#fail(state.reason);
    } else if (state.name === 'established' && !attempt.secured) this.#check(key, attempt);
  }

  #check(key: string, attempt: Attempt): void {
    const { session } = attempt;
    if (!isAnnounced(session.peerCertificate(), this.#terms.fingerprints)) {
      this.#drop(key, attempt);
      this.#fail(`the certificate of ${attempt.to} is not the one that the signalling announced`);
      return;
    }
    const keys = session.exportKeys();
    if (keys === undefined) {
      this.#drop(key, attempt);
      this.#fail('no SRTP protection profile in common');
      return;
    }
    attempt.secured = true;
    this.#outcome = 'secured';
    for (const [other, old] of this.#attempts) if (old !== attempt) this.#drop(other, old);
    const took = Math.round(this.#now - (this.#since ?? this.#now));
    this.#state(`DTLS, ${session.role}, keys after ${took} ms`);
    this.#host.secured(keys);
  }

  #state(text: string): void {
    this.#status = text;
    this.#host.state(text);
  }

  #flush({ session, to }: Attempt): void {
    for (const datagram of session.outgoing()) this.#host.send(datagram, to);
  }

  #drop(key: string, attempt: Attempt): void {
    attempt.session.close();
    this.#flush(attempt);
    attempt.session.destroy();
    this.#attempts.delete(key);
  }

  /** A handshake that fails beside one that succeeded, or before one that will, takes nothing away. */
  #fail(reason: string): void {
    if (this.#outcome !== 'secured') {
      this.#outcome = 'failed';
      this.#state(`DTLS failed: ${reason}`);
    }
    this.#host.failed(reason);
  }
}

const isSameAssociation = (one: DtlsTerms, other: DtlsTerms): boolean =>
  one.role === other.role &&
  one.association === other.association &&
  JSON.stringify(one.fingerprints) === JSON.stringify(other.fingerprints);
