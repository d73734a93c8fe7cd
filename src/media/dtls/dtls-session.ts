import type { SrtpKeying } from '../srtp/keying.ts';
import { suiteOf, type SuiteName } from '../srtp/suites.ts';
import { lastError, type DtlsLibrary } from './dtls-library.ts';
import { DATAGRAM_BYTES, toDatagrams } from './dtls-records.ts';

/** Protection profiles by number (RFC 5764 §4.1.2, RFC 7714 §14.2). */
const PROFILES: ReadonlyMap<number, SuiteName> = new Map([
  [1, 'AES_CM_128_HMAC_SHA1_80'],
  [2, 'AES_CM_128_HMAC_SHA1_32'],
  [7, 'AEAD_AES_128_GCM'],
  [8, 'AEAD_AES_256_GCM'],
]);

/** RFC 5764 §4.2. */
const EXPORTER = 'EXTRACTOR-dtls_srtp';

const SSL_CTRL_SET_MTU = 17;
const DTLS_CTRL_HANDLE_TIMEOUT = 74;
const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_WANT_WRITE = 3;

export type DtlsRole = 'active' | 'passive';

/** What both directions of a line are protected with. */
export interface AgreedKeys {
  readonly theirs: SrtpKeying;
  readonly own: SrtpKeying;
}

export type DtlsState =
  | { readonly name: 'handshaking' }
  | { readonly name: 'established' }
  | { readonly name: 'failed'; readonly reason: string };

const HANDSHAKING: DtlsState = { name: 'handshaking' };
const ESTABLISHED: DtlsState = { name: 'established' };

// Scratch for every session of this thread.
const room = Buffer.alloc(16 * 1024);

/**
 * One DTLS association over memory instead of a socket: datagrams of the other end go in, those for it come out of `outgoing`. Its timers are
 * OpenSSL's; whoever owns it calls `expire` now and then.
 */
export class DtlsSession {
  readonly #library: DtlsLibrary;
  readonly #ssl: number;
  readonly #input: number;
  readonly #output: number;
  readonly role: DtlsRole;
  #state: DtlsState = HANDSHAKING;
  #destroyed = false;

