import { constants, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Log } from './log.ts';
import { SipServerError } from './sip-server-error.ts';

export interface TlsSettings {
  /** PEM file with our certificate and its chain, our own first. */
  readonly certificate: string;
  /** PEM file with its private key, without passphrase. */
  readonly key: string;
  /** PEM file with the authorities of client certificates; without it none counts as verified. */
  readonly ca?: string;
  /** TLSv1.2 when not given. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** Milliseconds between looks at the files; 5,000 when not given. */
  readonly lookEvery?: number;
}

const LOOK_EVERY = 5_000;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Certificate, key and authorities from their files, read again whenever one has changed. What cannot be used is logged, and
 * the last good ones stay.
 */
export class TlsFiles {
  readonly verifiesPeers: boolean;
  readonly #settings: TlsSettings;
  readonly #log: Log;
  readonly #listeners: ((options: SecureContextOptions) => void)[] = [];
  #options: SecureContextOptions;
  #signature: string;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(
    settings: TlsSettings,
    log: Log,
    first: { options: SecureContextOptions; signature: string },
  ) {
    this.#settings = settings;
    this.#log = log;
    this.#options = first.options;
    this.#signature = first.signature;
    this.verifiesPeers = settings.ca !== undefined;
    this.#lookLater();
  }

  /** Throws BAD_TLS naming what is wrong with which file. */
  static async open(settings: TlsSettings, log: Log): Promise<TlsFiles> {
    const signature = await signatureOf(settings);
    return new TlsFiles(settings, log, { options: await load(settings), signature });
  }

  get options(): SecureContextOptions {
    return this.#options;
  }

  onChange(listener: (options: SecureContextOptions) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #lookLater(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#look().then(
        () => {
          this.#lookLater();
        },
        (error: unknown) => {
          this.#log('error', 'sip server: new TLS files cannot be used, the old ones stay', { error });
          this.#lookLater();
        },
      );
    }, this.#settings.lookEvery ?? LOOK_EVERY).unref();
  }

  /** A key that comes a moment after its certificate fails once and is taken with the next change. */
  async #look(): Promise<void> {
    const signature = await signatureOf(this.#settings);
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#options = await load(this.#settings);
    for (const listener of this.#listeners) listener(this.#options);
    this.#log('info', 'sip server: TLS certificate and key read again', {
      certificate: this.#settings.certificate,
    });
  }
}

/** Changes whenever one of the files does; a file that is not there counts as such. */
async function signatureOf({ certificate, key, ca }: TlsSettings): Promise<string> {
  const files = [certificate, key, ...(ca === undefined ? [] : [ca])];
  const parts = files.map(async (file) => {
    const found = await stat(file, { bigint: true }).catch(() => undefined);
    return found === undefined ? 'none' : `${found.ino}-${found.size}-${found.mtimeNs}`;
  });
  return (await Promise.all(parts)).join(' ');
}

async function load(settings: TlsSettings): Promise<SecureContextOptions> {
  const cert = await read(settings.certificate);
  const key = await read(settings.key);
  checkCertificates(settings.certificate, cert);
  const options: SecureContextOptions = {
    cert,
    key,
    // An empty list: nobody is trusted, and not whom the system trusts.
    ca: settings.ca === undefined ? [] : checkCertificates(settings.ca, await read(settings.ca)),
    minVersion: settings.minVersion ?? 'TLSv1.2',
    // A resumed session would keep an old judgement about the peer; SIP connections live long anyway.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new SipServerError('BAD_TLS', `${settings.certificate} and ${settings.key}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  return options;
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1');
  } catch (error) {
    throw new SipServerError('BAD_TLS', `cannot read ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** The certificates of a PEM file. OpenSSL skips over what it cannot read; an operator wants to know. */
function checkCertificates(file: string, text: string): string[] {
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) throw new SipServerError('BAD_TLS', `${file} holds no PEM certificate`);
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch (error) {
    throw new SipServerError('BAD_TLS', `${file}: ${reasonOf(error)}`, { cause: error });
  }
  return blocks;
}

const reasonOf = (error: unknown): string => (error as Error | null)?.message ?? String(error);
