import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, isAbsolute, resolve } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { parseFolderTemplate } from './delivery/folder-template.ts';
import { NumberPlan } from './siprec/number-plan.ts';
import { PROFILE_NAMES } from './siprec/vendors/choose.ts';

/** The configuration cannot be used. `message` names every fault with its place. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: 'NOT_READABLE' | 'NOT_YAML' | 'INVALID';

  constructor(code: 'NOT_READABLE' | 'NOT_YAML' | 'INVALID', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'not a name (small letters, digits, dashes)' });
const port = z.int().min(1).max(65535);

const network = z.string().refine(isNetwork, { error: 'not a network (address or address/prefix)' });

const listenUrl = z.string().refine(isListenUrl, { error: 'not udp://, tcp:// or tls://address:port' });

const Digest = z.strictObject({
  realm: z
    .string()
    .regex(/^[\x20-\x7e]{1,100}$/, { error: 'not 1 to 100 ASCII characters' })
    .default('sealtape'),
  algorithm: z.enum(['MD5', 'SHA-256']).default('MD5'),
  users: z
    .array(
      z.strictObject({
        // RFC 7616 §3.4: a colon would end the name inside the hash.
        name: z.string().regex(/^[^:]{1,100}$/, { error: 'empty, too long, or with a colon' }),
        password: z.string().min(1),
      }),
    )
    .min(1),
});

const Trunk = z.strictObject({
  name,
  from: z.array(network).min(1),
  mode: z.enum(['compat', 'strict']).default('compat'),
  profile: z.enum(PROFILE_NAMES, { error: `not one of ${PROFILE_NAMES.join(', ')}` }).optional(),
  ownNumbers: z
    .array(
      z.string().refine(isNumberPattern, {
        error: 'not a number, a beginning such as +4989555* or a range such as 10-99',
      }),
    )
    .min(1)
    .optional(),
  srcTimeZone: z
    .string()
    .refine(isTimeZone, { error: 'not a time zone such as UTC or Europe/Berlin' })
    .optional(),
  digest: Digest.optional(),
  tls: z
    .strictObject({
      required: z.boolean().optional(),
      clientCa: z.literal('required').optional(),
      fingerprints: z
        .array(
          z.string().regex(/^(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}$/i, { error: 'not a SHA-256 fingerprint' }),
        )
        .min(1)
        .optional(),
      names: z.array(z.string().min(1)).min(1).optional(),
    })
    .optional(),
});

const SipTls = z.strictObject({
  certificate: z.string().min(1),
  key: z.string().min(1),
  clientCa: z.string().min(1).optional(),
  minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2'),
});

/** What one address may send the built-in SIP server; what belongs to running calls never counts. */
const SipLimits = z.strictObject({
  messagesPerSecond: z.int().min(10).default(5000),
  connectionsPerSecond: z.int().min(1).default(500),
  connectionsPerAddress: z.int().min(1).default(2000),
});

const Sip = z
  .strictObject({
    listen: z.array(listenUrl).min(1).optional(),
    tls: SipTls.optional(),
    limits: SipLimits.prefault({}),
    drachtio: z.strictObject({ host: z.string().min(1), port, secret: z.string().min(1) }).optional(),
  })
  .refine((sip) => sip.listen === undefined || sip.drachtio === undefined, {
    error: 'listen and drachtio exclude each other',
  })
  .refine((sip) => sip.tls === undefined || sip.drachtio === undefined, {
    error: 'a drachtio-server has its own certificates; tls goes with listen',
    path: ['tls'],
  })
  .refine((sip) => sip.tls !== undefined || !(sip.listen ?? []).some((url) => url.startsWith('tls:')), {
    error: 'a tls:// address needs tls with certificate and key',
    path: ['tls'],
  })
  .transform(({ listen, tls, limits, drachtio }) => ({
    listen: drachtio === undefined ? (listen ?? ['udp://0.0.0.0:5060', 'tcp://0.0.0.0:5060']) : [],
    tls,
    limits,
    drachtio,
  }));

