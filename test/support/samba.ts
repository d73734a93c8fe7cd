import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

const run = promisify(execFile);
const NOBODY = 65534;

/**
 * An smbd of one test file with the share `rec` for the user `rec`, signing mandatory and encryption required. The user `keeper`, with the same
 * password, may do everything there.
 */
export interface Samba {
  readonly port: number;
  readonly password: string;
  /** The share's folder on this machine. */
  readonly share: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  remove(): Promise<void>;
}

export interface SambaOptions {
  /** A server that neither signs nor encrypts. */
  readonly lax?: boolean;
  /** A file system of its own of so many KiB under the share; needs the right to mount. */
  readonly smallKiB?: number;
}

export async function startSamba(options: SambaOptions = {}): Promise<Samba> {
  // smbd cannot start where the path of its sockets gets long.
  const root = await mkdtemp('/tmp/smb-');
  const share = join(root, 'share');
  await chmod(root, 0o755);
  for (const folder of ['private', 'lock', 'state', 'cache', 'run', 'ncalrpc', 'share'])
    await mkdir(join(root, folder));
  for (const folder of ['ncalrpc', 'lock']) await chmod(join(root, folder), 0o755);
  await chmod(join(root, 'private'), 0o700);
  await chown(share, NOBODY, NOBODY);
  if (options.smallKiB !== undefined)
    await run('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${options.smallKiB}k,uid=${NOBODY},mode=700`,
      'sealtape-test',
      share,
    ]);
  const port = await freePort();
  const password = 'test-Pass w0rd"%$';
  await writeFile(join(root, 'users.map'), 'nobody = rec\ndaemon = keeper\n');
  await writeFile(join(root, 'smb.conf'), configuration(root, port, options.lax === true));
  for (const user of ['nobody', 'daemon']) {
    const login = execFile('smbpasswd', ['-c', join(root, 'smb.conf'), '-s', '-a', user]);
    login.stdin?.end(`${password}\n${password}\n`);
    await new Promise((resolve) => login.once('close', resolve));
  }
  let server: ServerProcess | undefined;
  const samba: Samba = {
    port,
    password,
    share,
    start: async () => {
      server = await startServerProcess(
        '/usr/sbin/smbd',
        ['-F', '--debug-stdout', '-s', join(root, 'smb.conf')],
        { port },
      );
    },
    stop: async () => {
      await server?.stop();
      server = undefined;
    },
    remove: async () => {
      await samba.stop();
      if (options.smallKiB !== undefined) await run('umount', [share]);
      await rm(root, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  await samba.start();
  return samba;
}

const configuration = (root: string, port: number, lax: boolean): string => `[global]
server role = standalone server
workgroup = TEST
netbios name = TESTNAS
disable netbios = yes
smb ports = ${port}
interfaces = 127.0.0.1
bind interfaces only = yes
server min protocol = ${lax ? 'SMB2_02' : 'SMB3_00'}
server signing = ${lax ? 'disabled' : 'mandatory'}
smb encrypt = ${lax ? 'off' : 'required'}
map to guest = never
restrict anonymous = 2
username map = ${root}/users.map
passdb backend = tdbsam:${root}/private/passdb.tdb
private dir = ${root}/private
lock directory = ${root}/lock
state directory = ${root}/state
cache directory = ${root}/cache
pid directory = ${root}/run
ncalrpc dir = ${root}/ncalrpc
load printers = no
printing = bsd
printcap name = /dev/null
disable spoolss = yes
usershare max shares = 0
[rec]
path = ${root}/share
read only = no
valid users = nobody daemon
admin users = daemon
create mask = 0600
directory mask = 0700
`;
