import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { Announcements } from './config/announcements.ts';
import { Database } from './config/database.ts';
import { Destination, resolveDestination, type DestinationConfig } from './config/destination.ts';
import { Mail } from './config/mail.ts';
import { Evidence } from './config/evidence.ts';
import { Media } from './config/media.ts';
import { Retention } from './config/retention.ts';
import { readRuleLists } from './config/rule-lists.ts';
import { Sip, type SipTls } from './config/sip.ts';
import { Stop } from './config/stop.ts';
import { Traces } from './config/traces.ts';
import { Trunk } from './config/trunk.ts';
import { RuleSet, unknownNames, type KnownNames } from './rules/rule-set.ts';
import { fileName, hostPort, name, timeZone } from './config/values.ts';
import { USUAL_NAME } from './evidence/recording-name.ts';
import { KEEP, retentionProfiles } from './rules/retention.ts';

/** The configuration cannot be used. `message` names every fault with its place. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: 'NOT_READABLE' | 'NOT_YAML' | 'INVALID';

  constructor(code: 'NOT_READABLE' | 'NOT_YAML' | 'INVALID', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const schema = z.strictObject({
  dataDir: z.string().min(1).default('./data'),
  installation: name.default('local'),
  domain: z
    .string()
    .regex(/^[a-z0-9.-]+$/, { error: 'not a domain name' })
    .default('localhost'),
  node: name.default('rec01'),
  sip: Sip.prefault({}),
  trunks: z.array(Trunk).prefault([{ name: 'loopback', from: ['127.0.0.0/8', '::1/128'] }]),
  watch: z
    .strictObject({
      askSeconds: z.int().min(30).max(86_400).default(300),
      lostSeconds: z.int().min(10).max(86_400).default(60),
    })
    .prefault({}),
  media: Media.prefault({}),
  web: z
    .strictObject({
      listen: hostPort.default('127.0.0.1:8080'),
    })
    .prefault({}),
  redis: z
    .strictObject({ url: z.url({ protocol: /^rediss?$/, error: 'not a redis:// address' }).optional() })
    .prefault({}),
  database: Database.prefault({}),
  timeZone: timeZone.default('UTC'),
  fileName: fileName.default(USUAL_NAME),
  rules: RuleSet.optional(),
  destinations: z.array(Destination).optional(),
  evidence: Evidence.prefault({}),
  spool: z
    .strictObject({
      minFreeMegabytes: z.int().min(0).default(500),
      whenFull: z.enum(['refuse', 'record']).default('refuse'),
      keepDeliveredHours: z.number().min(0).max(8784).default(0),
    })
    .prefault({}),
  retention: Retention.prefault({}),
  stop: Stop.prefault({}),
  announcements: Announcements.prefault({}),
  mail: Mail.optional(),
  traces: Traces.prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
});

type Parsed = z.infer<typeof schema>;
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
  const result = schema.safeParse(withRuleLists(raw ?? {}, from));
  if (!result.success) throw new ConfigError('INVALID', faults(from.source, result.error.issues));
  const parsed = result.data;
  const dataDir = resolve(from.folder, parsed.dataDir);
  const archive = { name: 'archive', kind: 'path', root: resolve(dataDir, 'archive') };
  const destinations =
    parsed.destinations?.map((destination) => resolveDestination(destination, from.folder)) ??
    ([{ ...Destination.parse(archive), makeRoot: true }] as DestinationConfig[]);
  assertUnique(from.source, 'trunks', parsed.trunks);
  assertClientCa(from.source, parsed);
  assertUnique(from.source, 'destinations', destinations);
  assertUnique(from.source, 'evidence.timestamps', parsed.evidence.timestamps);
  assertUnique(from.source, 'evidence.peers', parsed.evidence.peers);
  assertProfile(from.source, parsed);
  assertRuleNames(from.source, parsed.rules, namesForRules({ destinations, retention: parsed.retention }));
  const sip = { ...parsed.sip, tls: parsed.sip.tls && inFolder(parsed.sip.tls, from.folder) };
  const mail = parsed.mail && filesOfMail(parsed.mail, from.folder);
  const evidence = evidenceIn(parsed.evidence, from.folder);
  return Object.freeze({ ...parsed, sip, mail, evidence, dataDir, destinations });
}

function evidenceIn(evidence: Parsed['evidence'], folder: string): Parsed['evidence'] {
  const { keys, timestamps, peering, peers } = evidence;
  const { tls, tokenFile } = peering;
  const at = (file: string): string => resolve(folder, file);
  return {
    ...evidence,
    keys: keysIn(keys, folder),
    timestamps: timestamps.map((each) => ({ ...each, ca: at(each.ca) })),
    peering: {
      ...peering,
      ...(tls === undefined ? {} : { tls: { certificate: at(tls.certificate), key: at(tls.key) } }),
      ...(tokenFile === undefined ? {} : { tokenFile: at(tokenFile) }),
    },
    peers: peers.map((each) => (each.ca === undefined ? each : { ...each, ca: at(each.ca) })),
  };
}

/** `credential:NAME` is a name, anything else a file. */
function keysIn(keys: Parsed['evidence']['keys'], folder: string): Parsed['evidence']['keys'] {
  const { passphraseFile: file } = keys;
  return file === undefined || file.startsWith('credential:')
    ? keys
    : { ...keys, passphraseFile: resolve(folder, file) };
}

function withRuleLists(raw: unknown, from: { readonly source: string; readonly folder: string }): unknown {
  if (typeof raw !== 'object' || raw === null || !('rules' in raw)) return raw;
  try {
    return { ...raw, rules: readRuleLists(raw.rules, from.folder) };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const kind = code === undefined ? 'INVALID' : 'NOT_READABLE';
    throw new ConfigError(kind, `${from.source}: rules: ${message}`, { cause });
  }
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

function assertProfile(source: string, { retention }: Parsed): void {
  const names = [KEEP, ...retentionProfiles(retention.profiles).keys()];
  if (!names.includes(retention.default))
    throw new ConfigError(
      'INVALID',
      `${source} is not a valid configuration:\n  retention.default: not one of ${names.join(', ')}`,
    );
}

/** What rules may name: the destinations and retention profiles there are. */
export const namesForRules = ({
  destinations,
  retention,
}: Pick<Config, 'destinations' | 'retention'>): KnownNames => ({
  destinations: destinations.map((each) => each.name),
  profiles: [KEEP, ...retentionProfiles(retention.profiles).keys()],
});

function assertRuleNames(source: string, rules: RuleSet | undefined, known: KnownNames): void {
  if (rules === undefined) return;
  const [...unknown] = unknownNames(rules, known);
  if (unknown.length === 0) return;
  const lines = unknown.map(
    ({ path: [, at, key], message }) => `  rules.rules[${String(at)}].${String(key)}: ${message}`,
  );
  throw new ConfigError('INVALID', [`${source} is not a valid configuration:`, ...lines].join('\n'));
}

function filesOfMail(mail: z.infer<typeof Mail>, folder: string): z.infer<typeof Mail> {
  const { passwordFile, ca } = mail;
  return {
    ...mail,
    passwordFile: passwordFile === undefined ? undefined : resolve(folder, passwordFile),
    ca: ca === undefined ? undefined : resolve(folder, ca),
  };
}
