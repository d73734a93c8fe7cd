import { execFile } from 'node:child_process';
import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

const run = promisify(execFile);
const NOBODY = 65534;

/**
 * OpenSSH's sshd of one test file: internal-sftp in a chroot, login `nobody` with a key. `keeper` is the same user by another name, without the
 * restrictions of `internal`.
 */
export interface SftpServer {
  readonly port: number;
  readonly privateKey: string;
  readonly privateKeyFile: string;
  readonly fingerprint: string;
  /** The upload folder on this machine; with `smallKiB` it is hidden behind a file system of the server's own. */
  readonly upload: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  remove(): Promise<void>;
}

export interface SftpServerOptions {
  /** Arguments of internal-sftp, for example `-P remove,rmdir,setstat,posix-rename` for an account that may only add. */
  readonly internal?: string;
  readonly smallKiB?: number;
}

export async function startSftpServer(options: SftpServerOptions = {}): Promise<SftpServer> {
  const root = await mkdtemp(join(tmpdir(), 'sftp-'));
  const upload = join(root, 'jail/upload');
  await mkdir(upload, { recursive: true });
  for (const folder of [root, join(root, 'jail')]) await chmod(folder, 0o755);
  await chown(upload, NOBODY, NOBODY);
  for (const key of ['host', 'user'])
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', key, '-f', join(root, key)]);
  await copyFile(join(root, 'user.pub'), join(root, 'authorized_keys'));
  const keeper = {
    passwd: `keeper:x:${NOBODY}:${NOBODY}::/:/usr/sbin/nologin`,
    shadow: 'keeper:*:19000::::::',
  };
  for (const [file, line] of Object.entries(keeper))
    await writeFile(join(root, file), `${await readFile(`/etc/${file}`, 'utf8')}${line}\n`, { mode: 0o644 });
  const port = await freePort();
  await writeFile(join(root, 'sshd_config'), configuration(root, port, options.internal ?? ''));
  // A private mount namespace: /mnt is the jail, because sshd refuses one below a folder that everybody may write to.
  const small = `mount -t tmpfs -o size=${options.smallKiB ?? 0}k,uid=${NOBODY},mode=700 tmpfs /mnt/upload`;
  const script = [
    `mount --bind "${root}/jail" /mnt`,
    ...['passwd', 'shadow'].map((file) => `mount --bind "${root}/${file}" /etc/${file}`),
    ...(options.smallKiB === undefined ? [] : [small]),
    'mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sshd',
    `exec /usr/sbin/sshd -D -e -f "${root}/sshd_config"`,
  ].join(' && ');
  const printed = (await run('ssh-keygen', ['-lf', join(root, 'host.pub')])).stdout;
  let server: ServerProcess | undefined;
  const sftp: SftpServer = {
    port,
    privateKey: await readFile(join(root, 'user'), 'utf8'),
    privateKeyFile: join(root, 'user'),
    fingerprint: /SHA256:\S+/.exec(printed)?.[0] ?? '',
    upload,
    start: async () => {
      server = await startServerProcess('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script], {
        port,
      });
    },
    stop: async () => {
      const child = server?.child.pid;
      // Connections have processes of their own, which a restart of the machine would end too.
      const sessions = child === undefined ? [] : await childrenOf(child);
      await server?.stop();
      for (const pid of sessions) killQuietly(pid);
      server = undefined;
    },
    remove: async () => {
      await sftp.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
  await sftp.start();
  return sftp;
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const found = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const direct = found.trim().split(' ').filter(Boolean).map(Number);
  const below = await Promise.all(direct.map(childrenOf));
  return [...direct, ...below.flat()];
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It went by itself.
  }
}

const configuration = (root: string, port: number, internal: string): string => `Port ${port}
ListenAddress 127.0.0.1
HostKey ${root}/host
PidFile ${root}/sshd.pid
AuthorizedKeysFile ${root}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
AllowUsers nobody keeper
UseDNS no
MaxStartups 100
Subsystem sftp internal-sftp
ForceCommand internal-sftp -d /upload ${internal}
ChrootDirectory /mnt
DisableForwarding yes
PermitTTY no
Match User keeper
  ForceCommand internal-sftp -d /upload
`;
