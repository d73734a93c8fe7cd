/**
 * The part of drachtio-srf 5 this folder uses, as it really behaves; the package's own types lack half of it.
 * The traps behind it are listed in drachtio-protocol.md section 8.
 */

interface HeaderAddress {
  readonly name?: string;
  readonly uri: string;
  readonly params?: Readonly<Record<string, string | null | undefined>>;
}

export interface SipRequest {
  readonly method: string;
  readonly uri: string;
  /** Text of the whole body; split it ourselves, never with `payload` (trap 6). */
  readonly body?: string;
  /** By name as sent; read values with `get`. */
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly source_address: string;
  readonly source_port: number;
  /** Empty on many requests inside a dialog. */
  readonly protocol?: string;
  /** `address:port` of ours, on new requests only. */
  readonly receivedOn?: string;
  get(name: string): string | undefined;
  has(name: string): boolean;
  /** Throws on odd syntax (trap 7). */
  getParsedHeader(name: 'from' | 'to'): HeaderAddress;
  on(event: 'cancel', listener: () => void): unknown;
}

export interface SendOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface SipResponse {
  readonly finalResponseSent: boolean;
  /** What the library repeats of the request; the server fills in its own (drachtio-protocol.md section 2). */
  readonly headers: Record<string, string | undefined>;
  send(status: number, options: SendOptions, callback?: (error: unknown) => void): void;
}

type RequestListener = (request: SipRequest, response: SipResponse) => void;

/**
 * The library answers in a dialog on the control connection the dialog came by, which is gone for good after a reconnect (drachtio-protocol.md
 * section 7). Without one it takes the connection there is.
 */
export function useNewConnection(dialog: SipDialog): void {
  Object.defineProperty(dialog, 'socket', { value: undefined, configurable: true });
}

/** A request of ours on its way. */
export interface SentRequest {
  /** `acknowledge` sends the ACK to a 2xx of an INVITE. */
  on(
    event: 'response',
    listener: (response: { readonly status: number }, acknowledge: () => void) => void,
  ): unknown;
  on(event: 'update', listener: RequestListener): unknown;
}

export interface RequestAgent {
  request(
    options: SendOptions & {
      readonly method: string;
      readonly stackDialogId: string;
      readonly _socket: object | undefined;
    },
    callback: (error: unknown, sent?: SentRequest) => void,
  ): unknown;
}

export interface SipDialog {
  /** Tags are undefined where the peer has sent none. */
  readonly sip: {
    readonly callId: string | undefined;
    readonly localTag: string | undefined;
    readonly remoteTag: string | undefined;
  };
  /** Our Contact as it was sent. */
  readonly local: { readonly contact: string | undefined };
  on(event: 'destroy', listener: (request: SipRequest, reason?: string) => void): unknown;
  on(event: 'ack', listener: (request: SipRequest) => void): unknown;
  on(
    event:
      'modify' | 'update' | 'info' | 'options' | 'refer' | 'message' | 'notify' | 'subscribe' | 'publish',
    listener: RequestListener,
  ): unknown;
  /** drachtio's id of the dialog. */
  readonly id: string;
  /** What requests go out by; see `own-request.ts`. */
  readonly agent: RequestAgent;
  /** On which control connection; undefined: on the one there is. */
  readonly socket: object | undefined;
  emit(event: 'update', request: SipRequest, response: SipResponse): unknown;
  /** Sends BYE; calls back with the final response or an error. */
  destroy(options: object, callback: (error: unknown) => void): unknown;
}

export interface SipApplicationServer {
  /** Whose connection new requests in a dialog go out on; there once `connect` was called. */
  readonly app: { readonly client: object | undefined };
  /** From now on requests of the dialog come to it. */
  addDialog(dialog: SipDialog): void;
  /** From now on they do not. */
  removeDialog(dialog: SipDialog): void;
  on(event: 'connect' | 'error', listener: (error: unknown) => void): unknown;
  on(event: 'close' | 'reconnecting', listener: () => void): unknown;
  use(method: string, listener: RequestListener): unknown;
  connect(options: object): unknown;
  disconnect(): unknown;
  createUAS(
    request: SipRequest,
    response: SipResponse,
    options: { readonly localSdp: string; readonly headers: Record<string, string> },
    callback: (error: unknown, dialog?: SipDialog) => void,
  ): unknown;
}
