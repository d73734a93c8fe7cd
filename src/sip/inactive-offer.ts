import type { SipDialog } from './drachtio.ts';
import { contactOf } from './headers.ts';
import { inviteIn } from './own-request.ts';

/** How often we begin, when the client offers at the same time. */
const MOST = 5;
/** Whoever did not open the dialog waits up to 2 s before it tries again (RFC 3261 §14.1). */
const LONGEST_WAIT = 2000;

export interface InactiveOfferParts {
  readonly dialog: SipDialog;
  /** The offer, in which every line is inactive; undefined once there is nothing to offer any more. */
  readonly offer: () => string | undefined;
  readonly note: (step: string, detail?: string) => void;
  readonly transport: string;
  readonly software: string;
}

/**
 * Asks the client of a recording that was stopped to send nothing any more, by a re-INVITE (RFC 7866 §7.2: the recorder may pause a stream). A client
 * that refuses it changes nothing: nobody listens to what it sends. Never throws.
 */
export function offerInactive(parts: InactiveOfferParts, tries = 1): void {
  const { dialog, note, transport, software } = parts;
  const body = parts.offer();
  if (body === undefined) return;
  const headers = {
    Contact: contactOf(transport),
    'Content-Type': 'application/sdp',
    'User-Agent': software,
  };
  const done = (status: number): void => {
    // Both offered at once: the client's own offer is answered as inactive, and then it is asked again.
    if (status === 491 && tries < MOST) {
      setTimeout(() => {
        offerInactive(parts, tries + 1);
      }, Math.random() * LONGEST_WAIT).unref();
      return;
    }
    if (status >= 200 && status < 300) note('streams offered as inactive');
    else note('inactive streams refused', status === 0 ? 'no answer' : String(status));
  };
  try {
    inviteIn(dialog, { headers, body }, done);
  } catch {
    done(0);
  }
}
