import { readFileSync } from 'node:fs';
import { env } from 'node:process';
import { ConfigError } from '../config.ts';
import type { DestinationConfig } from '../config/destination.ts';
import { openPathDestination } from '../delivery/path.ts';
import { openS3Destination } from '../delivery/s3.ts';
import { openSftpDestination } from '../delivery/sftp.ts';
import { openSmbDestination } from '../delivery/smb.ts';
import type { Destination } from '../jobs/destination.ts';

/**
 * Opens one destination as configured; nothing is connected yet. Throws ConfigError NOT_READABLE when the file or the variable that holds
 * one of its secrets cannot be read.
 */
export function openDestination(config: DestinationConfig): Destination {
  const { name, timeoutSeconds, parallel: sessions } = config;
  switch (config.kind) {
    case 'path':
      return openPathDestination({ name, root: config.root, marker: config.marker });
    case 'smb':
      return openSmbDestination({
        ...config,
        service: `//${config.server}/${config.share}`,
        password: config.kerberosCache === undefined ? secret(config, 'password') : undefined,
        sessions,
      });
    case 'sftp':
      return openSftpDestination({
        ...config,
        password: secret(config, 'password'),
        passphrase: secret(config, 'passphrase'),
        privateKey: readIfGiven(config.name, config.privateKeyFile),
        sessions,
      });
    case 's3':
      return openS3Destination({
        ...config,
        pathStyle: config.pathStyle ?? config.endpoint !== undefined,
        secretAccessKey: secret(config, 'secretAccessKey') ?? '',
        sessions,
        timeoutSeconds,
      });
    default:
      return config satisfies never;
  }
}

/** Where it is, for people. */
export function placeOf(config: DestinationConfig): string {
  switch (config.kind) {
    case 'path':
      return config.root;
    case 'smb':
      return `//${config.server}/${config.share}/${config.root}`;
    case 'sftp':
      return `sftp://${config.host}/${config.root.replace(/^\//, '')}`;
    case 's3':
      return `s3://${config.bucket}/${config.root}`;
    default:
      return config satisfies never;
  }
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
