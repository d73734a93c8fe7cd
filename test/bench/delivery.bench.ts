/*
 * How fast recordings are delivered beside the plain tool on the same files: `cp`, `sftp`, `smbclient`, `curl` with --aws-sigv4, each against
 * the same real server of this machine, in turn, so that a busy moment hits both. Real servers: OpenSSH, Samba, Ceph's radosgw.
 *
 *   npm run bench:delivery -- [--files N] [--megabytes M] [--rounds R] [--only path,sftp,smb,s3]
 *
 * A delivery counts when its copy has been proved. Where the server has no checksum of its own that means reading it back, so that the tool is
 * measured twice: as it writes, and as it writes, reads back and hashes with `sha256sum`. The goal is 80 % of the tool at the same work.
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { chown, mkdir } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { openPathChild } from '../../src/delivery/path-child.ts';
import { openS3Destination } from '../../src/delivery/s3.ts';
import { openSftpDestination } from '../../src/delivery/sftp.ts';
import { openSmbDestination } from '../../src/delivery/smb.ts';
import { openingOf, type Destination, type Upload } from '../../src/jobs/destination.ts';
import { inParallel } from '../../verify-cli/in-parallel.ts';
import { startRadosgw } from '../support/radosgw.ts';
import { startSamba } from '../support/samba.ts';
import { startSftpServer } from '../support/sftp-server.ts';

const run = promisify(execFile);
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** A server with both ways to it. */
interface Course {
  readonly name: string;
  readonly destination: Destination;
  /** Copies all files of the source folder into a folder of the server with the plain tool. */
  readonly tool: (folder: string) => Promise<void>;
  /** Makes the folder that the tool copies into. */
  readonly prepare: (folder: string) => Promise<void>;
  /** Fetches with the plain tool what it has copied, and hashes it; left out where the server's checksum proves a copy. */
  readonly toolBack?: (folder: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

interface Load {
  readonly source: string;
  readonly files: readonly Upload[];
}

/** Transfers at once: the default of `parallel`. */
const AT_ONCE = 4;
const NOBODY = 65534;

function makeLoad(scratch: string, count: number, octets: number): Load {
  const source = join(scratch, 'source');
  mkdirSync(source);
  const files = Array.from({ length: count }, (_, n) => {
    const name = `recording-${String(n).padStart(5, '0')}.wav`;
    const bytes = randomBytes(octets);
    const file = join(source, name);
    writeFileSync(file, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { path: name, size: octets, sha256, open: openingOf(file), file };
  });
  return { source, files };
}

function openFolder(scratch: string, { source }: Load): Promise<Course> {
  const root = join(scratch, 'archive');
  mkdirSync(root);
  return Promise.resolve({
    name: 'path / cp',
    destination: openPathChild({ name: 'archive', root, timeoutSeconds: 60 }),
    prepare: (folder) => mkdir(join(root, folder)),
    // What we store is on the disk when we say so.
    tool: async (folder) => {
      const to = join(root, folder);
      await run('sh', ['-c', `cp '${source}'/* '${to}' && sync -d '${to}'/*`]);
    },
    toolBack: (folder) => hashAll(join(root, folder)),
    close: () => Promise.resolve(),
  });
}

async function openSftp(scratch: string, { source }: Load): Promise<Course> {
  const server = await startSftpServer();
  const destination = openSftpDestination({
    name: 'sftp',
    host: '127.0.0.1',
    port: server.port,
    user: 'nobody',
    privateKey: server.privateKey,
    fingerprints: [server.fingerprint],
    root: '/upload',
    sessions: AT_ONCE,
    timeoutSeconds: 60,
  });
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  const sftp = async (command: string): Promise<void> => {
    const batch = join(scratch, 'batch');
    writeFileSync(batch, `${command}\n`);
    const args = ['-q', '-b', batch, '-P', String(server.port), '-i', server.privateKeyFile];
    await run('sftp', [...args, ...options.flatMap((each) => ['-o', each]), 'nobody@127.0.0.1']);
  };
  return {
    name: 'sftp / sftp',
    destination,
    prepare: async (folder) => {
      await mkdir(join(server.upload, folder));
      await chown(join(server.upload, folder), NOBODY, NOBODY);
    },
    tool: (folder) => sftp(`put -f ${source}/* /upload/${folder}/`),
    toolBack: (folder) => fetchAndHash(scratch, (to) => sftp(`get /upload/${folder}/* ${to}/`)),
    close: () => server.remove(),
  };
}

async function openSmb(scratch: string, { source }: Load): Promise<Course> {
  const samba = await startSamba();
  const login = { domain: 'TEST', user: 'rec', password: samba.password };
  const destination = openSmbDestination({
    name: 'smb',
    service: '//127.0.0.1/rec',
    port: samba.port,
    ...login,
    encryption: 'required',
    root: '',
    sessions: AT_ONCE,
    timeoutSeconds: 60,
  });
  const auth = join(scratch, 'auth');
  writeFileSync(auth, `username = rec\npassword = ${samba.password}\ndomain = TEST\n`, { mode: 0o600 });
  const smbclient = async (command: string): Promise<void> => {
    const options = ['-p', String(samba.port), '-A', auth, '-m', 'SMB3', '--client-protection=encrypt'];
    await run('smbclient', [...options, '//127.0.0.1/rec', '-c', `prompt OFF; ${command}`]);
  };
  return {
    name: 'smb / smbclient',
    destination,
    prepare: async (folder) => {
      await mkdir(join(samba.share, folder));
      await chown(join(samba.share, folder), NOBODY, NOBODY);
    },
    tool: (folder) => smbclient(`lcd ${source}; cd ${folder}; mput *`),
    toolBack: (folder) => fetchAndHash(scratch, (to) => smbclient(`lcd ${to}; cd ${folder}; mget *`)),
    close: () => samba.remove(),
  };
}

async function openS3(_scratch: string, { files }: Load): Promise<Course> {
  const gateway = await startRadosgw();
  const { endpoint, accessKeyId, secretAccessKey } = gateway;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: 'bench' }));
  client.destroy();
  const destination = openS3Destination({
    name: 's3',
    endpoint,
    region: 'us-east-1',
    bucket: 'bench',
    root: '',
    pathStyle: true,
    ...credentials,
    objectLock: 'auto',
    sessions: AT_ONCE,
    timeoutSeconds: 60,
  });
  return {
    name: 's3 / curl',
    destination,
    prepare: () => Promise.resolve(),
    tool: async (folder) => {
      const user = ['--aws-sigv4', 'aws:amz:us-east-1:s3', '--user', `${accessKeyId}:${secretAccessKey}`];
      // One curl for all files keeps its connection, and signs the octets as we do.
      const each = files.flatMap(({ path, file = '', sha256 }, index) => [
        ...(index === 0 ? [] : ['--next']),
        ...['-sS', '--fail', ...user, '-H', `x-amz-content-sha256: ${sha256}`],
        ...['--upload-file', file, `${endpoint}/bench/${folder}/${path}`],
      ]);
      await run('curl', each);
    },
    close: () => gateway.remove(),
  };
}

