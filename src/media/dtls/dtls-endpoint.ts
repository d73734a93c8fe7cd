import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { DtlsIdentity } from './dtls-identity.ts';
import { lastError, loadDtls, type DtlsLibrary } from './dtls-library.ts';
import { DtlsSession } from './dtls-session.ts';

const SSL_CTRL_SET_SESS_CACHE_MODE = 44;
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
const DTLS_1_2 = 0xfefd;
const VERIFY_PEER = 1;
const FAIL_IF_NO_PEER_CERT = 2;
const EVP_PKEY_EC = 408;
/** NO_QUERY_MTU, COOKIE_EXCHANGE, NO_TICKET, CIPHER_SERVER_PREFERENCE, NO_RENEGOTIATION (openssl/ssl.h). */
const OPTIONS = 0x1000n + 0x2000n + 0x4000n + 0x40_0000n + 0x4000_0000n;
/** Forward secrecy, and authenticated ciphers first (RFC 8827 §6.5 has the first of them for everybody). */
const CIPHERS = 'ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!PSK:!SHA384:!SHA256';
/** The strongest first: the passive end chooses (RFC 5764 §4.1.1). */
const PROFILES = 'SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80:SRTP_AES128_CM_SHA1_32';

const COOKIE_BYTES = 32;
/** A cookie is good for the minute it was made in and the next. */
const COOKIE_MS = 60_000;

/** What the DTLS sessions of a thread share: our certificate, the profiles, and who may begin a handshake. */
export class DtlsEndpoint {
  readonly #library: DtlsLibrary;
  readonly #context: number;
  readonly #address: number;
  readonly #secret = randomBytes(32);
  /** Answers ClientHellos until one has the right cookie; then it is that client's session. */
  #listening: DtlsSession | undefined;
  /** Whose datagram OpenSSL is looking at. */
  #source = '';

  /** Throws where OpenSSL cannot be called or does not take the certificate. `profiles` as OpenSSL names them, none when empty. */
  constructor(identity: DtlsIdentity, profiles = PROFILES) {
    const library = loadDtls();
    const { call } = library;
    this.#library = library;
    this.#address = call.BIO_ADDR_new();
    call.ERR_clear_error();
    this.#context = call.SSL_CTX_new(call.DTLS_method());
    const { key, certificate } = identity;
    const context = this.#context;
    const taken =
      context !== 0 &&
      call.SSL_CTX_use_certificate_ASN1(context, certificate.length, certificate) === 1 &&
      call.SSL_CTX_use_PrivateKey_ASN1(EVP_PKEY_EC, context, key, key.length) === 1 &&
      call.SSL_CTX_set_cipher_list(context, CIPHERS) === 1 &&
      // Zero is success here.
      (profiles === '' || call.SSL_CTX_set_tlsext_use_srtp(context, profiles) === 0);
    if (!taken) throw new Error(`OpenSSL makes no DTLS context: ${lastError(library)}`);
    call.SSL_CTX_set_options(context, OPTIONS);
    call.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, DTLS_1_2, 0);
    call.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, 0, 0);
    this.#setCallbacks();
  }

  /** A session that begins the handshake itself. */
  connect(): DtlsSession {
    const session = new DtlsSession(this.#library, this.#context, 'active');
    session.begin();
    return session;
  }

  /**
   * Looks at a ClientHello of `source` (`address:port`). Returns the session once the client has shown that it receives at that address; else
   * the datagrams to answer with. Nothing is kept for a client that has not.
   */
  listen(datagram: Buffer, source: string): DtlsSession | readonly Buffer[] {
    this.#listening ??= new DtlsSession(this.#library, this.#context, 'passive');
    const session = this.#listening;
    this.#source = source;
    if (!session.listen(datagram, this.#address)) return session.outgoing();
    this.#listening = undefined;
    return session;
  }

  /** Sessions that live end on their own. */
  destroy(): void {
    this.#listening?.destroy();
    this.#listening = undefined;
    this.#library.call.SSL_CTX_free(this.#context);
    this.#secret.fill(0);
  }

  #setCallbacks(): void {
    const { call, memory, callback } = this.#library;
    // Who signed a certificate says nothing here: its fingerprint is compared after the handshake.
    call.SSL_CTX_set_cert_verify_callback(
      this.#context,
      callback(2, () => 1),
      0,
    );
    call.SSL_CTX_set_verify(this.#context, VERIFY_PEER + FAIL_IF_NO_PEER_CERT, 0);
    call.SSL_CTX_set_cookie_generate_cb(
      this.#context,
      callback(3, (_ssl, cookie, length) => {
        memory(cookie, COOKIE_BYTES).set(this.#cookie(0));
        new DataView(memory(length, 4).buffer).setUint32(0, COOKIE_BYTES, true);
        return 1;
      }),
    );
    call.SSL_CTX_set_cookie_verify_cb(
      this.#context,
      callback(3, (_ssl, cookie, length) => {
        // The length comes by value, in a pointer's place.
        if (Number(length) !== COOKIE_BYTES) return 0;
        const shown = Buffer.from(memory(cookie, COOKIE_BYTES));
        return [0, 1].some((before) => timingSafeEqual(shown, this.#cookie(before))) ? 1 : 0;
      }),
    );
  }

  #cookie(before: number): Buffer {
    const minute = Math.floor(Date.now() / COOKIE_MS) - before;
    return createHmac('sha256', this.#secret).update(`${minute} ${this.#source}`).digest();
  }
}
