import { codeOf } from './delivery-error.ts';

const UNTRUSTED =
  /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|UNABLE_TO_(?:VERIFY|GET_ISSUER)|HOSTNAME_MISMATCH|INVALID_CA)/;

/** Whether a connection failed because the server's certificate is not one that we trust. Looks through the error's causes. */
export function isUntrusted(error: unknown): boolean {
  for (let each = error, depth = 0; each !== undefined && each !== null && depth < 5; depth += 1) {
    if (UNTRUSTED.test(codeOf(each))) return true;
    each = (each as { readonly cause?: unknown }).cause;
  }
  return false;
}
