import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { ConfigError } from '../config.ts';
import { deletionAccountOf, type DestinationConfig } from '../config/destination.ts';
import { withDeletionAccount } from '../delivery/deletion-account.ts';
import type { DrivePlace } from '../delivery/graph-drive.ts';
import { openOneDriveDestination } from '../delivery/onedrive.ts';
import { openPathChild } from '../delivery/path-child.ts';
import { openS3Destination } from '../delivery/s3.ts';
import { openSftpDestination, type SftpOptions } from '../delivery/sftp.ts';
import { openSmbDestination, type SmbOptions } from '../delivery/smb.ts';
import type { Destination } from '../jobs/destination.ts';

type SmbConfig = Extract<DestinationConfig, { kind: 'smb' }>;
type SftpConfig = Extract<DestinationConfig, { kind: 'sftp' }>;
type OneDriveConfig = Extract<DestinationConfig, { kind: 'onedrive' }>;

/**
 * Opens one destination as configured, with its account for deletions where it has one; see `openAccount`.
 */
export function openDestination(config: DestinationConfig, memory?: string): Destination {
  const deletion = deletionAccountOf(config);
  if (deletion === undefined) return openAccount(config, memory);
  // A server of files has to be cleared of unfinished ones as well.
  if (config.kind === 'smb' && deletion.kind === 'smb')
    return openSmbDestination(smbOptions(config), smbOptions(deletion));
  if (config.kind === 'sftp' && deletion.kind === 'sftp')
    return openSftpDestination(sftpOptions(config), sftpOptions(deletion));
  return withDeletionAccount(openAccount(config, memory), openAccount(deletion));
}

/**
 * Opens one destination for one account; nothing is connected yet. In `memory`, a folder of ours, uploads under way are remembered over a
 * restart. Throws ConfigError NOT_READABLE when the file or the variable that holds
 * one of its secrets cannot be read.
 */
export function openAccount(config: DestinationConfig, memory?: string): Destination {
  const { name, timeoutSeconds, parallel: sessions } = config;
  switch (config.kind) {
    case 'path':
      return openPathChild({ name, root: config.root, marker: config.marker, timeoutSeconds });
    case 'smb':
      return openSmbDestination(smbOptions(config));
    case 'sftp':
      return openSftpDestination(sftpOptions(config));
    case 's3':
      return openS3Destination({
        ...config,
        pathStyle: config.pathStyle ?? config.endpoint !== undefined,
        secretAccessKey: secret(config, 'secretAccessKey') ?? '',
        sessions,
        timeoutSeconds,
      });
    case 'onedrive':
      return openOneDriveDestination({
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

function credentialOf(config: OneDriveConfig): Parameters<typeof openOneDriveDestination>[0]['credential'] {
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
