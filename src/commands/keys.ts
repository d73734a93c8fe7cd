import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig, type Config } from '../config.ts';
import { formatOrigin, slugOf } from '../evidence/origin.ts';
import { certificateFingerprint, readCertificate, spkiFingerprint } from '../evidence/signature.ts';
import { keysFolder, lostKeys, openNodeKeys } from '../service/keys.ts';
import { lockDataDir } from '../store/data-dir-lock.ts';
import { isThere } from '../store/key-store.ts';
import { readCurrentCertificate } from '../store/node-keys.ts';
import { answeredBy, openApiClient } from './api-client.ts';
import type { Command } from './command.ts';

type Say = (line: string) => void;

interface Order {
  readonly config: Config;
  readonly configFile: string | undefined;
  readonly file: string | undefined;
  readonly out: string | undefined;
  readonly passwordFile: string | undefined;
  readonly subject: string | undefined;
  readonly yes: boolean;
  readonly say: Say;
}

const ACTIONS: Readonly<Record<string, (order: Order) => Promise<number>>> = {
  show,
  roll,
  reset,
  csr,
  import: importFile,
  restore,
  export: exportKeys,
};

export const keys: Command = {
  usage:
    'keys [show | roll | csr [--subject NAME] [--out FILE] | import FILE [--password-file FILE] | export --out FILE --password-file FILE | restore FILE --password-file FILE | reset --yes] [--config FILE]',
  summary: 'the signing key: show, replace, have certified, keep a copy, give up when lost',
  run: (args, say, complain = say) =>
    answeredBy('keys', complain, () => {
      const { values, positionals } = parseArgs({
        args: [...args],
        options: {
          config: { type: 'string' },
          out: { type: 'string' },
          'password-file': { type: 'string' },
          subject: { type: 'string' },
          yes: { type: 'boolean' },
        },
        allowPositionals: true,
      });
      const [what = 'show', file] = positionals;
      const action = Object.hasOwn(ACTIONS, what) ? ACTIONS[what] : undefined;
      if (action === undefined) throw new Error('show, roll, csr, import, export, restore or reset?');
      const { config: configFile, out, subject, yes = false } = values;
      const config = loadConfig(configFile, '.');
      return action({
        ...{ config, configFile, file, out, subject, yes, say },
        passwordFile: values['password-file'],
      });
    }),
};

/** Reads the certificate alone: works without the passphrase, whether the recorder runs or not. */
async function show({ config, say }: Order): Promise<number> {
  const pem = await readCurrentCertificate(keysFolder(config));
  if (pem === undefined) {
    say('There is no signing key yet; it is made at the first start.');
    return 1;
  }
  const certificate = readCertificate(pem);
  const { modulusLength } = certificate.publicKey.asymmetricKeyDetails ?? {};
  say(`subject      ${inLine(certificate.subject)}`);
  say(`issuer       ${certificate.subject === certificate.issuer ? 'itself' : inLine(certificate.issuer)}`);
  say(`fingerprint  SHA-256 ${(certificateFingerprint(pem).match(/../g) ?? []).join(':').toUpperCase()}`);
  say(`key          sha256:${spkiFingerprint(certificate.publicKey)}`);
  say(`algorithm    RSA ${modulusLength ?? '?'}, signs with PKCS#1 v1.5 and SHA-256`);
  say(`valid        ${dayOf(certificate.validFrom)} to ${dayOf(certificate.validTo)}`);
  say(`signs        ${await logOf(config)}`);
  if (await isThere(join(keysFolder(config), 'next')))
    say('A new key waits: it takes over at the next start.');
  return 0;
}

/** The newest epoch of which the recorder has a copy. */
async function logOf({ dataDir, domain, installation, node }: Config): Promise<string> {
  for (let epoch = 1; ; epoch++) {
    const following = formatOrigin({ domain, installation, node, epoch: epoch + 1 });
    if (await isThere(join(dataDir, 'evidence', slugOf(following)))) continue;
    return formatOrigin({ domain, installation, node, epoch });
  }
}

async function roll(order: Order): Promise<number> {
  return rollTo(order, undefined);
}