const Media = z.strictObject({
  ports: z
    .string()
    .refine(isPortRange, { error: 'not a range of at least two ports such as "20000-29999"' })
    .default('20000-29999'),
  address: z.union([z.ipv4(), z.ipv6()], { error: 'not an address' }).optional(),
  threads: z.int().min(1).max(64).default(1),
  receiver: z.enum(['auto', 'batch', 'dgram']).default('auto'),
});

const Database = z
  .strictObject({
    client: z.enum(['sqlite', 'pg']).default('sqlite'),
    connection: z.union([z.string().min(1), z.record(z.string(), z.unknown())]).optional(),
  })
  .refine((database) => database.client === 'sqlite' || database.connection !== undefined, {
    error: 'client pg needs a connection',
    path: ['connection'],
  })
  .refine((database) => database.client === 'pg' || database.connection === undefined, {
    error: 'goes with client: pg only',
    path: ['connection'],
  });

const PathDestination = z.strictObject({
  name,
  kind: z.literal('path'),
  root: z.string().min(1),
  folder: z
    .string()
    .default('{yyyy}/{MM}/{dd}')
    .superRefine((template, context) => {
      try {
        parseFolderTemplate(template, 'UTC');
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
      }
    }),
});

const schema = z.strictObject({
  dataDir: z.string().min(1).default('./data'),
  installation: name.default('local'),
  domain: z
    .string()
    .regex(/^[a-z0-9.-]+$/, { error: 'not a domain name' })
    .default('localhost'),
  node: name.default('rec01'),
  sip: Sip.prefault({}),
  trunks: z.array(Trunk).default([{ name: 'loopback', from: ['127.0.0.0/8', '::1/128'], mode: 'compat' }]),
  watch: z
    .strictObject({
      askSeconds: z.int().min(30).max(86_400).default(300),
      lostSeconds: z.int().min(10).max(86_400).default(60),
    })
    .prefault({}),
  media: Media.prefault({}),
  web: z
    .strictObject({
      listen: z.string().refine(isHostPort, { error: 'not address:port' }).default('127.0.0.1:8080'),
    })
    .prefault({}),
  redis: z
    .strictObject({ url: z.url({ protocol: /^rediss?$/, error: 'not a redis:// address' }).optional() })
    .prefault({}),
  database: Database.prefault({}),
  timeZone: z
    .string()
    .refine(isTimeZone, { error: 'not a time zone such as UTC or Europe/Berlin' })
    .default('UTC'),
  destinations: z.array(PathDestination).optional(),
  evidence: z.strictObject({ checkpointSeconds: z.int().min(1).max(300).default(300) }).prefault({}),
  spool: z.strictObject({ minFreeMegabytes: z.int().min(0).default(500) }).prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
});

type Parsed = z.infer<typeof schema>;
export interface DestinationConfig extends z.infer<typeof PathDestination> {
  /**
   * The root was given relative to our own folder, so it is ours to make. An absolute one may be a mount point: made by us, it would hide that
   * nothing is mounted there.
   */
  readonly makeRoot: boolean;
}
export type Config = Readonly<Omit<Parsed, 'destinations'> & { destinations: readonly DestinationConfig[] }>;

/**
 * Reads and checks a configuration file; without one the defaults hold. Relative paths are taken from the file's folder, or from
 * `base` without a file.
 *
 * @throws ConfigError naming every fault with its path in the file.
 */
export function loadConfig(file: string | undefined, base: string): Config {
  const raw = file === undefined ? {} : readYaml(file);
  return parseConfig(raw, {
    source: file ?? 'defaults',
    folder: file === undefined ? base : dirname(resolve(file)),
  });
}

