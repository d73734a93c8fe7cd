import Srf from 'drachtio-srf';
import { startSipServer, type SipServer, type SipServerOptions } from '../../src/sip-server/sip-server.ts';
import { TcpPeer, UdpPeer, type RawPeer } from './raw-peer.ts';

export const SECRET = 'correct horse';

/** 64·T1 = 640 ms: the whole life of a transaction fits into a test. */
export const SHORT_TIMERS = { t1: 10, t2: 80, t4: 100, applicationSilence: 2_000, connect: 1_000 };

export const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';

export interface TestServer {
  readonly server: SipServer;
  readonly logged: { level: string; message: string; fields?: Record<string, unknown> | undefined }[];
  /** An application with the given handlers, connected and routed. */
  application(register: (srf: Srf) => void): Promise<Srf>;
  open(protocol: 'tcp', family?: 4 | 6): Promise<TcpPeer>;
  open(protocol: 'udp' | 'tcp', family?: 4 | 6): Promise<RawPeer>;
  close(): Promise<void>;
}

const LISTEN = ['udp://127.0.0.1:0', 'tcp://127.0.0.1:0', 'udp://[::1]:0', 'tcp://[::1]:0'];

/** A server on free ports, with everything that was opened through it closed at the end. */
export async function startTestServer(options: Partial<SipServerOptions> = {}): Promise<TestServer> {
  const logged: TestServer['logged'] = [];
  const server = await startSipServer({
    listen: LISTEN,
    control: { host: '127.0.0.1', port: 0, secret: SECRET },
    timers: SHORT_TIMERS,
    log: (level, message, fields) => logged.push({ level, message, fields }),
    ...options,
  });
  const peers: RawPeer[] = [];
  const applications: Srf[] = [];
  const open = async (protocol: 'udp' | 'tcp', family: 4 | 6 = 4): Promise<RawPeer> => {
    const at = server.addresses.find(
      (each) => each.protocol === protocol && each.address.includes(':') === (family === 6),
    );
    if (at === undefined) throw new Error(`not listening on ${protocol} IPv${family}`);
    const address = at.address === '0.0.0.0' ? '127.0.0.1' : at.address === '::' ? '::1' : at.address;
    const to = { address, port: at.port };
    const peer = protocol === 'udp' ? await UdpPeer.open(to) : await TcpPeer.open(to);
    peers.push(peer);
    return peer;
  };
  return {
    server,
    logged,
    async application(register) {
      const srf = await connectApplication(server.controlPort, register);
      applications.push(srf);
      if (server.addresses.length === 0) await server.listen();
      return srf;
    },
    open: open as TestServer['open'],
    async close() {
      for (const srf of applications) disconnect(srf);
      for (const peer of peers) peer.close();
      await server.close();
    },
  };
}

/** Ends the connection for good; a closed one must not be disconnected again. */
function disconnect(srf: Srf): void {
  try {
    srf.disconnect();
  } catch {
    // drachtio-srf throws when the connection is gone already.
  }
}

async function connectApplication(port: number, register: (srf: Srf) => void): Promise<Srf> {
  const srf = new Srf();
  register(srf);
  srf.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    srf.on('connect', (error: Error | null) => {
      if (error === null) resolve();
      else reject(error);
    });
    void srf.connect({ host: '127.0.0.1', port, secret: SECRET });
  });
  return srf;
}

/** Waits for something of the application's side that no message announces. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never came true: ${String(condition)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
