import { readFile } from 'node:fs/promises';
import { ConfigError, type Config } from '../config.ts';
import { openPeerNode } from '../delivery/peer-node.ts';
import type { Peer } from '../jobs/peer.ts';
import { PeerDesk, type PeerDeskDeps } from '../jobs/peer-desk.ts';
import { Witness, type PeerStanding, type WitnessDeps } from '../jobs/witness.ts';
import type { Log } from '../log.ts';
import { startPeerServer, type PeerServer } from '../web/peer-server.ts';

/** The other recorders, and how often they are asked. */
export interface Peers {
  readonly peers: readonly Peer[];
  /** Milliseconds. */
  readonly every: number;
}

/** Opens what the configuration says of the other recorders. Rejects when a file cannot be read. */
export async function openPeers({ evidence }: Config): Promise<Peers> {
  const token = await tokenOf(evidence.peering);
  const peers = await Promise.all(evidence.peers.map((settings) => openPeerNode({ ...settings, token })));
  return { peers, every: evidence.peering.everySeconds * 1000 };
}

/** Both sides of the witnessing between recorders, from the opening of the log to its close. */
export class Peering {
  readonly #witness: Witness;
  readonly #desk: PeerDesk;
  readonly #every: number;
  readonly #hasPeers: boolean;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor({ every, ...deps }: Omit<Peers, 'peers'> & WitnessDeps & PeerDeskDeps) {
    this.#witness = new Witness(deps);
    this.#desk = new PeerDesk(deps);
    this.#every = every;
    this.#hasPeers = deps.peers.length > 0;
  }

  /** Undefined once nothing may be appended to the log any more. */
  get desk(): PeerDesk | undefined {
    return this.#stopped ? undefined : this.#desk;
  }

  get standing(): readonly PeerStanding[] {
    return this.#witness.standing;
  }

  start(signal: AbortSignal): void {
    if (!this.#hasPeers) return;
    void this.#witness.round(signal);
    this.#timer = setInterval(() => {
      void this.#witness.round(signal);
    }, this.#every);
  }

  /** Resolves when nothing of it is appended any more; the signal of `start` has to be aborted before. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await Promise.all([this.#witness.idle(), this.#desk.idle()]);
  }
}

/** Opens the address for the other recorders, where the configuration wants one. Rejects with WebError, or when a file cannot be read. */
export async function openPeerServer(
  { evidence }: Config,
  desk: () => PeerDesk | undefined,
  log: Log,
): Promise<PeerServer | undefined> {
  const { listen, tls } = evidence.peering;
  if (listen === undefined) return undefined;
  const colon = listen.lastIndexOf(':');
  const server = await startPeerServer({
    host: listen.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(listen.slice(colon + 1)),
    tls: tls && { cert: await readFile(tls.certificate), key: await readFile(tls.key) },
    token: await tokenOf(evidence.peering),
    ...{ desk, log },
  });
  log('info', 'other recorders find our checkpoints', { url: server.url });
  return server;
}

async function tokenOf({ tokenFile }: Config['evidence']['peering']): Promise<string | undefined> {
  if (tokenFile === undefined) return undefined;
  const token = (await readFile(tokenFile, 'utf8')).trim();
  if (/^[!-~]{16,512}$/.test(token)) return token;
  throw new ConfigError(
    'INVALID',
    `evidence.peering.tokenFile: ${tokenFile} holds no token of 16 to 512 characters`,
  );
}