/** Checks an already parsed configuration; see `loadConfig`. */
export function parseConfig(
  raw: unknown,
  from: { readonly source: string; readonly folder: string },
): Config {
  const result = schema.safeParse(raw ?? {});
  if (!result.success) throw new ConfigError('INVALID', faults(from.source, result.error.issues));
  const parsed = result.data;
  const dataDir = resolve(from.folder, parsed.dataDir);
  const archive: DestinationConfig = {
    name: 'archive',
    kind: 'path',
    root: resolve(dataDir, 'archive'),
    folder: '{yyyy}/{MM}/{dd}',
    makeRoot: true,
  };
  const destinations = parsed.destinations?.map((destination) => ({
    ...destination,
    root: resolve(from.folder, destination.root),
    makeRoot: !isAbsolute(destination.root),
  })) ?? [archive];
  assertUnique(from.source, 'trunks', parsed.trunks);
  assertClientCa(from.source, parsed);
  assertUnique(from.source, 'destinations', destinations);
  const sip = { ...parsed.sip, tls: parsed.sip.tls && inFolder(parsed.sip.tls, from.folder) };
  return Object.freeze({ ...parsed, sip, dataDir, destinations });
}

function readYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const why = existsSync(file) ? (error as Error).message : 'there is no such file';
    throw new ConfigError('NOT_READABLE', `${file}: ${why}`, { cause: error });
  }
  try {
    return parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new ConfigError('NOT_YAML', `${file}: ${error.message}`, { cause: error });
  }
}

function faults(source: string, issues: readonly z.core.$ZodIssue[]): string {
  const lines = issues.map((issue) => {
    const place = issue.path
      .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
      .join('');
    return `  ${place === '' ? 'file' : place.replace(/^\./, '')}: ${issue.message}`;
  });
  return [`${source} is not a valid configuration:`, ...lines].join('\n');
}

function assertUnique(source: string, key: string, items: readonly { readonly name: string }[]): void {
  const names = items.map((item) => item.name);
  const twice = names.find((each, index) => names.indexOf(each) !== index);
  if (twice !== undefined)
    throw new ConfigError(
      'INVALID',
      `${source} is not a valid configuration:\n  ${key}: the name ${twice} is used twice`,
    );
}

/** Whoever wants to check certificates needs to say whose, and the server that sees them. */
function assertClientCa(source: string, { sip, trunks }: Parsed): void {
  const lacking = trunks.find(
    ({ tls }) =>
      (sip.tls?.clientCa === undefined && (tls?.clientCa ?? tls?.names) !== undefined) ||
      (sip.tls === undefined && tls?.fingerprints !== undefined),
  );
  if (lacking !== undefined)
    throw new ConfigError(
      'INVALID',
      `${source} is not a valid configuration:\n  trunks: ${lacking.name} checks client certificates, which needs sip.tls` +
        (lacking.tls?.fingerprints === undefined ? ' with clientCa' : ''),
    );
}

function inFolder(tls: z.infer<typeof SipTls>, folder: string): z.infer<typeof SipTls> {
  const { certificate, key, clientCa } = tls;
  return {
    ...tls,
    certificate: resolve(folder, certificate),
    key: resolve(folder, key),
    clientCa: clientCa === undefined ? undefined : resolve(folder, clientCa),
  };
}

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

function isListenUrl(text: string): boolean {
  const match = /^(?:udp|tcp|tls):\/\/(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return false;
  const [, six, four, digits] = match;
  return isIP(six ?? four ?? '') === (six === undefined ? 4 : 6) && Number(digits) <= 65535;
}

function isHostPort(text: string): boolean {
  return isListenUrl(`tcp://${text}`);
}

function isPortRange(text: string): boolean {
  const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  return Number(first) >= 1024 && Number(last) <= 65535 && Number(last) > Number(first);
}

function isNumberPattern(text: string): boolean {
  try {
    // It throws for what it cannot read.
    new NumberPlan([text]).includes('');
    return true;
  } catch {
    return false;
  }
}

function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
