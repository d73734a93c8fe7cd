import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { ConfigError } from '../config.ts';
import { deletionAccountOf, type DestinationConfig } from '../config/destination.ts';
import { withDeletionAccount } from '../delivery/deletion-account.ts';
import type { DrivePlace } from '../delivery/graph-drive.ts';
import type { OneDriveOptions } from '../delivery/onedrive.ts';
import { openPathChild } from '../delivery/path-child.ts';
import type { SftpOptions } from '../delivery/sftp.ts';
import type { SmbOptions } from '../delivery/smb.ts';
import type { Destination } from '../jobs/destination.ts';

type SmbConfig = Extract<DestinationConfig, { kind: 'smb' }>;
type SftpConfig = Extract<DestinationConfig, { kind: 'sftp' }>;
type OneDriveConfig = Extract<DestinationConfig, { kind: 'onedrive' }>;

/**
 * Opens one destination as configured, with its account for deletions where it has one; see `openAccount`.
 */
export async function openDestination(config: DestinationConfig, memory?: string): Promise<Destination> {
  const deletion = deletionAccountOf(config);
  if (deletion === undefined) return openAccount(config, memory);
  // A server of files has to be cleared of unfinished ones as well.
  if (config.kind === 'smb' && deletion.kind === 'smb') return openSmb(config, deletion);
  if (config.kind === 'sftp' && deletion.kind === 'sftp') return openSftp(config, deletion);
  return withDeletionAccount(await openAccount(config, memory), await openAccount(deletion));
}

/**
 * Opens one destination for one account; nothing is connected yet. In `memory`, a folder of ours, uploads under way are remembered over a
 * restart. Rejects with ConfigError NOT_READABLE when the file or the variable that holds
 * one of its secrets cannot be read. The library of a kind is loaded by the first destination of that kind: together they take longer to load
 * than everything else, and most recorders have one kind of archive.
 */
export async function openAccount(config: DestinationConfig, memory?: string): Promise<Destination> {
  const { name, timeoutSeconds, parallel: sessions } = config;
  switch (config.kind) {
    case 'path':
      return openPathChild({ name, root: config.root, marker: config.marker, timeoutSeconds });
    case 'smb':
      return openSmb(config);
    case 'sftp':
      return openSftp(config);
    case 's3':
      return (await import('../delivery/s3.ts')).openS3Destination({
        ...config,
        pathStyle: config.pathStyle ?? config.endpoint !== undefined,
        secretAccessKey: secret(config, 'secretAccessKey') ?? '',
        sessions,
        timeoutSeconds,
      });
    case 'onedrive':
      return (await import('../delivery/onedrive.ts')).openOneDriveDestination({
        ...config,
        credential: credentialOf(config),
        place: drivePlaceOf(config),
        sessionsFile: memory === undefined ? undefined : join(memory, `${name}.uploads.json`),
        sessions,
      });
    default:
      return config satisfies never;
  }
}

async function openSmb(config: SmbConfig, deletion?: SmbConfig): Promise<Destination> {
  const { openSmbDestination } = await import('../delivery/smb.ts');
  return openSmbDestination(smbOptions(config), deletion && smbOptions(deletion));
}

async function openSftp(config: SftpConfig, deletion?: SftpConfig): Promise<Destination> {
  const { openSftpDestination } = await import('../delivery/sftp.ts');
  return openSftpDestination(sftpOptions(config), deletion && sftpOptions(deletion));
}

const smbOptions = (config: SmbConfig): SmbOptions => ({
  ...config,
  service: `//${config.server}/${config.share}`,
  password: config.kerberosCache === undefined ? secret(config, 'password') : undefined,
  sessions: config.parallel,
});

const sftpOptions = (config: SftpConfig): SftpOptions => ({
  ...config,
  password: secret(config, 'password'),
  passphrase: secret(config, 'passphrase'),
  privateKey: readIfGiven(config.name, config.privateKeyFile),
  sessions: config.parallel,
});

/** Where it is, for people. */
export function placeOf(config: DestinationConfig): string {
  switch (config.kind) {
    case 'path':
      return config.root;
    case 'smb':
      return [`//${config.server}/${config.share}`, config.root].filter((part) => part !== '').join('/');
    case 'sftp':
      return `sftp://${config.host}${config.port === 22 ? '' : `:${config.port}`}/${config.root.replace(/^\//, '')}`;
    case 's3':
      return `s3://${config.bucket}/${config.root}`;
    case 'onedrive': {
      const { site, library, driveUser, drive, root } = config;
      const where = site === undefined ? [driveUser ?? drive] : [site, library];
      return [...where, root].filter((part) => part !== undefined && part !== '').join('/');
    }
    default:
      return config satisfies never;
  }
}

function credentialOf(config: OneDriveConfig): OneDriveOptions['credential'] {
  const certificate = readIfGiven(config.name, config.certificateFile);
  if (certificate === undefined) return { secret: secret(config, 'clientSecret') ?? '' };
  return {
    certificate,
    privateKey: readIfGiven(config.name, config.privateKeyFile) ?? '',
    passphrase: secret(config, 'passphrase'),
  };
}

function drivePlaceOf({ site, library, driveUser, drive }: OneDriveConfig): DrivePlace {
  if (site !== undefined) return { site, library };
  return driveUser === undefined ? { drive: drive ?? '' } : { user: driveUser };
}

function secret(config: DestinationConfig, key: string): string | undefined {
  const {
    [key]: given,
    [`${key}File`]: file,
    [`${key}Env`]: variable,
  } = config as unknown as Readonly<Record<string, string | undefined>>;
  if (variable === undefined) return given ?? readIfGiven(config.name, file)?.replace(/\r?\n$/, '');
  const value = env[variable];
  if (value === undefined || value === '')
    throw new ConfigError('NOT_READABLE', `destination ${config.name}: the variable ${variable} is not set`);
  return value;
}

function readIfGiven(name: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError('NOT_READABLE', `destination ${name}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
