import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { openOneDriveDestination, type OneDriveOptions } from '../../src/delivery/onedrive.ts';
import type { Destination } from '../../src/jobs/destination.ts';
import { CertificateMill, type IssuedCertificate } from './certificates.ts';
import { GraphServer, type SeenRequest } from './graph-server.ts';

export const SECRET = 'not-a-word~of.anybody';

/** A server of its own for each test, and destinations that lead to it by its addresses and its authority alone. */
export class GraphRoom {
  mill!: CertificateMill;
  server!: GraphServer;
  #authority!: IssuedCertificate;
  #certificate!: IssuedCertificate;
  readonly #opened: Destination[] = [];

  constructor() {
    beforeAll(() => {
      this.mill = new CertificateMill();
      this.#authority = this.mill.authority('Test Root');
      this.#certificate = this.mill.issue('graph', { by: this.#authority, altNames: ['IP:127.0.0.1'] });
    });
    beforeEach(async () => {
      this.server = await GraphServer.start(this.#certificate);
      this.server.login.applications.set('app', { secret: SECRET });
    });
    afterEach(async () => {
      for (const each of this.#opened.splice(0)) await each.close();
      await this.server.stop();
    });
    afterAll(() => {
      this.mill.remove();
    });
  }

  open(changes: Partial<OneDriveOptions> = {}): Destination {
    const { server } = this;
    const destination = openOneDriveDestination({
      name: 'cloud',
      authority: server.base,
      graph: server.base,
      tenant: server.login.tenant,
      clientId: 'app',
      credential: { secret: SECRET },
      place: { site: server.site },
      root: '',
      ca: this.#authority.certificate,
      sessions: 4,
      timeoutSeconds: 20,
      ...changes,
    });
    this.#opened.push(destination);
    return destination;
  }

  stored(path: string): Buffer | undefined {
    return this.server.library.byPath(path)?.content;
  }
}

export const isFragment = ({ method, path }: SeenRequest): boolean =>
  method === 'PUT' && path.startsWith('/up/');