/** Through the recorder that runs; while none does the key is prepared, and the next start lets it take over first of all. */
async function rollTo(
  { config, configFile, say }: Order,
  file: { readonly bytes: Buffer; readonly password: string } | undefined,
): Promise<number> {
  const stopped = await whileStopped(config, async () => {
    await (await openNodeKeys(config)).prepareSuccessor(file);
    say('The recorder is stopped. The new key is ready and takes over at its next start.');
  });
  if (stopped) return 0;
  const api = await openApiClient(configFile);
  const body = file === undefined ? {} : { pkcs12: file.bytes.toString('base64'), password: file.password };
  const answer = (await api.send('POST', '/keys/roll', { body })) as {
    readonly origin: string;
    readonly size: number;
  };
  say(`Rolled: ${answer.origin}, entry ${answer.size - 1}. Both keys have signed; the old key is destroyed.`);
  return show({ config, say } as Order);
}

async function csr({ config, subject, out, say }: Order): Promise<number> {
  const request = await (await openNodeKeys(config)).request(subject);
  if (out === undefined) say(request.trimEnd());
  else await writeFile(out, request, { flag: 'wx' });
  return 0;
}

async function importFile(order: Order): Promise<number> {
  const { config, configFile, file, passwordFile, say } = order;
  if (file === undefined) throw new Error('import needs the FILE with certificates (PEM) or PKCS#12');
  const bytes = await readFile(file);
  if (!bytes.includes('-----BEGIN CERTIFICATE-----'))
    return rollTo(order, { bytes, password: await passwordIn(passwordFile) });
  const api = await openApiClient(configFile);
  await api.send('POST', '/keys/certificate', { body: { pem: bytes.toString('latin1') } });
  say('The certificate is in use; the one before stays in the archive.');
  return show({ config, say } as Order);
}

async function exportKeys({ config, out, passwordFile, say }: Order): Promise<number> {
  if (out === undefined || passwordFile === undefined)
    throw new Error('export needs --out and --password-file');
  const bytes = await (await openNodeKeys(config)).pack(await passwordIn(passwordFile));
  await writeFile(out, bytes, { flag: 'wx', mode: 0o600 });
  say(`${out}: key and certificate as PKCS#12. Keep it and its password in two places.`);
  return 0;
}

/** Brings lost keys back from the copy that `export` made: at once where a recorder waits for them. */
async function restore(order: Order): Promise<number> {
  const { config, configFile, file, passwordFile, say } = order;
  if (file === undefined) throw new Error('restore needs the PKCS#12 FILE of sealtape keys export');
  const [bytes, password] = [await readFile(file), await passwordIn(passwordFile)];
  const done = await whileStopped(config, async () => {
    await lostKeys(config).restore({ bytes, password });
  });
  if (!done) {
    const body = { pkcs12: bytes.toString('base64'), password };
    await (await openApiClient(configFile)).send('POST', '/keys/restore', { body });
  }
  say('The keys are back. What was there before is put aside in keys/lost-….');
  return show(order);
}

async function reset(order: Order): Promise<number> {
  const { config, configFile, yes, say } = order;
  if (!yes)
    throw new Error(
      'reset gives up the signing key: the log ends, and the next start begins a new one under a new certificate. Say --yes if the key is lost for good',
    );
  const done = await whileStopped(config, async () => {
    await lostKeys(config).reset();
    say('What was there is put aside in keys/lost-…. The next start makes a new key and begins a new epoch.');
    say('Register the new fingerprint; how the key was lost is for you to document.');
  });
  if (done) return 0;
  await (await openApiClient(configFile)).send('POST', '/keys/reset', { body: {} });
  say('What was there is put aside in keys/lost-…. A new key was made, and a new epoch of the log begins.');
  say('Register the new fingerprint; how the key was lost is for you to document.');
  return show(order);
}

/** False when a recorder has the data directory. */
async function whileStopped({ dataDir }: Config, work: () => Promise<void>): Promise<boolean> {
  const lock = await lockDataDir(dataDir).catch((error: unknown) => {
    if ((error as { readonly code?: string }).code === 'LOCKED') return undefined;
    throw error;
  });
  if (lock === undefined) return false;
  try {
    await work();
  } finally {
    await lock.release();
  }
  return true;
}

async function passwordIn(file: string | undefined): Promise<string> {
  if (file === undefined) throw new Error('the password is read from --password-file');
  const [line = ''] = (await readFile(file, 'utf8')).split(/\r?\n/);
  if (line === '') throw new Error(`${file} has no password in its first line`);
  return line;
}

const inLine = (name: string): string => name.replaceAll('\n', ', ');
const dayOf = (time: string): string => new Date(time).toISOString().slice(0, 10);