  constructor(library: DtlsLibrary, context: number, role: DtlsRole) {
    const { call } = library;
    this.#library = library;
    this.role = role;
    this.#ssl = call.SSL_new(context);
    if (this.#ssl === 0) throw new Error(`OpenSSL makes no session: ${lastError(library)}`);
    this.#input = call.BIO_new(call.BIO_s_mem());
    this.#output = call.BIO_new(call.BIO_s_mem());
    // The session owns both from here on.
    call.SSL_set_bio(this.#ssl, this.#input, this.#output);
    call.SSL_ctrl(this.#ssl, SSL_CTRL_SET_MTU, DATAGRAM_BYTES, 0);
    if (role === 'passive') call.SSL_set_accept_state(this.#ssl);
    else call.SSL_set_connect_state(this.#ssl);
  }

  get state(): DtlsState {
    return this.#state;
  }

  /** Sends the first flight of the active end. */
  begin(): void {
    this.#proceed();
  }

  /**
   * Looks at a datagram before there is anybody to talk to. True when it is a ClientHello with the right cookie: the handshake may begin, and
   * has. Otherwise nothing is remembered, and `outgoing` may have the question for the cookie (RFC 6347 §4.2.1).
   */
  listen(datagram: Buffer, address: number): boolean {
    const { call } = this.#library;
    call.ERR_clear_error();
    call.BIO_write(this.#input, datagram, datagram.length);
    const accepted = call.DTLSv1_listen(this.#ssl, address) === 1;
    call.ERR_clear_error();
    if (accepted) this.#proceed();
    return accepted;
  }

  /** Takes a datagram of the other end. */
  take(datagram: Buffer): void {
    if (this.#state.name === 'failed' || this.#destroyed) return;
    const { call } = this.#library;
    call.BIO_write(this.#input, datagram, datagram.length);
    if (this.#state.name === 'handshaking') this.#proceed();
    // What comes later is a repeated last flight, which is answered, or a farewell.
    else {
      call.ERR_clear_error();
      call.SSL_read(this.#ssl, room, room.length);
      call.ERR_clear_error();
    }
  }

  /** Repeats the last flight if its time has come. */
  expire(): void {
    if (this.#state.name !== 'handshaking') return;
    const { call } = this.#library;
    call.ERR_clear_error();
    if (call.SSL_ctrl(this.#ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0, 0) < 0) this.#fail('no answer');
  }

  /** What is to be sent now, taken out. */
  outgoing(): readonly Buffer[] {
    if (this.#destroyed) return [];
    const parts: Buffer[] = [];
    for (;;) {
      const read = this.#library.call.BIO_read(this.#output, room, room.length);
      if (read <= 0) break;
      parts.push(Buffer.from(room.subarray(0, read)));
    }
    return toDatagrams(Buffer.concat(parts));
  }

  /** The certificate of the other end in DER, once established. */
  peerCertificate(): Buffer {
    const { call } = this.#library;
    const certificate = call.SSL_get1_peer_certificate(this.#ssl);
    if (certificate === 0) return Buffer.alloc(0);
    const encoded = Buffer.alloc(Math.max(0, call.i2d_X509(certificate, null)));
    const place = Buffer.alloc(8);
    place.writeBigUInt64LE(BigInt(this.#library.address(encoded)));
    call.i2d_X509(certificate, place);
    call.X509_free(certificate);
    return encoded;
  }

  /** The keys that both ends can compute now (RFC 5764 §4.2), or undefined when they have no profile in common. */
  exportKeys(): AgreedKeys | undefined {
    const { call } = this.#library;
    const profile = call.SSL_get_selected_srtp_profile(this.#ssl);
    const name = profile ? PROFILES.get(this.#profileId(profile)) : undefined;
    if (name === undefined) return undefined;
    const { keyBytes, saltBytes } = suiteOf(name);
    const block = Buffer.alloc(2 * (keyBytes + saltBytes));
    if (
      call.SSL_export_keying_material(this.#ssl, block, block.length, EXPORTER, EXPORTER.length, 0, 0, 0) !==
      1
    )
      return undefined;
    const salts = 2 * keyBytes;
    const keying = (end: 0 | 1): SrtpKeying => {
      const bytes = new Uint8Array(keyBytes + saltBytes);
      bytes.set(block.subarray(end * keyBytes, (end + 1) * keyBytes));
      bytes.set(block.subarray(salts + end * saltBytes, salts + (end + 1) * saltBytes), keyBytes);
      return { suite: name, masters: [{ bytes }] };
    };
    const [client, server] = [keying(0), keying(1)];
    block.fill(0);
    return this.role === 'passive' ? { theirs: client, own: server } : { theirs: server, own: client };
  }

  /** Takes leave of the other end; the word is in `outgoing`. */
  close(): void {
    if (this.#state.name !== 'established') return;
    this.#library.call.SSL_shutdown(this.#ssl);
    this.#library.call.ERR_clear_error();
  }

  /** Forgets everything; OpenSSL overwrites its keys. May be called twice. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#library.call.SSL_free(this.#ssl);
  }

  #proceed(): void {
    const { call } = this.#library;
    call.ERR_clear_error();
    const result = call.SSL_do_handshake(this.#ssl);
    if (result === 1) {
      this.#state = ESTABLISHED;
      return;
    }
    const error = call.SSL_get_error(this.#ssl, result);
    if (error === SSL_ERROR_WANT_READ || error === SSL_ERROR_WANT_WRITE) call.ERR_clear_error();
    else this.#fail(lastError(this.#library));
  }

  #fail(reason: string): void {
    this.#state = { name: 'failed', reason: reason === '' ? 'the handshake was broken off' : reason };
    // The rest of Node reads the same list of errors.
    this.#library.call.ERR_clear_error();
  }

  /** struct srtp_protection_profile_st: name, number. */
  #profileId(profile: unknown): number {
    const memory = this.#library.memory(profile, 16);
    return new DataView(memory.buffer, memory.byteOffset).getUint32(8, true);
  }
}
