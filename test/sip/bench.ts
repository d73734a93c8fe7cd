import type { ConnectionOptions } from 'node:tls';
import { startSipServer, type SipServer, type SipServerOptions } from '../../src/sip-server/sip-server.ts';
import {
  startSipApplication,
  type SipApplication,
  type SipApplicationOptions,
} from '../../src/sip/application.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { Peer, type Protocol } from './peer.ts';
import { RecordingClient } from './recording-client.ts';

export interface Bench {
  readonly server: SipServer;
  readonly application: SipApplication;
  readonly recorder: FakeRecorder;
  /** A new dialog on a socket of its own. */
  client(protocol?: Protocol, tls?: ConnectionOptions): Promise<RecordingClient>;
  close(): Promise<void>;
}

const SECRET = 'correct horse';

/** A real SIP server, the application under test and a recorder that only listens. */
export async function openBench(
  options: Partial<SipApplicationOptions> = {},
  server: Partial<SipServerOptions> = {},
): Promise<Bench> {
  const running = await startSipServer({
    listen: ['udp://127.0.0.1:0', 'tcp://127.0.0.1:0'],
    control: { host: '127.0.0.1', port: 0, secret: SECRET },
    ...server,
  });
  const recorder = new FakeRecorder();
  const application = await startSipApplication({
    drachtio: { host: '127.0.0.1', port: running.controlPort, secret: SECRET },
    trunks: [{ name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat' }],
    recorder,
    software: 'Sealtape/test',
    log: () => undefined,
    ...options,
  });
  await running.listen();
  const peers: Peer[] = [];
  return {
    server: running,
    application,
    recorder,
    client: async (protocol = 'udp', tls = {}) => {
      const bound = running.addresses.find((address) => address.protocol === protocol);
      if (bound === undefined) throw new Error(`no ${protocol} port open`);
      const peer = await Peer.open(protocol, bound, tls);
      peers.push(peer);
      return new RecordingClient(peer);
    },
    close: async () => {
      for (const peer of peers) peer.close();
      await application.close();
      await running.close();
    },
  };
}
