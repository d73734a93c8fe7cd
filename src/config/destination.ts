import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { parseFolderTemplate } from '../delivery/folder-template.ts';
import { name, port, timeZone } from './values.ts';

const folder = z
  .string()
  .default('{yyyy}/{MM}/{dd}')
  .superRefine((template, context) => {
    try {
      parseFolderTemplate(template, 'UTC');
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  });

/** What every kind has. */
const common = {
  name,
  folder,
  timeZone: timeZone.optional(),
  parallel: z.int().min(1).max(16).default(4),
  timeoutSeconds: z.int().min(5).max(600).default(30),
};

const text = z.string().min(1);
const file = z.string().min(1);
/** Folder on a server, with `/`; not made by us. */
const remoteRoot = z
  .string()
  .regex(/^[^"\p{C}\\]*$/u, { error: 'has a character that folders cannot have' })
  .default('');

const secrets = <K extends string>(key: K) =>
  ({ [key]: text.optional(), [`${key}File`]: file.optional(), [`${key}Env`]: text.optional() }) as Record<
    K | `${K}File` | `${K}Env`,
    z.ZodOptional<z.ZodString>
  >;

const Path = z.strictObject({
  ...common,
  kind: z.literal('path'),
  root: z.string().min(1),
  marker: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, { error: 'not a file name' })
    .optional(),
});

/** Keys that say who we are at a server; `deletion` may name somebody else, with all of them anew. */
const SMB_LOGIN = ['password', 'passwordFile', 'passwordEnv', 'kerberosCache'];
const SFTP_LOGIN = ['password', 'passwordFile', 'passwordEnv', 'privateKeyFile'];
const S3_LOGIN = ['secretAccessKey', 'secretAccessKeyFile', 'secretAccessKeyEnv'];
const ONEDRIVE_LOGIN = ['clientSecret', 'clientSecretFile', 'clientSecretEnv', 'certificateFile'];

const smbLogin = {
  domain: text.optional(),
  user: z
    .string()
    .regex(/^[^%\\/\p{C}]+$/u, { error: 'the user alone, its domain stands in domain' })
    .optional(),
  ...secrets('password'),
  kerberosCache: text.optional(),
};
const sftpLogin = {
  user: text,
  ...secrets('password'),
  privateKeyFile: file.optional(),
  ...secrets('passphrase'),
};
const s3Login = { accessKeyId: text, ...secrets('secretAccessKey') };
const oneDriveLogin = {
  clientId: text,
  ...secrets('clientSecret'),
  certificateFile: file.optional(),
  privateKeyFile: file.optional(),
  ...secrets('passphrase'),
};

type Context = Parameters<typeof oneOf>[2];
const checkSmbLogin = (value: z.infer<z.ZodObject<typeof smbLogin>>, context: Context): void => {
  oneOf(value, SMB_LOGIN, context);
  if (value.kerberosCache === undefined && value.user === undefined)
    context.addIssue({ code: 'custom', path: ['user'], message: 'is needed with a password' });
};
const checkOneDriveLogin = (value: z.infer<z.ZodObject<typeof oneDriveLogin>>, context: Context): void => {
  oneOf(value, ONEDRIVE_LOGIN, context);
  if ((value.certificateFile === undefined) !== (value.privateKeyFile === undefined))
    context.addIssue({ code: 'custom', message: 'certificateFile and privateKeyFile belong together' });
};

const Smb = z
  .strictObject({
    ...common,
    kind: z.literal('smb'),
    server: z.string().regex(/^[A-Za-z0-9._:-]+$/, { error: 'not a host name or address' }),
    share: z.string().regex(/^[^"/\\\p{C}]{1,80}$/u, { error: 'not the name of a share' }),
    port: port.optional(),
    root: remoteRoot,
    ...smbLogin,
    deletion: z.strictObject(smbLogin).superRefine(checkSmbLogin).optional(),
    encryption: z.enum(['required', 'off']).default('required'),
  })
  .superRefine(checkSmbLogin);

const Sftp = z
  .strictObject({
    ...common,
    kind: z.literal('sftp'),
    host: text,
    port: port.default(22),
    ...sftpLogin,
    deletion: z
      .strictObject(sftpLogin)
      .superRefine((value, context) => {
        oneOf(value, SFTP_LOGIN, context);
      })
      .optional(),
    fingerprints: z
      .array(
        z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/, { error: 'not SHA256:… as ssh-keygen -l prints it' }),
      )
      .min(1),
    root: remoteRoot,
  })
  .superRefine((value, context) => {
    oneOf(value, SFTP_LOGIN, context);
  });

const S3 = z
  .strictObject({
    ...common,
    kind: z.literal('s3'),
    endpoint: z.url({ protocol: /^https?$/, error: 'not an http(s):// address' }).optional(),
    region: text.default('us-east-1'),
    bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { error: 'not the name of a bucket' }),
    root: remoteRoot,
    pathStyle: z.boolean().optional(),
    ...s3Login,
    deletion: z
      .strictObject(s3Login)
      .superRefine((value, context) => {
        oneOf(value, S3_LOGIN, context);
      })
      .optional(),
    ca: file.optional(),
    objectLock: z.enum(['auto', 'required']).default('auto'),
    lockMode: z.enum(['governance', 'compliance']).default('governance'),
  })
  .superRefine((value, context) => {
    oneOf(value, S3_LOGIN, context);
  });

/** Address of a service, without anything behind its host: national clouds have their own. */
const service = (address: string) =>
  z
    .string()
    .regex(/^https:\/\/[A-Za-z0-9.-]+(?::\d{1,5})?$/, { error: 'not https://host, without a path' })
    .default(address);

const OneDrive = z
  .strictObject({
    ...common,
    kind: z.literal('onedrive'),
    tenant: z.string().regex(/^[A-Za-z0-9.-]+$/, { error: 'not the id or domain of a tenant' }),
    ...oneDriveLogin,
    deletion: z.strictObject(oneDriveLogin).superRefine(checkOneDriveLogin).optional(),
    site: z
      .string()
      .regex(/^[^:/?#\s]+(?::\/[^?#]+)?$/, { error: 'not host:/sites/name or the id of a site' })
      .optional(),
    library: text.optional(),
    driveUser: text.optional(),
    drive: text.optional(),
    root: remoteRoot,
    retentionLabel: text.optional(),
    authority: service('https://login.microsoftonline.com'),
    graph: service('https://graph.microsoft.com'),
    ca: file.optional(),
  })
  .superRefine((value, context) => {
    checkOneDriveLogin(value, context);
    oneOf(value, ['site', 'driveUser', 'drive'], context);
    if (value.library !== undefined && value.site === undefined)
      context.addIssue({ code: 'custom', path: ['library'], message: 'is one of a site' });
  });

export const Destination = z.discriminatedUnion('kind', [Path, Smb, Sftp, S3, OneDrive]);

type Parsed = z.infer<typeof Destination>;

export type DestinationConfig =
  | (Extract<Parsed, { kind: 'path' }> & {
      /**
       * The root was given relative to our own folder, so it is ours to make. An absolute one may be a mount point: made by us, it would
       * hide that nothing is mounted there.
       */
      readonly makeRoot: boolean;
    })
  | Exclude<Parsed, { kind: 'path' }>;

/** A destination whose paths of this machine are absolute, taken from the configuration file's folder. */
export function resolveDestination(destination: Parsed, base: string): DestinationConfig {
  const found = filesFrom(base, destination) as Parsed;
  return found.kind === 'path'
    ? { ...found, root: resolve(base, found.root), makeRoot: !isAbsolute(found.root) }
    : found;
}

const filesFrom = (base: string, keys: object): object =>
  Object.fromEntries(
    Object.entries(keys).map(([key, value]: [string, unknown]) => {
      if (typeof value === 'string' && (key.endsWith('File') || key === 'ca'))
        return [key, resolve(base, value)];
      return [key, key === 'deletion' && value !== undefined ? filesFrom(base, value as object) : value];
    }),
  );

/**
 * The same destination as the account for deletions sees it: nothing of who the everyday one is remains. Undefined when there is no account
 * for them alone.
 */
export function deletionAccountOf(config: DestinationConfig): DestinationConfig | undefined {
  if (!('deletion' in config) || config.deletion === undefined) return undefined;
  const { deletion, ...rest } = config;
  const kept = Object.entries(rest).filter(([key]) => !IDENTITY.has(key));
  return { ...Object.fromEntries(kept), ...deletion, parallel: 1 } as DestinationConfig;
}

const IDENTITY: ReadonlySet<string> = new Set(
  [smbLogin, sftpLogin, s3Login, oneDriveLogin].flatMap((login) => Object.keys(login)),
);

/** Exactly one of the keys must be there. */
function oneOf(
  value: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  context: { addIssue: (issue: { code: 'custom'; path?: string[]; message: string }) => void },
): void {
  if (keys.filter((key) => value[key] !== undefined).length !== 1)
    context.addIssue({ code: 'custom', message: `exactly one of ${keys.join(', ')} is needed` });
}
