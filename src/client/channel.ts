import { createSocket } from 'node:dgram';
import { connect, isIP, isIPv6, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { ClientError } from './client-error.ts';
import { MessageFramer, parseDatagram, type SipMessage } from './sip-message.ts';
import { bracketed, type Target } from './target.ts';

/** The way to one SIP server. */
export interface Channel {
  /** True where requests need no repetition. */
  readonly reliable: boolean;
  readonly local: { readonly address: string; readonly port: number };
  send(message: Buffer): void;
  /** At most one of each; messages that came before are not kept. Unreadable messages are passed over. */
  listen(onMessage: (message: SipMessage) => void, onFailure: (error: ClientError) => void): void;
  /** May be called twice. */
  close(): void;
}

/** Whom a TLS client believes and how it identifies itself; all PEM. */
export interface TlsTrust {
  /** Who must have signed the server's certificate; by default one of the authorities Node knows. */
  readonly ca?: string;
  /** Takes any certificate. For tests. */
  readonly insecure?: boolean;
  /** Shown when the server asks for one. */
  readonly certificate?: string;
  readonly key?: string;
}

export interface ChannelOptions {
  readonly localAddress?: string;
  readonly tls?: TlsTrust;
}

const CONNECT_TIMEOUT = 5000;

/** Opens the way to the target, from `localAddress` where given. Rejects with ClientError UNREACHABLE. */
export async function openChannel(target: Target, options: ChannelOptions = {}): Promise<Channel> {
  try {
    const { address } = await lookup(target.host);
    if (target.transport === 'udp') return await openUdp(address, target.port, options.localAddress);
    return await openStream(target, address, options);
  } catch (error) {
    throw unreachable(target, error);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no such host',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what answers there does not speak TLS',
};

const UNTRUSTED = 'its certificate is not trusted; --ca FILE names its authority, --insecure asks for none';

function unreachable(target: Pick<Target, 'host' | 'port' | 'transport'>, cause: unknown): ClientError {
  const where = `${bracketed(target.host)}:${target.port} over ${target.transport.toUpperCase()}`;
  const code = (cause as NodeJS.ErrnoException | null)?.code ?? String(cause);
  const reason = REASONS[code] ?? (/CERT|SIGNATURE/.test(code) ? `${UNTRUSTED} (${code})` : code);
  return new ClientError('UNREACHABLE', `cannot reach ${where}: ${reason}`, { cause });
}

async function openUdp(address: string, port: number, localAddress?: string): Promise<Channel> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  let failed: (error: ClientError) => void = () => undefined;
  socket.bind(0, localAddress);
  await once(socket, 'listening');
  // A connected socket learns of ICMP errors, and shows which local address leads to the server.
  socket.connect(port, address);
  await once(socket, 'connect');
  socket.on('error', (error) => {
    failed(unreachable({ host: address, port, transport: 'udp' }, error));
  });
  let open = true;
  return {
    reliable: false,
    local: socket.address(),
    send: (message) => {
      if (open) socket.send(message);
    },
    listen: (onMessage, onFailure) => {
      failed = onFailure;
      socket.on('message', (datagram) => {
        const message = readDatagram(datagram);
        if (message !== undefined) onMessage(message);
      });
    },
    close: () => {
      if (open) socket.close();
      open = false;
    },
  };
}

function readDatagram(datagram: Buffer): SipMessage | undefined {
  try {
    return parseDatagram(datagram);
  } catch {
    return undefined;
  }
}

async function openStream(
  { host, port, transport }: Target,
  address: string,
  { localAddress, tls = {} }: ChannelOptions,
): Promise<Channel> {
  const where = { host: address, port, ...(localAddress === undefined ? {} : { localAddress }) };
  const socket: Socket =
    transport === 'tls'
      ? connectTls({
          ...where,
          ...(tls.ca === undefined ? {} : { ca: tls.ca }),
          ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
          ...(tls.key === undefined ? {} : { key: tls.key }),
          rejectUnauthorized: tls.insecure !== true,
          // The name of an address is none (RFC 6066 §3).
          ...(isIP(host) === 0 ? { servername: host } : {}),
        })
      : connect(where);
  socket.setNoDelay(true);
  const ready = transport === 'tls' ? 'secureConnect' : 'connect';
  try {
    await once(socket, ready, { signal: AbortSignal.timeout(CONNECT_TIMEOUT) });
  } catch (error) {
    socket.on('error', () => undefined);
    socket.destroy();
    throw error;
  }
  let failed: (error: ClientError) => void = () => undefined;
  const lost = (why: string): void => {
    failed(new ClientError('CONNECTION_LOST', `the connection to ${bracketed(address)}:${port} ${why}`));
  };
  socket.on('error', (error) => {
    lost(`broke: ${error.message}`);
  });
  socket.on('close', () => {
    lost('was closed by the server');
  });
  return {
    reliable: true,
    local: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
    send: (message) => {
      if (!socket.destroyed) socket.write(message);
    },
    listen: (onMessage, onFailure) => {
      failed = onFailure;
      const framer = new MessageFramer();
      socket.on('data', (chunk) => {
        try {
          framer.push(chunk).forEach(onMessage);
        } catch {
          // Where the next message starts is unknown now (RFC 3261 §18.3): the stream is of no further use.
          socket.destroy();
        }
      });
    },
    close: () => {
      failed = () => undefined;
      socket.destroySoon();
    },
  };
}
