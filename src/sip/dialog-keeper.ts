import type { RecordingCall } from '../recorder/call.ts';
import { ownText } from '../siprec/own-copy.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { SipDialog, SipRequest } from './drachtio.ts';
import { composeKept, type DialogSignalling, type KeptDialog } from './kept-dialog.ts';
import type { SessionContent } from './session-content.ts';

/** Where the dialogs of running calls are kept for the start after a crash; `store/dialog-book.ts` fits. Nothing waits for it. */
export interface DialogBook {
  /** `compose` (JSON on one line) is called when it is written. */
  keep(id: string, compose: () => string): void;
  forget(id: string): void;
}

/** What changes in a dialog while its call runs. */
export interface DialogNow {
  readonly recording: RecordingCall;
  readonly content: SessionContent;
  readonly answers: AnswerWriter;
  readonly offering: boolean;
  readonly offeredIn: number;
}

/** Keeps one dialog in the book while it lasts. */
export class DialogKeeper {
  readonly #book: DialogBook;
  readonly #fixed: Pick<KeptDialog, 'call' | 'identities'>;
  #signalling: DialogSignalling | undefined;
  #look: (() => DialogNow) | undefined;
  readonly #watched = new WeakSet<RecordingCall>();

  constructor(book: DialogBook, fixed: Pick<KeptDialog, 'call' | 'identities'>) {
    this.#book = book;
    this.#fixed = fixed;
  }

  /** The dialog has come to be. */
  begin(signalling: DialogSignalling, look: () => DialogNow): void {
    this.#signalling = signalling;
    this.#look = look;
    this.changed();
  }

  /** A request that may name a new Contact (RFC 3261 §12.2.2), and what our 2xx said of the session's time. */
  refreshed(request: SipRequest, sessionSeconds: number | undefined): void {
    const known = this.#signalling;
    if (known === undefined) return;
    this.#signalling = {
      ...withoutTimer(known),
      contact: request.get('contact') ?? known.contact,
      cseq: Math.max(known.cseq, sequenceOf(request)),
      remote: { address: request.source_address, port: request.source_port },
      ...(sessionSeconds !== undefined && { sessionSeconds }),
    };
    this.changed();
  }

  /** Something else of it has changed. */
  changed(): void {
    const [signalling, look] = [this.#signalling, this.#look];
    if (signalling === undefined || look === undefined) return;
    this.#watch(look().recording);
    this.#book.keep(idOf(signalling), () => this.#compose(signalling, look()));
  }

  over(): void {
    if (this.#signalling !== undefined) this.#book.forget(idOf(this.#signalling));
    this.#look = undefined;
  }

  #watch(recording: RecordingCall): void {
    if (this.#watched.has(recording)) return;
    this.#watched.add(recording);
    recording.onStanding(() => {
      this.changed();
    });
  }

  #compose(signalling: DialogSignalling, now: DialogNow): string {
    const { recording, content, answers, offering, offeredIn } = now;
    return composeKept({
      at: Date.now(),
      recording: recording.id,
      signalling,
      ...this.#fixed,
      content,
      answers: answers.state,
      standing: recording.standing,
      offering,
      offeredIn,
    });
  }
}

/** By what a dialog is known: drachtio's own id, which is unique (drachtio-protocol.md section 4). */
export const idOf = ({ callId, fromTag }: Pick<DialogSignalling, 'callId' | 'fromTag'>): string =>
  `${callId};from-tag=${fromTag}`;

/** The dialog that an INVITE and our answer to it make. */
export function signallingOf(
  invite: SipRequest,
  dialog: SipDialog,
  sessionSeconds: number | undefined,
): DialogSignalling | undefined {
  const { callId, localTag, remoteTag } = dialog.sip;
  if (remoteTag === undefined || localTag === undefined || callId === undefined) return undefined;
  const text = (name: string): string => ownText(invite.get(name) ?? '');
  return {
    callId,
    fromTag: remoteTag,
    toTag: localTag,
    from: text('from'),
    to: text('to'),
    contact: text('contact'),
    recordRoute: text('record-route'),
    allow: text('allow'),
    ownContact: dialog.local.contact ?? '',
    cseq: sequenceOf(invite),
    protocol: protocolOf(invite.protocol),
    remote: { address: invite.source_address, port: invite.source_port },
    local: endpointOf(invite.receivedOn ?? ''),
    ...(sessionSeconds !== undefined && { sessionSeconds }),
  };
}

const withoutTimer = ({ sessionSeconds: _seconds, ...rest }: DialogSignalling): DialogSignalling => rest;

const protocolOf = (text: string | undefined): DialogSignalling['protocol'] =>
  text === 'tcp' || text === 'tls' ? text : 'udp';

function endpointOf(text: string): DialogSignalling['local'] {
  const match = /^\[?(.*?)\]?:(\d{1,5})$/.exec(text);
  return { address: match?.[1] ?? '', port: Number(match?.[2] ?? 0) };
}

/** Of the CSeq header; 0 when it cannot be read. */
export const sequenceOf = (request: SipRequest): number =>
  Number(/^\d{1,10}/.exec(request.get('cseq') ?? '')?.[0] ?? 0);
