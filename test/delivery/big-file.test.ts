import { CreateBucketCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BigUpload, BigUploadResult } from '../support/big-upload.ts';
import { CertificateMill } from '../support/certificates.ts';
import { compileProgram, type CompiledProgram } from '../support/compiled-program.ts';
import { GraphServer } from '../support/graph-server.ts';
import { startRadosgw } from '../support/radosgw.ts';
import { startSamba } from '../support/samba.ts';
import { startSftpServer } from '../support/sftp-server.ts';
import { LONG } from '../support/long-run.ts';

const GIB = 1024 ** 3;
const SIZE = 2 * GIB + 12_345;
const MINUTES = 60_000;
/** What an upload may add to the memory of the process, whatever the length of the file. */
const MAY_ADD = 160 * 1024 ** 2;

let folder: string;
let file: string;
let sha256: string;
let program: CompiledProgram;
const servers: { remove(): Promise<void> }[] = [];

async function hashOf(octets: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of octets) hash.update(part);
  return hash.digest('hex');
}

/** Says what memory it took; in a process of its own, because the servers of some kinds are in this one. */
async function upload(kind: BigUpload['kind'], options: object): Promise<BigUploadResult> {
  const job: BigUpload = {
    kind,
    options: { name: kind, sessions: 2, timeoutSeconds: 60, ...options },
    file,
    size: SIZE,
    sha256,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [program.path, JSON.stringify(job)]);
  const result = JSON.parse(stdout) as BigUploadResult;
  const megabytes = (octets: number): number => Math.round(octets / 1e6);
  process.stderr.write(
    `${kind}: 2 GiB in ${Math.round(result.seconds)} s, memory ${megabytes(result.before)} MB before, ${megabytes(result.peak)} MB at most\n`,
  );
  expect(result.peak - result.before).toBeLessThan(MAY_ADD);
  return result;
}

(LONG ? describe : describe.skip)('a file of 2 GiB arrives whole in bounded memory', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'big-'));
    file = join(folder, 'source.wav');
    // Octets that differ from place to place, in a file that takes hardly any room.
    const handle = await open(file, 'wx');
    await handle.truncate(SIZE);
    for (let at = 0; at < SIZE; at += GIB / 64)
      await handle.write(randomBytes(10_000), 0, Math.min(10_000, SIZE - at), at);
    await handle.close();
    sha256 = await hashOf(createReadStream(file));
    program = await compileProgram('test/support/big-upload.ts');
  }, 2 * MINUTES);
  afterEach(async () => {
    for (const each of servers.splice(0)) await each.remove();
  });
  afterAll(async () => {
    await program.remove();
    await rm(folder, { recursive: true });
  });

  test(
    'path',
    async () => {
      const root = join(folder, 'archive');
      await mkdir(root);
      await upload('path', { root });
      expect(await hashOf(createReadStream(join(root, 'd/big.wav')))).toBe(sha256);
      await rm(root, { recursive: true });
    },
    10 * MINUTES,
  );

  test(
    'smb',
    async () => {
      const samba = await startSamba();
      servers.push(samba);
      const { port, password } = samba;
      const login = { port, password, service: '//127.0.0.1/rec', domain: 'TEST', user: 'rec' };
      await upload('smb', { ...login, encryption: 'required', root: '' });
      expect(await hashOf(createReadStream(join(samba.share, 'd/big.wav')))).toBe(sha256);
    },
    10 * MINUTES,
  );

  test(
    'sftp',
    async () => {
      const sftp = await startSftpServer();
      servers.push(sftp);
      const { port, privateKey, fingerprint } = sftp;
      const login = { host: '127.0.0.1', port, user: 'nobody', privateKey, fingerprints: [fingerprint] };
      await upload('sftp', { ...login, root: '/upload' });
      expect(await hashOf(createReadStream(join(sftp.upload, 'd/big.wav')))).toBe(sha256);
    },
    10 * MINUTES,
  );

  test(
    's3',
    async () => {
      const rgw = await startRadosgw();
      servers.push(rgw);
      const { endpoint, accessKeyId, secretAccessKey } = rgw;
      const where = { endpoint, region: 'us-east-1', bucket: 'big', root: '', pathStyle: true };
      const client = new S3Client({
        ...where,
        forcePathStyle: true,
        credentials: { accessKeyId, secretAccessKey },
      });
      await client.send(new CreateBucketCommand({ Bucket: 'big', ObjectLockEnabledForBucket: true }));
      await upload('s3', { ...where, accessKeyId, secretAccessKey, objectLock: 'required' });
      const { Body } = await client.send(new GetObjectCommand({ Bucket: 'big', Key: 'd/big.wav' }));
      expect(await hashOf(Body as AsyncIterable<Uint8Array>)).toBe(sha256);
      client.destroy();
    },
    10 * MINUTES,
  );

  test(
    'onedrive',
    async () => {
      const mill = new CertificateMill();
      const authority = mill.authority('Test Root');
      const server = await GraphServer.start(
        mill.issue('graph', { by: authority, altNames: ['IP:127.0.0.1'] }),
      );
      servers.push({
        remove: async () => {
          await server.stop();
          mill.remove();
        },
      });
      server.login.applications.set('app', { secret: 'secret' });
      // Its own checksum is slow; without one the file is read back.
      server.library.looksWithoutChecksum = Infinity;
      const { proof } = await upload('onedrive', {
        authority: server.base,
        graph: server.base,
        tenant: server.login.tenant,
        clientId: 'app',
        credential: { secret: 'secret' },
        place: { site: server.site },
        root: '',
        ca: authority.certificate,
      });
      expect(proof).toBe('read-back');
      const content = server.library.byPath('d/big.wav')?.content ?? Buffer.alloc(0);
      const hash = createHash('sha256');
      for (let at = 0; at < content.length; at += GIB) hash.update(content.subarray(at, at + GIB));
      expect(hash.digest('hex')).toBe(sha256);
    },
    10 * MINUTES,
  );
});
