import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const run = promisify(execFile);

/** Ceph's object gateway of one test file, with its store in memory: S3 with versions, Object Lock and quotas. */
export interface Radosgw {
  readonly endpoint: string;
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** One more user; the key and secret are the name. */
  addUser(name: string, ...options: readonly string[]): Promise<void>;
  /** A quota of so many octets. */
  limitUser(name: string, octets: number): Promise<void>;
  /** An outage of the gateway; what is stored stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

export async function startRadosgw(): Promise<Radosgw> {
  const root = await mkdtemp('/tmp/rgw-');
  for (const folder of ['mon', 'osd', 'run', 'log']) await mkdir(join(root, folder));
  const [s3, mon] = [await freePort(), await freePort()];
  const conf = join(root, 'ceph.conf');
  const fsid = randomUUID();
  await writeFile(conf, configuration(root, { fsid, s3, mon }));
  await writeFile(join(root, 'keyring'), '');
  const ceph = async (program: string, ...args: string[]): Promise<void> => {
    await run(program, args, { env: { ...process.env, CEPH_CONF: conf }, timeout: 60_000 });
  };
  /** The daemons detach themselves, so nobody may wait for the end of their output. */
  const daemon = (program: string, ...args: string[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = spawn(program, args, { env: { ...process.env, CEPH_CONF: conf }, stdio: 'ignore' });
      child.once('error', reject);
      child.once('exit', (code) => {
        if (code === 0) resolve();
        else reject(new Error(`${program} ended with ${String(code)}, see ${root}/log`));
      });
    });
  const osd = randomUUID();
  const map = join(root, 'monmap');
  await ceph(
    'monmaptool',
    '--create',
    '--clobber',
    '--fsid',
    fsid,
    '--addv',
    'a',
    `[v2:127.0.0.1:${mon}]`,
    map,
  );
  await ceph('ceph-mon', '-i', 'a', '--mkfs', '--monmap', map, '--keyring', join(root, 'keyring'));
  await daemon('ceph-mon', '-i', 'a');
  await ceph('ceph', 'osd', 'new', osd, '0');
  await ceph('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd);
  await daemon('ceph-osd', '-i', '0');
  const admin = (...args: string[]): Promise<void> => ceph('radosgw-admin', ...args);
  const gateway: Radosgw = {
    endpoint: `http://127.0.0.1:${s3}`,
    port: s3,
    accessKeyId: 'test',
    secretAccessKey: 'test',
    addUser: (name, ...options) =>
      admin(
        'user',
        'create',
        `--uid=${name}`,
        `--display-name=${name}`,
        `--access-key=${name}`,
        `--secret=${name}`,
        ...options,
      ),
    limitUser: async (name, octets) => {
      await admin('quota', 'set', `--uid=${name}`, '--quota-scope=user', `--max-size=${octets}`);
      await admin('quota', 'enable', `--uid=${name}`, '--quota-scope=user');
    },
    start: async () => {
      await daemon('radosgw', '-n', 'client.rgw');
      await until(() => answers(s3));
    },
    stop: () => end(root, 'client.rgw'),
    remove: async () => {
      // In this order, each after the other: a gateway without its store never ends.
      for (const name of ['client.rgw', 'osd.0', 'mon.a']) await end(root, name);
      await rm(root, { recursive: true, force: true });
    },
  };
  await gateway.start();
  await gateway.addUser('test');
  return gateway;
}

async function end(root: string, name: string): Promise<void> {
  const pid = Number(await readFile(join(root, 'run', `${name}.pid`), 'utf8').catch(() => ''));
  const alive = (): boolean => existsSync(`/proc/${pid}/cmdline`) && hasProgram(pid);
  if (!(pid > 0) || !(await isCeph(pid))) return;
  process.kill(pid, 'SIGTERM');
  const force = setTimeout(() => {
    process.kill(pid, 'SIGKILL');
  }, 8000);
  await until(() => Promise.resolve(!alive()));
  clearTimeout(force);
}

/** A daemon that ended may stay as a zombie where nobody reaps it; it has no program any more. */
function hasProgram(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}

const isCeph = async (pid: number): Promise<boolean> =>
  /ceph-mon|ceph-osd|radosgw/.test(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));

async function until(look: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error('radosgw took too long');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

const configuration = (
  root: string,
  { fsid, s3, mon }: { readonly fsid: string; readonly s3: number; readonly mon: number },
): string => `[global]
fsid = ${fsid}
mon_host = v2:127.0.0.1:${mon}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
keyring = ${root}/keyring
run_dir = ${root}/run
pid_file = ${root}/run/$name.pid
admin_socket = ${root}/run/$name.asok
log_file = ${root}/log/$name.log
mon_cluster_log_file = ${root}/log/cluster.log
crash_dir = ${root}/log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
[mon]
mon_data = ${root}/mon
mon_data_avail_warn = 1
mon_data_avail_crit = 1
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
[osd]
osd_data = ${root}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:${s3}
rgw_data = ${root}/run
rgw_thread_pool_size = 32
`;
