import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CertificateReply, CertificateRequest } from './certificate-process.ts';
import { StoreError } from './store-error.ts';

const YEARS = 15;
/** Milliseconds after which the child is given up. */
const PATIENCE = 60_000;

/** The compiled program beside this file: `.js` in dist, `.ts` where Node runs TypeScript itself. */
const defaultEntry = (): string =>
  fileURLToPath(new URL(`./certificate-process${extname(import.meta.url)}`, import.meta.url));

/** Makes a self-signed certificate for an RSA key in a short-lived child process. Rejects with StoreError KEYS_NOT_MADE. */
export async function makeCertificate(
  privateKeyPem: string,
  options: { readonly subject: string; readonly entry?: string },
): Promise<string> {
  const serial = randomBytes(16);
  // Positive and without a leading zero octet (RFC 5280 §4.1.2.2).
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0);
  const request: CertificateRequest = {
    kind: 'certificate',
    privateKeyPem,
    subject: options.subject,
    serial: serial.toString('hex'),
    years: YEARS,
    from: Date.now(),
  };
  const [certificate = ''] = await work(request, 'the certificate could not be made', options.entry);
  return certificate;
}

/** A PKCS#10 request, PEM, for a certificate authority. Rejects with StoreError KEYS_NOT_MADE. */
export async function makeCertificateRequest(
  privateKeyPem: string,
  options: { readonly subject: string; readonly entry?: string | undefined },
): Promise<string> {
  const request: CertificateRequest = { kind: 'request', privateKeyPem, subject: options.subject };
  const [made = ''] = await work(request, 'the request could not be made', options.entry);
  return made;
}

/** Key and certificates (ours first) as a PKCS#12 file. Rejects with StoreError KEYS_NOT_MADE. */
export async function packKeys(
  keys: { readonly privateKeyPem: string; readonly certificates: readonly string[] },
  password: string,
  entry?: string,
): Promise<Buffer> {
  const request: CertificateRequest = { kind: 'pack', ...keys, password };
  const [made = ''] = await work(request, 'the PKCS#12 file could not be made', entry);
  return Buffer.from(made, 'base64');
}

/** What a PKCS#12 file holds. Rejects with StoreError KEYS_NOT_MADE: another password, no or several keys, damaged. */
export async function unpackKeys(
  bytes: Uint8Array,
  password: string,
  entry?: string,
): Promise<{ readonly privateKeyPem: string; readonly certificates: readonly string[] }> {
  const base64 = Buffer.from(bytes).toString('base64');
  const request: CertificateRequest = { kind: 'unpack', base64, password };
  const [privateKeyPem = '', ...certificates] = await work(request, 'the PKCS#12 file cannot be used', entry);
  return { privateKeyPem, certificates };
}

async function work(
  request: CertificateRequest,
  failing: string,
  entry = defaultEntry(),
): Promise<readonly string[]> {
  const reply = await ask(entry, request);
  if ('error' in reply) throw new StoreError('KEYS_NOT_MADE', `${failing}: ${reply.error}`);
  return reply.texts;
}

function ask(entry: string, request: CertificateRequest): Promise<CertificateReply> {
  return new Promise((resolve, reject) => {
    // Not the parent's options: a debugger port or a test runner's flags are none of the child's business.
    const child = fork(entry, {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: PATIENCE,
    });
    const complaints: string[] = [];
    child.stderr?.on('data', (text: Buffer) => complaints.push(text.toString()));
    child.once('message', (reply) => {
      resolve(reply as CertificateReply);
    });
    child.once('error', (error) => {
      reject(new StoreError('KEYS_NOT_MADE', `${entry} could not be started`, { cause: error }));
    });
    child.once('close', (code, signal) => {
      const why = complaints.join('').trim() || `ended with ${String(code ?? signal)}`;
      reject(new StoreError('KEYS_NOT_MADE', `${entry}: ${why}`));
    });
    child.send(request, (error) => {
      if (error !== null) child.kill();
    });
  });
}
