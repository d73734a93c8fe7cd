import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface AuthorityOptions {
  /** Extended key usage of its certificate; empty for none. Default `critical,timeStamping`. */
  readonly purpose?: string;
  /** As `openssl x509` wants it: `-days 3650`, or `-days -1` for one that has expired. */
  readonly validity?: readonly string[];
  /** `ec` for a P-256 key, else RSA. */
  readonly keys?: 'rsa' | 'ec';
}

const CONFIG = `
[ tsa ]
default_tsa = one
[ one ]
serial = serial
signer_digest = sha256
default_policy = 1.3.6.1.4.1.13762.3
digests = sha256, sha384, sha512
accuracy = millisecs:500
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`;

/** A time-stamp authority made of `openssl ts`, with a certificate authority above it, in a folder of its own. */
export class StampingAuthority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sealtape-tsa-'));
  readonly #validity: readonly string[];
  #number = 0;

  constructor({
    purpose = 'critical,timeStamping',
    validity = ['-days', '3650'],
    keys = 'rsa',
  }: AuthorityOptions = {}) {
    this.#validity = validity;
    const newKey = keys === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    writeFileSync(join(this.#folder, 'ts.cnf'), CONFIG);
    writeFileSync(join(this.#folder, 'serial'), '01\n');
    const usage = purpose === '' ? '' : `extendedKeyUsage=${purpose}\n`;
    writeFileSync(
      join(this.#folder, 'tsa.ext'),
      `basicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\nkeyUsage=critical,digitalSignature\n${usage}`,
    );
    this.#openssl(
      'req',
      '-x509',
      '-newkey',
      ...newKey,
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      ...['-days', '3650'],
      ...['-subj', '/CN=Stamp Root'],
    );
    this.#openssl(
      'req',
      '-newkey',
      ...newKey,
      '-nodes',
      '-keyout',
      'tsa.key',
      '-out',
      'tsa.csr',
      ...['-subj', '/CN=Stamp Authority'],
    );
    this.#openssl(
      'x509',
      '-req',
      '-in',
      'tsa.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      'tsa.pem',
      ...['-extfile', 'tsa.ext'],
      ...this.#validity,
    );
  }

  /** The certificate that a verifying person trusts. */
  get ca(): string {
    return join(this.#folder, 'ca.pem');
  }

  /** The certificate that stamps. */
  get certificate(): string {
    return join(this.#folder, 'tsa.pem');
  }

  /** Query and response over the data, with the certificates in it unless told otherwise. */
  stamp(data: Uint8Array, { certificates = true, nonce = true } = {}): { query: Buffer; response: Buffer } {
    this.#number += 1;
    const name = `${this.#number}`;
    writeFileSync(join(this.#folder, `${name}.data`), data);
    this.#openssl(
      'ts',
      '-query',
      '-data',
      `${name}.data`,
      '-sha256',
      ...(nonce ? [] : ['-no_nonce']),
      ...(certificates ? ['-cert'] : []),
      '-out',
      `${name}.tsq`,
    );
    this.#openssl(
      'ts',
      '-reply',
      '-config',
      'ts.cnf',
      '-queryfile',
      `${name}.tsq`,
      '-signer',
      'tsa.pem',
      '-inkey',
      'tsa.key',
      '-chain',
      'ca.pem',
      '-out',
      `${name}.tsr`,
    );
    const read = (ending: string): Buffer => readFileSync(join(this.#folder, `${name}.${ending}`));
    return { query: read('tsq'), response: read('tsr') };
  }

  /** What the authority answers to a query made elsewhere. */
  answer(query: Uint8Array): Buffer {
    this.#number += 1;
    const name = `${this.#number}`;
    writeFileSync(join(this.#folder, `${name}.tsq`), query);
    this.#openssl(
      ...['ts', '-reply', '-config', 'ts.cnf', '-queryfile', `${name}.tsq`, '-signer', 'tsa.pem'],
      ...['-inkey', 'tsa.key', '-chain', 'ca.pem', '-out', `${name}.tsr`],
    );
    return readFileSync(join(this.#folder, `${name}.tsr`));
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #openssl(...words: readonly string[]): void {
    execFileSync('openssl', words, { cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
