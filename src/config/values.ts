import { isIP } from 'node:net';
import { z } from 'zod';
import { parseNameTemplate } from '../evidence/name-template.ts';

/** Kinds of value that several sections of the configuration have. */

export const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'not a name (small letters, digits, dashes)' });
export const port = z.int().min(1).max(65535);

export const network = z.string().refine(isNetwork, { error: 'not a network (address or address/prefix)' });

export const listenUrl = z
  .string()
  .refine(isListenUrl, { error: 'not udp://, tcp:// or tls://address:port' });

export const timeZone = z
  .string()
  .refine(isTimeZone, { error: 'not a time zone such as UTC or Europe/Berlin' });

export const fileName = z.string().superRefine((template, context) => {
  try {
    parseNameTemplate(template);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

export const hostPort = z
  .string()
  .refine((text) => isListenUrl(`tcp://${text}`), { error: 'not address:port' });

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

function isListenUrl(text: string): boolean {
  const match = /^(?:udp|tcp|tls):\/\/(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return false;
  const [, six, four, digits] = match;
  return isIP(six ?? four ?? '') === (six === undefined ? 4 : 6) && Number(digits) <= 65535;
}

function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** UDP ports, `FIRST-LAST`. */
export const portRange = z
  .string()
  .refine(isPortRange, { error: 'not a range of at least two ports such as "20000-29999"' });

function isPortRange(text: string): boolean {
  const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  return Number(first) >= 1024 && Number(last) <= 65535 && Number(last) > Number(first);
}
