import { codeOf } from './delivery-error.ts';

const UNTRUSTED =
  /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|UNABLE_TO_(?:VERIFY|GET_ISSUER)|HOSTNAME_MISMATCH|INVALID_CA)/;

/** The same as OpenSSL says it: some clients keep no more of an error than its text. */
const UNTRUSTED_TEXT =
  /unable to (?:verify the first|get (?:local )?issuer) certificate|self[- ]signed certificate|certificate (?:has expired|is not yet valid|revoked)|does not match certificate's altnames/i;

/** Whether a connection failed because the server's certificate is not one that we trust. Looks through the error's causes. */
export function isUntrusted(error: unknown): boolean {
  for (let each = error, depth = 0; each !== undefined && each !== null && depth < 5; depth += 1) {
    const { message, cause } = each as { readonly message?: unknown; readonly cause?: unknown };
    if (UNTRUSTED.test(codeOf(each)) || UNTRUSTED_TEXT.test(String(message))) return true;
    each = cause;
  }
  return false;
}