/** Fetches into an empty folder, hashes what is there, and removes it. */
async function fetchAndHash(scratch: string, fetch: (to: string) => Promise<void>): Promise<void> {
  const to = join(scratch, 'back');
  mkdirSync(to);
  await fetch(to);
  await hashAll(to);
  rmSync(to, { recursive: true });
}

const hashAll = async (folder: string): Promise<void> => {
  await run('sh', ['-c', `sha256sum '${folder}'/*`]);
};

/** Best times, in seconds. */
interface Times {
  ours: number;
  tool: number;
  /** What the tool needs beyond that to prove its copies. */
  back: number;
}

async function measure(course: Course, { files }: Load, rounds: number): Promise<void> {
  const { signal } = new AbortController();
  const best: Times = { ours: Infinity, tool: Infinity, back: course.toolBack ? Infinity : 0 };
  const timed = async (what: keyof Times, work: () => Promise<unknown>): Promise<void> => {
    const start = performance.now();
    await work();
    best[what] = Math.min(best[what], (performance.now() - start) / 1000);
  };
  await course.destination.capabilities(signal);
  for (let round = 0; round < rounds; round += 1) {
    await course.prepare(`tool${round}`);
    await timed('tool', () => course.tool(`tool${round}`));
    await timed('back', () => course.toolBack?.(`tool${round}`) ?? Promise.resolve());
    await timed('ours', () =>
      inParallel(files, AT_ONCE, async (file) => {
        await course.destination.put({ ...file, path: `ours${round}/${file.path}` }, signal);
      }),
    );
  }
  await course.destination.close();
  const octets = files.reduce((sum, { size }) => sum + size, 0) / 1_000_000;
  const rate = (seconds: number): string =>
    `${(octets / seconds).toFixed(0)} MB/s, ${(files.length / seconds).toFixed(1)} files/s`;
  const share = (seconds: number): string => `${((100 * seconds) / best.ours).toFixed(0)} %`;
  const proving = best.tool + best.back;
  const proved = course.toolBack ? `; written and read back ${rate(proving)} = ${share(proving)}` : '';
  say(
    `${course.name.padEnd(16)} ${rate(best.ours)}; tool written ${rate(best.tool)} = ${share(best.tool)}${proved}   [goal 80 %]`,
  );
}

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '40' },
    megabytes: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: 'path,sftp,smb,s3' },
  },
});
const COURSES = { path: openFolder, sftp: openSftp, smb: openSmb, s3: openS3 } as const;
const scratch = mkdtempSync(join(tmpdir(), 'sealtape-bench-'));
try {
  const load = makeLoad(scratch, Number(values.files), Number(values.megabytes) * 1_000_000);
  say(
    `${values.files} files of ${values.megabytes} MB, best of ${values.rounds}, ${AT_ONCE} at once; ` +
      `${availableParallelism()} × ${cpus()[0]?.model ?? '?'}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1) ?? '?'}`,
  );
  for (const [name, open] of Object.entries(COURSES)) {
    if (!values.only.split(',').includes(name)) continue;
    const course = await open(scratch, load);
    try {
      await measure(course, load, Number(values.rounds));
    } finally {
      await course.close();
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
