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

const Smb = z
  .strictObject({
    ...common,
    kind: z.literal('smb'),
    server: z.string().regex(/^[A-Za-z0-9._:-]+$/, { error: 'not a host name or address' }),
    share: z.string().regex(/^[^"/\\\p{C}]{1,80}$/u, { error: 'not the name of a share' }),
    port: port.optional(),
    root: remoteRoot,
    domain: text.optional(),
    user: z
      .string()
      .regex(/^[^%\\/\p{C}]+$/u, { error: 'the user alone, its domain stands in domain' })
      .optional(),
    ...secrets('password'),
    kerberosCache: text.optional(),
    encryption: z.enum(['required', 'off']).default('required'),
  })
  .superRefine((value, context) => {
    oneOf(value, ['password', 'passwordFile', 'passwordEnv', 'kerberosCache'], context);
    if (value.kerberosCache === undefined && value.user === undefined)
      context.addIssue({ code: 'custom', path: ['user'], message: 'is needed with a password' });
  });

const Sftp = z
  .strictObject({
    ...common,
    kind: z.literal('sftp'),
    host: text,
    port: port.default(22),
    user: text,
    fingerprints: z
      .array(
        z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/, { error: 'not SHA256:… as ssh-keygen -l prints it' }),
      )
      .min(1),
    ...secrets('password'),
    privateKeyFile: file.optional(),
    ...secrets('passphrase'),
    root: remoteRoot,
  })
  .superRefine((value, context) => {
    oneOf(value, ['password', 'passwordFile', 'passwordEnv', 'privateKeyFile'], context);
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
    accessKeyId: text,
    ...secrets('secretAccessKey'),
    ca: file.optional(),
    objectLock: z.enum(['auto', 'required']).default('auto'),
    lockMode: z.enum(['governance', 'compliance']).default('governance'),
  })
  .superRefine((value, context) => {
    oneOf(value, ['secretAccessKey', 'secretAccessKeyFile', 'secretAccessKeyEnv'], context);
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
    clientId: text,
    ...secrets('clientSecret'),
    certificateFile: file.optional(),
    privateKeyFile: file.optional(),
    ...secrets('passphrase'),
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
    oneOf(value, ['clientSecret', 'clientSecretFile', 'clientSecretEnv', 'certificateFile'], context);
    oneOf(value, ['site', 'driveUser', 'drive'], context);
    if ((value.certificateFile === undefined) !== (value.privateKeyFile === undefined))
      context.addIssue({ code: 'custom', message: 'certificateFile and privateKeyFile belong together' });
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
  const entries = Object.entries(destination).map(([key, value]): [string, unknown] =>
    typeof value === 'string' && (key.endsWith('File') || key === 'ca')
      ? [key, resolve(base, value)]
      : [key, value],
  );
  const found = Object.fromEntries(entries) as Parsed;
  return found.kind === 'path'
    ? { ...found, root: resolve(base, found.root), makeRoot: !isAbsolute(found.root) }
    : found;
}

/** Exactly one of the keys must be there. */
function oneOf(
  value: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  context: { addIssue: (issue: { code: 'custom'; message: string }) => void },
): void {
  if (keys.filter((key) => value[key] !== undefined).length !== 1)
    context.addIssue({ code: 'custom', message: `exactly one of ${keys.join(', ')} is needed` });
}
