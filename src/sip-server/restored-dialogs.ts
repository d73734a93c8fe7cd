import type { Application } from './application.ts';
import { contactUri } from './contact.ts';
import type { Core } from './core.ts';
import { Dialog } from './dialog.ts';
import type { Endpoint, Flow, Protocol } from './flow.ts';
import { header, type Header } from './headers.ts';
import { dialogIdOf } from './request-facts.ts';
import { recordRoutes } from './responses.ts';
import { SHORTEST_INTERVAL, type SessionInterval } from './session-interval.ts';

/** A dialog that a peer had with a process before this one. Headers as they were in its INVITE, '' without one. */
export interface LeftDialog {
  readonly callId: string;
  readonly fromTag: string;
  readonly toTag: string;
  readonly from: string;
  readonly to: string;
  /** The newest Contact of the peer. */
  readonly contact: string;
  readonly recordRoute: string;
  readonly allow: string;
  readonly ownContact: string;
  /** Of a request of the peer; later ones have a higher one. */
  readonly cseq: number;
  /** What our requests must go beyond; default: `cseq`. */
  readonly ownCSeq?: number | undefined;
  readonly protocol: Protocol;
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly localSdp: string;
  /** How long the session lives without a refresh of the peer (RFC 4028). */
  readonly sessionSeconds?: number | undefined;
}

/**
 * Puts a dialog back in its place (RFC 3261 §12.2.2 permits it). The next application that takes INVITEs answers for it. False when its
 * headers cannot be read, or when there is one of that id.
 */
export function restoreDialog(
  core: Core,
  left: LeftDialog,
  agreed: (dialog: Dialog, interval: SessionInterval) => void,
): boolean {
  const { callId, fromTag, toTag, cseq } = left;
  const headers = headersOf(left);
  const remoteTarget = contactUri({ headers });
  const id = dialogIdOf(callId, fromTag);
  if (remoteTarget === undefined || core.dialogs.get(id) !== undefined) return false;
  const dialog = new Dialog({
    id,
    callId,
    localTag: toTag,
    local: `${left.to};tag=${toTag}`,
    remote: left.from,
    cseq,
    ownCSeq: left.ownCSeq ?? cseq,
    remoteTarget,
    routeSet: recordRoutes({ kind: 'request', method: 'INVITE', uri: '', headers, body: '' }),
    contact: left.ownContact,
    peerAllowsUpdate: /\bUPDATE\b/i.test(left.allow),
    application: NOBODY,
    flow: formerFlow(left),
  });
  dialog.confirmed = true;
  dialog.localSdp = left.localSdp;
  core.dialogs.add(dialog);
  const seconds = left.sessionSeconds;
  if (seconds !== undefined)
    agreed(dialog, { seconds: Math.max(seconds, SHORTEST_INTERVAL), refresher: 'peer' });
  return true;
}

const headersOf = ({ contact, recordRoute }: LeftDialog): readonly Header[] =>
  [header('Contact', contact), header('Record-Route', recordRoute)].filter(({ value }) => value !== '');

/** Whoever answered for it is gone. */
const NOBODY: Application = { open: false, deliver: () => undefined };

/** How the peer's last request came. What is sent before its next one finds a new way, see `nextHop`. */
function formerFlow({ protocol, remote, local }: LeftDialog): Flow {
  const nothing = (): void => undefined;
  return { protocol, remote, local, open: false, send: nothing, retain: nothing, release: nothing };
}
