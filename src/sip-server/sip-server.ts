import type { Socket } from 'node:net';
import { ControlServer } from './control-server.ts';
import { newTally, type SipServerCounters } from './counters.ts';
import type { Protocol, SeenMessage } from './flow.ts';
import { DEFAULT_LIMITS, type SipServerLimits } from './limits.ts';
import { parseListenAddress } from './listen-address.ts';
import type { Log } from './log.ts';
import { dialogIdOf } from './request-facts.ts';
import type { LeftDialog } from './restored-dialogs.ts';
import { SipServerError } from './sip-server-error.ts';
import { SipSide } from './sip-side.ts';
import { SourceRates } from './source-rates.ts';
import { throttled } from './throttled-log.ts';
import { DEFAULT_TIMERS, type SipTimers } from './timers.ts';
import { TlsFiles, type TlsSettings } from './tls-files.ts';
import { uriHost } from './uri.ts';

export interface SipServerOptions {
  /** Like "udp://0.0.0.0:5060", "tcp://[::]:5060" and "tls://0.0.0.0:5061"; port 0 picks a free one. `[::]` takes IPv6 only. */
  readonly listen: readonly string[];
  /** Needed for TLS addresses. Changed files are taken up while running; connections that are open stay. */
  readonly tls?: TlsSettings;
  /** drachtio's control protocol: keep it on loopback. Port 0 picks a free one. */
  readonly control: { readonly host: string; readonly port: number; readonly secret: string };
  readonly log?: Log;
  readonly limits?: Partial<SipServerLimits>;
  readonly timers?: Partial<SipTimers>;
  /**
   * Whether the peer at an address may acknowledge and end dialogs with a wrong CSeq or without our tag, as long as Call-ID and From
   * tag name one dialog. Default: every peer.
   */
  readonly lenient?: (address: string) => boolean;
  /** Told of every message on the wire, on the way in or out; must return at once. */
  readonly seen?: (message: SeenMessage) => void;
}

export interface SipServer {
  readonly controlPort: number;
  /** A control connection of an application in this process, which does not go through the kernel. The secret is asked for all the same. */
  connect(): Socket;
  /** The open SIP ports; empty before `listen`. */
  readonly addresses: readonly {
    readonly protocol: Protocol;
    readonly address: string;
    readonly port: number;
  }[];
  /**
   * Opens the SIP ports. Call it after the application has registered its routes: earlier calls would be answered 503.
   * Throws SipServerError (ADDRESS_IN_USE and its like) naming the address; none stays open then.
   */
  listen(): Promise<void>;
  /**
   * Puts back dialogs of a process before; returns how many of them could be read. Call it before `listen` and after the application has
   * registered its routes: requests of these dialogs are its own then.
   */
  restore(dialogs: readonly LeftDialog[]): number;
  /** Dialogs of a process before that are not put back: only their BYE reaches the application, as a request outside of any dialog. */
  remember(dialogs: readonly Pick<LeftDialog, 'callId' | 'fromTag' | 'toTag'>[]): void;
  /** Closes all ports and connections without another word to peers: end the calls before. */
  close(): Promise<void>;
  counters(): SipServerCounters;
}

/**
 * Starts an embedded SIP server for a drachtio-srf application. Its control port is open when this resolves.
 * Throws SipServerError: BAD_ADDRESS for an unreadable entry of `listen`, BAD_TLS for certificates that cannot be used,
 * ADDRESS_IN_USE for the control port.
 */
export async function startSipServer(options: SipServerOptions): Promise<SipServer> {
  const { control } = options;
  const wanted = options.listen.map(parseListenAddress);
  const log: Log = throttled(options.log ?? (() => undefined));
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const shared = {
    timers: { ...DEFAULT_TIMERS, ...options.timers },
    limits,
    rates: new SourceRates(limits.messagesPerSecond),
    lenient: options.lenient ?? (() => true),
    log,
    tally: newTally(),
    seen: options.seen,
  };
  if (options.tls === undefined && wanted.some((each) => each.protocol === 'tls'))
    throw new SipServerError('BAD_TLS', 'a tls:// address needs a certificate and a key');
  const tls = options.tls === undefined ? undefined : await TlsFiles.open(options.tls, log);
  const hostPorts = (): string => {
    const { bound } = sipSide.core.network;
    const known = bound.length > 0 ? bound : wanted;
    return known.map(({ protocol, address, port }) => `${protocol}/${uriHost(address)}:${port}`).join(',');
  };
  const controlServer = new ControlServer(
    { secret: control.secret, hostPorts, log },
    {
      sip: (...message) => {
        sipSide.command(...message);
      },
      lost: (gone) => {
        sipSide.applicationLost(gone);
      },
      routed: (application, verb) => {
        sipSide.applicationReady(application, verb);
      },
    },
  );
  const sipSide = new SipSide(shared, controlServer, tls);
  try {
    await controlServer.listen(control.host, control.port);
  } catch (error) {
    tls?.close();
    throw error;
  }
  return new RunningSipServer(sipSide, controlServer, wanted);
}

class RunningSipServer implements SipServer {
  readonly controlPort: number;
  readonly #sipSide: SipSide;
  readonly #control: ControlServer;
  readonly #wanted: readonly ReturnType<typeof parseListenAddress>[];
  #closing: Promise<void> | undefined;

  constructor(
    sipSide: SipSide,
    control: ControlServer,
    wanted: readonly ReturnType<typeof parseListenAddress>[],
  ) {
    this.#sipSide = sipSide;
    this.#control = control;
    this.#wanted = wanted;
    this.controlPort = control.port;
  }

  get addresses(): SipServer['addresses'] {
    return this.#sipSide.core.network.bound;
  }

  connect(): Socket {
    return this.#control.connect();
  }

  async listen(): Promise<void> {
    if (this.#closing !== undefined) throw new SipServerError('CLOSED', 'the SIP server was closed');
    const { network } = this.#sipSide.core;
    try {
      for (const where of this.#wanted) await network.listen(where);
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  restore(dialogs: readonly LeftDialog[]): number {
    return this.#sipSide.restore(dialogs);
  }

  remember(dialogs: readonly Pick<LeftDialog, 'callId' | 'fromTag' | 'toTag'>[]): void {
    const known = this.#sipSide.core.dialogs;
    for (const { callId, fromTag, toTag } of dialogs) known.remember(dialogIdOf(callId, fromTag), toTag);
  }

  async close(): Promise<void> {
    this.#closing ??= this.#control.close().then(() => this.#sipSide.close());
    await this.#closing;
  }

  counters(): SipServerCounters {
    const { core } = this.#sipSide;
    return {
      ...core.tally,
      connections: core.network.connections,
      handshakes: core.network.handshakes,
      applications: this.#control.size,
      serverTransactions: core.serverTransactions.size,
      clientTransactions: core.clientTransactions.size,
      dialogs: core.dialogs.size,
    };
  }
}
