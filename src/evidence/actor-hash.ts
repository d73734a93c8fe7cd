import { createHmac } from 'node:crypto';

/**
 * How a person appears in the log: HMAC-SHA256 of the name under a secret of the installation, hex. Without the secret a guess at
 * the name cannot be tried, and once it is destroyed the entries speak of nobody.
 */
export const actorHash = (secret: Uint8Array, name: string): string =>
  createHmac('sha256', secret).update(name.normalize('NFC')).digest('hex');

/** How the reference of a case appears in the log: it often holds a name or a number that a plain hash would let everybody guess. */
export const caseHash = (secret: Uint8Array, reference: string): string =>
  createHmac('sha256', secret)
    .update(`case\n${reference.normalize('NFC')}`)
    .digest('hex');
