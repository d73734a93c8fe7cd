import { RecorderError, type RecorderErrorCode } from '../recorder/recorder-error.ts';
import { SiprecError, type SiprecErrorCode } from '../siprec/errors.ts';
import { ACCEPT, warning } from './headers.ts';

/** A request turned away: what goes to the client and what goes into the log. */
export interface Refusal {
  readonly status: number;
  readonly detail: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The one place where an error becomes a SIP status (siprec-interop.md section 3). */
const STATUS: Record<SiprecErrorCode | RecorderErrorCode, number> = {
  UNSUPPORTED_BODY: 415,
  BAD_MULTIPART: 400,
  TOO_LARGE: 413,
  BAD_SDP: 400,
  NO_AUDIO: 488,
  BAD_XML: 400,
  NOT_RECORDING_SESSION: 488,
  NOT_READY: 503,
  NO_PORTS: 503,
  DISK: 503,
  MEDIA: 503,
};

/** The refusal for something thrown while a request was handled; `host` names us in the Warning. Unknown errors give 500. */
export function refusalFor(error: unknown, host: string): Refusal {
  if (!(error instanceof SiprecError || error instanceof RecorderError))
    return { status: 500, detail: 'internal error', headers: {} };
  const status = STATUS[error.code];
  return { status, detail: error.message, headers: headersFor(status, error.message, host) };
}

function headersFor(status: number, detail: string, host: string): Readonly<Record<string, string>> {
  if (status === 415) return { Accept: ACCEPT, ...warning(host, detail) };
  // What is wrong inside us is nobody else's business.
  return status >= 500 ? {} : warning(host, detail);
}
