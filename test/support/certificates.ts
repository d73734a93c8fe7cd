import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface IssuedCertificate {
  /** Paths of the PEM files. */
  readonly certificate: string;
  readonly key: string;
  /** As openssl prints it. */
  readonly fingerprint: string;
  /** The PEM texts, for TLS clients. */
  readonly cert: string;
  readonly privateKey: string;
}

/** Certificates made by openssl in a folder of their own. */
export class CertificateMill {
  readonly folder = mkdtempSync(join(tmpdir(), 'sip-tls-'));

  /** A certificate authority. */
  authority(name: string): IssuedCertificate {
    const { key, certificate } = this.#paths(name);
    this.#openssl(
      'req',
      '-x509',
      ...NEW_KEY,
      '-keyout',
      key,
      '-out',
      certificate,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
    return this.#read(name);
  }

  /** A certificate of an authority, self-signed without one; `days` below zero makes it expired. */
  issue(
    name: string,
    options: {
      by?: IssuedCertificate;
      altNames?: readonly string[];
      subject?: string;
      days?: number;
      keys?: 'ec' | 'rsa';
    } = {},
  ): IssuedCertificate {
    const { key, certificate } = this.#paths(name);
    const request = join(this.folder, `${name}.csr`);
    const extensions = join(this.folder, `${name}.ext`);
    const names = (options.altNames ?? [`DNS:${name}`]).map((each, index) => {
      const colon = each.indexOf(':');
      return `${each.slice(0, colon)}.${index} = ${each.slice(colon + 1)}`;
    });
    writeFileSync(extensions, ['subjectAltName=@names', '[names]', ...names, ''].join('\n'));
    const subject = options.subject ?? `/O=Bank/CN=${name}`;
    const newKey = options.keys === 'rsa' ? ['-newkey', 'rsa:2048', '-nodes'] : NEW_KEY;
    this.#openssl('req', '-new', ...newKey, '-utf8', '-keyout', key, '-out', request, '-subj', subject);
    const { by, days = 2 } = options;
    const signer =
      by === undefined ? ['-signkey', key] : ['-CA', by.certificate, '-CAkey', by.key, '-CAcreateserial'];
    this.#openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...signer,
      '-extfile',
      extensions,
      '-days',
      String(days),
      '-out',
      certificate,
    );
    return this.#read(name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  #paths(name: string): { key: string; certificate: string } {
    return { key: join(this.folder, `${name}.key`), certificate: join(this.folder, `${name}.pem`) };
  }

  #read(name: string): IssuedCertificate {
    const { key, certificate } = this.#paths(name);
    const printed = this.#openssl('x509', '-in', certificate, '-noout', '-fingerprint', '-sha256');
    return {
      certificate,
      key,
      fingerprint: printed.replace(/^.*=/, '').trim(),
      cert: readFileSync(certificate, 'utf8'),
      privateKey: readFileSync(key, 'utf8'),
    };
  }

  #openssl(...args: string[]): string {
    return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
