import { createHmac } from 'node:crypto';

/**
 * How a person appears in the log: HMAC-SHA256 of the name under a secret of the installation, hex. Without the secret a guess at
 * the name cannot be tried, and once it is destroyed the entries speak of nobody.
 */
export const actorHash = (secret: Uint8Array, name: string): string =>
  createHmac('sha256', secret).update(name.normalize('NFC')).digest('hex');
