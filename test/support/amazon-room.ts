import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { S3Options } from '../../src/delivery/s3-client.ts';
import { openS3Destination } from '../../src/delivery/s3.ts';
import type { Destination } from '../../src/jobs/destination.ts';
import { AwsS3Server } from './aws-s3-server.ts';
import { CertificateMill, type IssuedCertificate } from './certificates.ts';

const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a/secret+key' } as const;

/** Amazon's behaviour of one test file, and destinations that lead to it by endpoint and authority alone. */
export class AmazonRoom {
  readonly #mill = new CertificateMill();
  #authority!: IssuedCertificate;
  server!: AwsS3Server;
  readonly #opened: Destination[] = [];
  readonly #clients: S3Client[] = [];

  constructor() {
    beforeAll(async () => {
      this.#authority = this.#mill.authority('Test Root');
      const certificate = this.#mill.issue('s3', { by: this.#authority, altNames: ['IP:127.0.0.1'] });
      this.server = await AwsS3Server.start(certificate);
      this.server.accounts.set(KEY.accessKeyId, { secretAccessKey: KEY.secretAccessKey });
      this.server.addBucket('plain');
      this.server.addBucket('locked', { objectLock: true });
    });
    afterEach(async () => {
      for (const each of this.#opened.splice(0)) await each.close();
    });
    afterAll(async () => {
      for (const each of this.#clients) each.destroy();
      await this.server.remove();
      this.#mill.remove();
    });
  }

  get ca(): string {
    return this.#authority.certificate;
  }

  open(changes: Partial<S3Options> = {}): Destination {
    const destination = openS3Destination({
      name: 'vault',
      endpoint: this.server.endpoint,
      region: this.server.region,
      bucket: 'locked',
      root: '',
      pathStyle: true,
      ...KEY,
      ca: this.ca,
      objectLock: 'auto',
      sessions: 4,
      timeoutSeconds: 20,
      ...changes,
    });
    this.#opened.push(destination);
    return destination;
  }

  /** The SDK as it comes, to look behind the destination's back. */
  client(changes: S3ClientConfig = {}): S3Client {
    const client = new S3Client({
      endpoint: this.server.endpoint,
      region: this.server.region,
      forcePathStyle: true,
      credentials: KEY,
      maxAttempts: 1,
      requestHandler: { httpsAgent: new Agent({ ca: readFileSync(this.ca), keepAlive: true }) },
      ...changes,
    });
    this.#clients.push(client);
    return client;
  }
}
