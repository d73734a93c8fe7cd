import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { timeOfDay, type Application, type Delivery, type Reply } from './application.ts';
import { ControlFramer, controlFrame } from './control-framer.ts';
import { guarded, type Log } from './log.ts';
import { uriHost } from './uri.ts';

/** What the application is told the server is: the first versions that ping are above v0.8.2. */
const VERSION = 'v0.9.4';
const BEFORE_LOGIN = 4_096;
const LARGEST_FRAME = 1_048_576;
const LOGIN_MS = 5_000;
/** An application that does not read must not fill our memory. */
const MOST_UNSENT = 64 * 1024 * 1024;

export interface ControlEvents {
  /** One `sip` message: tokens behind the kind, the SIP part, and where the answer goes. */
  sip(application: Application, tokens: readonly string[], part: string, reply: (reply: Reply) => void): void;
  /** The application wants requests of this kind from now on. */
  routed(application: Application, verb: string): void;
  closed(connection: ControlConnection): void;
}

export interface ControlContext {
  readonly secret: string;
  /** `udp/1.2.3.4:5060,tcp/…` for the `connect` event of drachtio-srf. */
  readonly hostPorts: () => string;
  readonly log: Log;
  readonly events: ControlEvents;
}

/** One application's control connection (drachtio-protocol.md sections 1 to 3). */
export class ControlConnection implements Application {
  readonly #socket: Socket;
  readonly #context: ControlContext;
  readonly #framer = new ControlFramer(BEFORE_LOGIN);
  readonly #verbs = new Set<string>();
  readonly #loginTimer: NodeJS.Timeout;
  #authenticated = false;

  constructor(socket: Socket, context: ControlContext) {
    this.#socket = socket;
    this.#context = context;
    this.#loginTimer = setTimeout(() => {
      socket.destroy();
    }, LOGIN_MS);
    socket.setNoDelay(true);
    socket.on('error', (error) => {
      context.log('debug', 'sip server: control connection error', { error });
    });
    socket.on('close', () => {
      clearTimeout(this.#loginTimer);
      guarded(context.log, 'closing a control connection', () => {
        context.events.closed(this);
      });
    });
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
  }

  get open(): boolean {
    return this.#authenticated && !this.#socket.destroyed;
  }

  routes(verb: string): boolean {
    return this.open && this.#verbs.has(verb.toLowerCase());
  }

  deliver(delivery: Delivery): void {
    const { source, bytes, protocol, peer, txnId, dialogId, receivedOn, message } = delivery;
    const local = receivedOn === undefined ? '' : `${uriHost(receivedOn.address)}|${receivedOn.port}|`;
    const line = `sip|${source}|${bytes}|${protocol}|${peer.address}|${peer.port}|${timeOfDay()}|${txnId}|${dialogId}|${local}`;
    this.#write(`${line}\r\n${message}`);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      this.#framer.push(chunk);
      for (let frame = this.#framer.next(); frame !== undefined; frame = this.#framer.next()) {
        if (this.#socket.destroyed || this.#socket.writableEnded) return;
        const text = frame;
        guarded(this.#context.log, 'control frame', () => {
          this.#frame(text);
        });
      }
    } catch (error) {
      this.#context.log('warn', 'sip server: control connection dropped', { error });
      this.#socket.destroy();
    }
  }

  #frame(frame: string): void {
    const lineEnd = frame.indexOf('\r\n');
    const line = lineEnd === -1 ? frame : frame.slice(0, lineEnd);
    const part = lineEnd === -1 ? '' : frame.slice(lineEnd + 2);
    const [id = '', kind = '', ...tokens] = line.split('|');
    if (kind === 'authenticate') this.#authenticate(id, tokens[0] ?? '');
    else if (!this.#authenticated) this.#refuse(id, 'not authenticated');
    else this.#command(id, kind, { tokens, part });
  }

  #command(id: string, kind: string, { tokens, part }: { tokens: readonly string[]; part: string }): void {
    const reply = (answer: Reply): void => {
      this.#respond(id, answer);
    };
    const verb = tokens[0]?.toLowerCase() ?? '';
    switch (kind) {
      case 'ping':
        reply({ tokens: ['OK', 'pong'] });
        return;
      case 'route':
        this.#verbs.add(verb);
        reply({ tokens: ['OK'] });
        this.#context.events.routed(this, verb);
        return;
      case 'remove_route':
        this.#verbs.delete(verb);
        reply({ tokens: ['OK'] });
        return;
      case 'sip':
        this.#context.events.sip(this, tokens, part, reply);
        return;
      case 'proxy':
        reply({ tokens: ['NOK', 'proxy not supported'] });
        return;
      default:
        this.#refuse(id, 'Unknown message type');
    }
  }

  #authenticate(id: string, secret: string): void {
    if (!sameSecret(secret, this.#context.secret)) {
      this.#context.log('warn', 'sip server: an application gave a wrong secret');
      this.#refuse(id, 'incorrect secret');
      return;
    }
    clearTimeout(this.#loginTimer);
    this.#authenticated = true;
    this.#framer.raiseLimit(LARGEST_FRAME);
    const hostPorts = this.#context.hostPorts();
    this.#respond(id, { tokens: ['OK', hostPorts, VERSION, hostPorts] });
  }

  #refuse(id: string, why: string): void {
    this.#respond(id, { tokens: ['NO', why] });
    this.#socket.destroySoon();
  }

  #respond(id: string, { tokens, message }: Reply): void {
    const line = `response|${id}|${tokens.join('|')}`;
    this.#write(message === undefined ? line : `${line}\r\n${message}`);
  }

  #write(payload: string): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    this.#socket.write(controlFrame(`${randomUUID()}|${payload}`), 'latin1');
    if (this.#socket.writableLength <= MOST_UNSENT) return;
    this.#context.log('error', 'sip server: an application does not read; connection dropped');
    this.#socket.destroy();
  }
}

/** Compares without telling by its time how much was right; hashed, so that lengths need not agree. */
function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'latin1').digest();
  return timingSafeEqual(digest(given), digest(Buffer.from(expected, 'utf8').toString('latin1')));
}
