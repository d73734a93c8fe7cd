import Srf from 'drachtio-srf';
import { startSipApplication, type SipApplicationOptions } from '../../src/sip/application.ts';
import { openBench, type Bench } from './bench.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { Peer, type Protocol } from './peer.ts';
import { RecordingClient } from './recording-client.ts';

/** What holds on either SIP server. */
export type AnyBench = Omit<Bench, 'server'>;

/** `host:port:secret` of a drachtio-server, which must listen on UDP and TCP at 127.0.0.1 (docs/operations.md). */
const OUTSIDE = process.env['SEALTAPE_TEST_DRACHTIO'];

/** The embedded server, or the drachtio-server that SEALTAPE_TEST_DRACHTIO names. */
export async function openAnyBench(options: Partial<SipApplicationOptions> = {}): Promise<AnyBench> {
  if (OUTSIDE === undefined || OUTSIDE === '') return openBench(options);
  const [host = '', port = '', ...secret] = OUTSIDE.split(':');
  const drachtio = { host, port: Number(port), secret: secret.join(':') };
  const addresses = await sipAddresses(drachtio);
  const recorder = new FakeRecorder();
  const application = await startSipApplication({
    drachtio,
    trunks: [{ name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat' }],
    recorder,
    software: 'Sealtape/test',
    log: () => undefined,
    ...options,
  });
  const peers: Peer[] = [];
  return {
    application,
    recorder,
    client: async (protocol: Protocol = 'udp') => {
      const at = addresses.find((each) => each.protocol === protocol);
      if (at === undefined) throw new Error(`${OUTSIDE} does not listen on ${protocol} at 127.0.0.1`);
      const peer = await Peer.open(protocol, at);
      peers.push(peer);
      return new RecordingClient(peer);
    },
    close: async () => {
      for (const peer of peers) peer.close();
      await application.close();
    },
  };
}

interface SipAddress {
  readonly protocol: string;
  readonly address: string;
  readonly port: number;
}

/** Where the server listens, as it tells every application that connects. */
function sipAddresses(drachtio: { host: string; port: number; secret: string }): Promise<SipAddress[]> {
  return new Promise((resolve, reject) => {
    const srf = new Srf();
    srf.on('error', reject);
    srf.on('connect', (error: unknown, hostPorts: string) => {
      srf.disconnect();
      if (error !== null) reject(new Error(`${OUTSIDE ?? ''} refuses the secret`));
      const found = hostPorts.split(',').flatMap((entry) => {
        const [, protocol = '', address = '', digits = ''] = /^(\w+)\/(.*):(\d+)$/.exec(entry) ?? [];
        return address === '127.0.0.1' ? [{ protocol, address, port: Number(digits) }] : [];
      });
      resolve(found);
    });
    void srf.connect(drachtio);
  });
}
