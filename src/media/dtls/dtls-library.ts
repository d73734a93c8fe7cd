import { createRequire } from 'node:module';
import { endianness } from 'node:os';

/*
 * DTLS of the OpenSSL that is inside the Node binary (or that it is linked with), called through koffi. Addresses cross as numbers: user
 * space ends below 2^48. All macros of openssl/ssl.h are calls of SSL_ctrl and BIO_ctrl underneath.
 */

type Argument = number | bigint | string | Uint8Array | null;
type Call = (...args: Argument[]) => number;

interface Koffi {
  load(path: null): { func(definition: string): unknown };
  address(value: Buffer): bigint;
  proto(result: string, args: readonly string[]): object;
  pointer(type: object): object;
  register(callback: (...args: never[]) => number, type: object): bigint;
  view(address: unknown, bytes: number): ArrayBuffer;
}

/** Every function that is called, as C declares it. A binary that lacks one of them cannot do DTLS for us. */
const DECLARATIONS = {
  DTLS_method: 'int64_t DTLS_method()',
  SSL_CTX_new: 'int64_t SSL_CTX_new(int64_t)',
  SSL_CTX_free: 'void SSL_CTX_free(int64_t)',
  SSL_CTX_ctrl: 'int64_t SSL_CTX_ctrl(int64_t, int, int64_t, int64_t)',
  SSL_CTX_set_options: 'uint64_t SSL_CTX_set_options(int64_t, uint64_t)',
  SSL_CTX_set_cipher_list: 'int SSL_CTX_set_cipher_list(int64_t, str)',
  SSL_CTX_set_tlsext_use_srtp: 'int SSL_CTX_set_tlsext_use_srtp(int64_t, str)',
  SSL_CTX_use_certificate_ASN1: 'int SSL_CTX_use_certificate_ASN1(int64_t, int, void *)',
  SSL_CTX_use_PrivateKey_ASN1: 'int SSL_CTX_use_PrivateKey_ASN1(int, int64_t, void *, int64_t)',
  SSL_CTX_set_verify: 'void SSL_CTX_set_verify(int64_t, int, int64_t)',
  SSL_CTX_set_cert_verify_callback: 'void SSL_CTX_set_cert_verify_callback(int64_t, int64_t, int64_t)',
  SSL_CTX_set_cookie_generate_cb: 'void SSL_CTX_set_cookie_generate_cb(int64_t, int64_t)',
  SSL_CTX_set_cookie_verify_cb: 'void SSL_CTX_set_cookie_verify_cb(int64_t, int64_t)',
  SSL_new: 'int64_t SSL_new(int64_t)',
  SSL_free: 'void SSL_free(int64_t)',
  SSL_ctrl: 'int64_t SSL_ctrl(int64_t, int, int64_t, int64_t)',
  SSL_set_bio: 'void SSL_set_bio(int64_t, int64_t, int64_t)',
  SSL_set_accept_state: 'void SSL_set_accept_state(int64_t)',
  SSL_set_connect_state: 'void SSL_set_connect_state(int64_t)',
  SSL_do_handshake: 'int SSL_do_handshake(int64_t)',
  SSL_read: 'int SSL_read(int64_t, void *, int)',
  SSL_shutdown: 'int SSL_shutdown(int64_t)',
  SSL_get_error: 'int SSL_get_error(int64_t, int)',
  SSL_export_keying_material:
    'int SSL_export_keying_material(int64_t, void *, uint64_t, str, uint64_t, int64_t, uint64_t, int)',
  SSL_get_selected_srtp_profile: 'void *SSL_get_selected_srtp_profile(int64_t)',
  SSL_get1_peer_certificate: 'int64_t SSL_get1_peer_certificate(int64_t)',
  DTLSv1_listen: 'int DTLSv1_listen(int64_t, int64_t)',
  BIO_s_mem: 'int64_t BIO_s_mem()',
  BIO_new: 'int64_t BIO_new(int64_t)',
  BIO_read: 'int BIO_read(int64_t, void *, int)',
  BIO_write: 'int BIO_write(int64_t, void *, int)',
  BIO_ADDR_new: 'int64_t BIO_ADDR_new()',
  i2d_X509: 'int i2d_X509(int64_t, void *)',
  X509_free: 'void X509_free(int64_t)',
  ERR_clear_error: 'void ERR_clear_error()',
  ERR_get_error: 'uint64_t ERR_get_error()',
  ERR_error_string_n: 'void ERR_error_string_n(uint64_t, void *, uint64_t)',
} as const;

export interface DtlsLibrary {
  readonly call: Readonly<Record<keyof typeof DECLARATIONS, Call>>;
  /** Where the bytes of a buffer lie; the buffer has to outlive the use. */
  address(buffer: Buffer): number;
  /** A function that OpenSSL calls back, while one of its own is being called; never released. Must not throw. */
  readonly callback: (parameters: number, body: (...args: readonly unknown[]) => number) => bigint;
  /** Memory of OpenSSL that a call or a callback was given the address of. */
  readonly memory: (address: unknown, bytes: number) => Uint8Array;
}

let loaded: DtlsLibrary | undefined;

/** The library, bound once a thread. Throws with the reason where koffi or a function is missing. */
export function loadDtls(): DtlsLibrary {
  loaded ??= bindLibrary();
  return loaded;
}

/** Why DTLS cannot be done here; undefined where it can. */
export function dtlsObstacle(): string | undefined {
  try {
    loadDtls();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function bindLibrary(): DtlsLibrary {
  if (endianness() !== 'LE') throw new Error('structure layouts are for little-endian machines');
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const library = koffi.load(null);
  const call = Object.fromEntries(
    Object.entries(DECLARATIONS).map(([name, declaration]) => [name, library.func(declaration) as Call]),
  ) as DtlsLibrary['call'];
  return {
    call,
    address: (buffer) => Number(koffi.address(buffer)),
    callback: (parameters, body) =>
      koffi.register(body, koffi.pointer(koffi.proto('int', Array<string>(parameters).fill('void *')))),
    memory: (address, bytes) => new Uint8Array(koffi.view(address, bytes)),
  };
}

/** What the queue of errors says last, without numbers and file names; empties it. */
export function lastError({ call }: DtlsLibrary): string {
  let text = '';
  const room = Buffer.alloc(256);
  for (let code = call.ERR_get_error(); code !== 0; code = call.ERR_get_error()) {
    call.ERR_error_string_n(code, room, room.length);
    text = room.toString('latin1', 0, room.indexOf(0));
  }
  // `error:0A000410:SSL routines::sslv3 alert handshake failure`
  return text.split(':').at(-1) ?? '';
}
