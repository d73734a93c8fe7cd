import { lookup } from 'node:dns';
import { isIP, isIPv6 } from 'node:net';
import { plainChannel } from './channel.ts';
import { ConnectionQuota } from './connection-quota.ts';
import type { Endpoint, Flow, Protocol, StreamProtocol } from './flow.ts';
import type { SipServerLimits } from './limits.ts';
import type { ListenAddress } from './listen-address.ts';
import { isWildcard, LocalAddresses } from './local-address.ts';
import type { Log } from './log.ts';
import { SipServerError } from './sip-server-error.ts';
import { TcpTransport } from './tcp-transport.ts';
import type { SipTimers } from './timers.ts';
import { TlsChannel } from './tls-channel.ts';
import type { TlsFiles } from './tls-files.ts';
import { UdpTransport } from './udp-transport.ts';

export interface NetworkEvents {
  message(text: string, flow: Flow): void;
  sent(text: string, flow: Flow): void;
  malformed(flow: Flow, head?: string): void;
  /** A connection is gone. */
  closed(flow: Flow): void;
  ignored(): void;
  /** A connection was refused by a limit. */
  refused(): void;
  /** A TLS handshake failed. */
  handshakeFailed(): void;
}

export interface Target {
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
}

/** A way that is known but perhaps not open yet. */
export interface Route {
  readonly protocol: Protocol;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Throws UNREACHABLE. */
  open(): Promise<Flow>;
}

interface NetworkOptions {
  readonly limits: SipServerLimits;
  readonly timers: SipTimers;
  readonly log: Log;
  readonly events: NetworkEvents;
  /** Needed to listen on TLS and to send over it. */
  readonly tls: TlsFiles | undefined;
}

/** All SIP sockets of the server. */
export class Network {
  readonly #options: NetworkOptions;
  readonly #localAddresses = new LocalAddresses();
  readonly #streams: Readonly<Record<StreamProtocol, TcpTransport | undefined>>;
  readonly #tlsChannel: TlsChannel | undefined;
  #udp: UdpTransport[] = [];

  constructor(options: NetworkOptions) {
    this.#options = options;
    const { limits, log, events, tls } = options;
    const quota = new ConnectionQuota(limits);
    const refused = (): void => {
      events.refused();
    };
    const context = { limits, quota, log, events, refused };
    const failed = (): void => {
      events.handshakeFailed();
    };
    this.#tlsChannel = tls && new TlsChannel({ files: tls, limits, log, failed });
    this.#streams = {
      tcp: new TcpTransport(plainChannel, context),
      tls: this.#tlsChannel && new TcpTransport(this.#tlsChannel, context),
    };
  }

  get bound(): readonly ListenAddress[] {
    const { tcp, tls } = this.#streams;
    return [...this.#udp.map((each) => each.bound), ...(tcp?.bound ?? []), ...(tls?.bound ?? [])];
  }

  get connections(): number {
    const { tcp, tls } = this.#streams;
    return (tcp?.connections ?? 0) + (tls?.connections ?? 0);
  }

  /** TLS handshakes under way. */
  get handshakes(): number {
    return this.#tlsChannel?.handshakes ?? 0;
  }

  /** Opens one listening socket. Throws ADDRESS_IN_USE and its like. */
  async listen(where: ListenAddress): Promise<void> {
    if (where.protocol !== 'udp') {
      await this.#stream(where.protocol).listen(where);
      return;
    }
    const { events, log } = this.#options;
    this.#udp.push(await UdpTransport.open(where, { localAddresses: this.#localAddresses, events, log }));
  }

  async close(): Promise<void> {
    const udp = this.#udp;
    this.#udp = [];
    const { tcp, tls } = this.#streams;
    await Promise.all([...udp.map((each) => each.close()), tcp?.close(), tls?.close()]);
  }

  /** Finds our side of the way to a host, looking its name up. Throws UNREACHABLE. */
  async route(target: Target): Promise<Route> {
    const address = isIP(target.host) === 0 ? await addressOf(target.host) : target.host;
    const remote = { address, port: target.port };
    const towards = await new Promise<string>((resolve) => {
      this.#localAddresses.find(address, resolve);
    });
    const listener = this.#listenerFor(target.protocol, address, towards);
    const local = { address: isWildcard(listener.address) ? towards : listener.address, port: listener.port };
    return {
      protocol: target.protocol,
      local,
      remote,
      open: () => this.#openFlow(target.protocol, local, remote),
    };
  }

  #stream(protocol: StreamProtocol): TcpTransport {
    const found = this.#streams[protocol];
    if (found === undefined) throw new SipServerError('BAD_TLS', 'TLS needs a certificate and a key');
    return found;
  }

  #listenerFor(protocol: Protocol, peer: string, towards: string): ListenAddress {
    const fitting = this.bound.filter(
      (each) => each.protocol === protocol && isIPv6(each.address) === isIPv6(peer),
    );
    const found = fitting.find((each) => each.address === towards || isWildcard(each.address)) ?? fitting[0];
    if (found === undefined) throw new SipServerError('UNREACHABLE', `no ${protocol} socket for ${peer}`);
    return found;
  }

  async #openFlow(protocol: Protocol, local: Endpoint, remote: Endpoint): Promise<Flow> {
    if (protocol !== 'udp')
      return this.#stream(protocol).connect(remote, local.port, this.#options.timers.connect);
    const transport = this.#udp.find(
      ({ bound }) =>
        bound.port === local.port &&
        isIPv6(bound.address) === isIPv6(remote.address) &&
        (bound.address === local.address || isWildcard(bound.address)),
    );
    if (transport === undefined) throw new SipServerError('UNREACHABLE', 'the socket was closed');
    return transport.flowTo(remote, local.address);
  }
}

function addressOf(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    lookup(host, (error, address) => {
      if (error === null) resolve(address);
      else reject(new SipServerError('UNREACHABLE', `cannot find ${host}`, { cause: error }));
    });
  });
}
