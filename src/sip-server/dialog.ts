import type { Application } from './application.ts';
import type { Flow } from './flow.ts';
import { detached } from './request-facts.ts';
import type { SessionInterval } from './session-interval.ts';
import type { UnacknowledgedOk } from './unacknowledged-ok.ts';

interface DialogStart {
  readonly id: string;
  readonly callId: string;
  readonly localTag: string;
  /** To of the INVITE with our tag: From of our requests. */
  readonly local: string;
  /** From of the INVITE: To of our requests. */
  readonly remote: string;
  readonly cseq: number;
  /** The number our requests follow; default: that of the INVITE. */
  readonly ownCSeq?: number;
  readonly remoteTarget: string;
  /** Record-Route of the INVITE in its order (RFC 3261 §12.1.1). */
  readonly routeSet: readonly string[];
  readonly contact: string;
  readonly peerAllowsUpdate: boolean;
  readonly application: Application;
  readonly flow: Flow;
}

/** A dialog a peer started (RFC 3261 §12). */
export class Dialog {
  readonly id: string;
  readonly callId: string;
  readonly localTag: string;
  readonly local: string;
  readonly remote: string;
  readonly routeSet: readonly string[];
  /** Who answers for it; another one when that has gone (see `Dialogs.adopt`). */
  application: Application;
  /** Our Contact as the peer knows it. */
  contact: string;
  remoteTarget: string;
  remoteCSeq: number;
  /** True once a 2xx went out. */
  confirmed = false;
  /** Our BYE is on its way. */
  ending = false;
  /** The 2xx that waits for its ACK. */
  unacknowledged: UnacknowledgedOk | undefined;
  lastAcknowledgedCSeq: number | undefined;
  /** The peer's INVITE (first or later) that has no final answer. */
  peerInviteTxnId: string | undefined;
  /** The peer's last UPDATE with an offer, answered or not. */
  peerUpdateTxnId: string | undefined;
  /** Our INVITE that has no final answer, and our UPDATE with an offer. */
  ownInviteTxnId: string | undefined;
  ownUpdateTxnId: string | undefined;
  /** The CSeq of our last INVITE that got a 2xx: what the ACK repeats. */
  ownInviteCSeq: number | undefined;
  /** Our ACK to that 2xx, repeated whenever the 2xx is. */
  lastAck: string | undefined;
  /** The SDP we last sent, '' before the first: what a refresh by re-INVITE repeats. */
  localSdp = '';
  peerAllowsUpdate: boolean;
  /** Agreed by the last 2xx to INVITE or UPDATE (RFC 4028). */
  sessionInterval: SessionInterval | undefined;
  sessionTimer: NodeJS.Timeout | undefined;
  #localCSeq: number;
  #flow: Flow;

  constructor(start: DialogStart) {
    this.id = start.id;
    // What is cut out of a message keeps the whole of it in memory, as long as the dialog lasts.
    this.callId = detached(start.callId);
    this.localTag = start.localTag;
    this.local = detached(start.local);
    this.remote = detached(start.remote);
    this.routeSet = start.routeSet.map(detached);
    this.application = start.application;
    this.contact = start.contact;
    this.peerAllowsUpdate = start.peerAllowsUpdate;
    this.remoteTarget = detached(start.remoteTarget);
    this.remoteCSeq = start.cseq;
    this.#localCSeq = start.ownCSeq ?? start.cseq;
    this.#flow = start.flow;
    this.#flow.retain();
  }

  /** The way the peer's last request came. */
  get flow(): Flow {
    return this.#flow;
  }

  useFlow(flow: Flow): void {
    if (flow === this.#flow) return;
    this.#flow.release();
    this.#flow = flow;
    flow.retain();
  }

  /** Numbers our requests after the INVITE's (drachtio-protocol.md section 5). */
  nextCSeq(): number {
    this.#localCSeq += 1;
    return this.#localCSeq;
  }

  /** The ACK came, or nobody waits for it any more. */
  acknowledged(): void {
    this.unacknowledged?.stop();
    this.lastAcknowledgedCSeq = this.unacknowledged?.cseq ?? this.lastAcknowledgedCSeq;
    this.unacknowledged = undefined;
  }

  close(): void {
    this.acknowledged();
    clearTimeout(this.sessionTimer);
    this.#flow.release();
  }
}
