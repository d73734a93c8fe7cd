import { lookup } from 'node:dns';
import { isIP, isIPv6 } from 'node:net';
import type { Endpoint, Flow, Protocol } from './flow.ts';
import type { SipServerLimits } from './limits.ts';
import type { ListenAddress } from './listen-address.ts';
import { isWildcard, LocalAddresses } from './local-address.ts';
import type { Log } from './log.ts';
import { SipServerError } from './sip-server-error.ts';
import { TcpTransport } from './tcp-transport.ts';
import type { SipTimers } from './timers.ts';
import { UdpTransport } from './udp-transport.ts';

export interface NetworkEvents {
  message(text: string, flow: Flow): void;
  malformed(flow: Flow, head?: string): void;
  /** A TCP connection is gone. */
  closed(flow: Flow): void;
  ignored(): void;
  refused(): void;
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
}

/** All SIP sockets of the server. */
export class Network {
  readonly #options: NetworkOptions;
  readonly #localAddresses = new LocalAddresses();
  readonly #tcp: TcpTransport;
  #udp: UdpTransport[] = [];

  constructor(options: NetworkOptions) {
    this.#options = options;
    const { limits, log, events } = options;
    this.#tcp = new TcpTransport({
      limits,
      log,
      events,
      refused: () => {
        events.refused();
      },
    });
  }

  get bound(): readonly ListenAddress[] {
    return [...this.#udp.map((each) => each.bound), ...this.#tcp.bound];
  }

  get connections(): number {
    return this.#tcp.connections;
  }

  /** Opens one listening socket. Throws ADDRESS_IN_USE and its like. */
  async listen(where: ListenAddress): Promise<void> {
    if (where.protocol === 'tcp') {
      await this.#tcp.listen(where);
      return;
    }
    const { events, log } = this.#options;
    this.#udp.push(await UdpTransport.open(where, { localAddresses: this.#localAddresses, events, log }));
  }

  async close(): Promise<void> {
    const udp = this.#udp;
    this.#udp = [];
    await Promise.all([...udp.map((each) => each.close()), this.#tcp.close()]);
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

  #listenerFor(protocol: Protocol, peer: string, towards: string): ListenAddress {
    const fitting = this.bound.filter(
      (each) => each.protocol === protocol && isIPv6(each.address) === isIPv6(peer),
    );
    const found = fitting.find((each) => each.address === towards || isWildcard(each.address)) ?? fitting[0];
    if (found === undefined) throw new SipServerError('UNREACHABLE', `no ${protocol} socket for ${peer}`);
    return found;
  }

  async #openFlow(protocol: Protocol, local: Endpoint, remote: Endpoint): Promise<Flow> {
    if (protocol === 'tcp') return this.#tcp.connect(remote, local.port, this.#options.timers.connect);
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
