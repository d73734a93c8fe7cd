import { createPrivateKey, createCipheriv, pbkdf2, randomBytes, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { StoreError } from './store-error.ts';

/*
 * PKCS#8 EncryptedPrivateKeyInfo with PBES2 (RFC 8018 §6.2). Node writes it too, but with 2,048 iterations only, which a stolen file does
 * not withstand (evidence.md 1.6). Whatever reads PKCS#8 reads this: `openssl pkey`, Node, Java.
 */

const ITERATIONS = 600_000;
const derive = promisify(pbkdf2);

const PBES2 = Buffer.from('06092a864886f70d01050d', 'hex');
const PBKDF2 = Buffer.from('06092a864886f70d01050c', 'hex');
const HMAC_SHA256 = Buffer.from('300c06082a864886f70d02090500', 'hex');
const AES_256_CBC = Buffer.from('060960864801650304012a', 'hex');

/** The key as PEM, under PBKDF2-HMAC-SHA256 with 600,000 iterations and AES-256-CBC. */
export async function encryptKey(key: KeyObject, passphrase: string): Promise<string> {
  const salt = randomBytes(16);
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', await derive(passphrase, salt, ITERATIONS, 32, 'sha256'), iv);
  const sealed = Buffer.concat([cipher.update(key.export({ type: 'pkcs8', format: 'der' })), cipher.final()]);
  const count = Buffer.alloc(3);
  count.writeUIntBE(ITERATIONS, 0, 3);
  const kdf = sequence(PBKDF2, sequence(octets(salt), der(0x02, count), HMAC_SHA256));
  const scheme = sequence(AES_256_CBC, octets(iv));
  const whole = sequence(sequence(PBES2, sequence(kdf, scheme)), octets(sealed));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN ENCRYPTED PRIVATE KEY-----', ...lines, '-----END ENCRYPTED PRIVATE KEY-----', ''].join(
    '\n',
  );
}

export const isEncrypted = (pem: string): boolean => pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----');

/**
 * Opens what `encryptKey` or `openssl pkcs8 -topk8` wrote, or a key that is not encrypted. Takes about 0.3 s. Throws StoreError
 * KEYS_LOCKED for another passphrase, and what Node throws for a damaged file.
 */
export function decryptKey(pem: string, passphrase: string, file: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, passphrase });
  } catch (error) {
    // With another passphrase the padding is wrong, or by chance what is inside is no key.
    if (isEncrypted(pem) && isWhole(pem))
      throw new StoreError('KEYS_LOCKED', `${file} does not open with the passphrase that is configured`, {
        cause: error,
      });
    throw error;
  }
}

/** Whether nothing was cut off: the length that the encoding states is there. */
function isWhole(pem: string): boolean {
  const [, base64 = ''] = /KEY-----([^-]+)-----END/.exec(pem) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  return bytes.length > 4 && bytes.readUInt16BE(0) === 0x3082 && bytes.readUInt16BE(2) === bytes.length - 4;
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const octets = (bytes: Buffer): Buffer => der(0x04, bytes);

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}
