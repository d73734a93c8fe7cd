import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CONFIG = `
[ ca ]
default_ca = one
[ one ]
database = index.txt
new_certs_dir = new
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[ any ]
organizationName = optional
commonName = supplied
[ authority ]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[ recorder ]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,nonRepudiation
subjectKeyIdentifier = hash
`;

/** A certificate authority with one beneath it that issues, as companies have it, made of `openssl ca` in a folder of its own. */
export class CertificateAuthority {
  readonly folder = mkdtempSync(join(tmpdir(), 'sealtape-ca-'));
  /** Paths of the certificates, PEM. */
  readonly root: string;
  readonly issuing: string;
  #count = 0;

  constructor(name = 'House CA', validity = { from: '20200101000000Z', to: '20490101000000Z' }) {
    mkdirSync(join(this.folder, 'new'));
    writeFileSync(join(this.folder, 'index.txt'), '');
    writeFileSync(join(this.folder, 'ca.cnf'), CONFIG);
    this.#request('root', `/O=House/CN=${name}`);
    this.#request('issuing', `/O=House/CN=${name} issuing`);
    this.root = this.#sign('root', 'authority', ['-selfsign', '-keyfile', 'root.key'], validity);
    this.issuing = this.#sign(
      'issuing',
      'authority',
      ['-cert', 'root.pem', '-keyfile', 'root.key'],
      validity,
    );
  }

  /** Certifies the key of a request (PEM). Moments are written as openssl wants them: `20261123000000Z`. */
  issue(request: string, validity: { readonly from: string; readonly to: string }): string {
    this.#count += 1;
    const name = `issued-${this.#count}`;
    writeFileSync(join(this.folder, `${name}.csr`), request);
    const path = this.#sign(name, 'recorder', ['-cert', 'issuing.pem', '-keyfile', 'issuing.key'], validity);
    return readFileSync(path, 'latin1');
  }

  /** A request for a key, PEM. */
  requestFor(privateKeyPem: string, subject = '/O=House/CN=Recorder 1'): string {
    const key = join(this.folder, 'requested.key');
    writeFileSync(key, privateKeyPem, { mode: 0o600 });
    return this.#openssl('req', '-new', '-key', key, '-subj', subject);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  #request(name: string, subject: string): void {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    this.#openssl('req', '-new', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
  }

  #sign(
    name: string,
    extensions: string,
    by: readonly string[],
    { from, to }: { readonly from: string; readonly to: string },
  ): string {
    this.#openssl(
      ...['ca', '-batch', '-notext', '-config', 'ca.cnf', '-extensions', extensions, ...by],
      ...['-startdate', from, '-enddate', to, '-in', `${name}.csr`, '-out', `${name}.pem`],
    );
    return join(this.folder, `${name}.pem`);
  }

  #openssl(...args: readonly string[]): string {
    return execFileSync('openssl', args, {
      cwd: this.folder,
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}
