import { X509Certificate, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { withDeadline } from '../deadline.ts';
import type { Peer } from '../jobs/peer.ts';
import { DeliveryError } from './delivery-error.ts';

export interface PeerSettings {
  readonly name: string;
  /** Its log without the epoch. */
  readonly log: string;
  readonly url: string;
  /** SHA-256 of the certificates that its log may be signed under. */
  readonly fingerprints: readonly string[];
  /** File with the authority of its server's certificate, PEM. */
  readonly ca?: string | undefined;
  /** Shown to it. */
  readonly token?: string | undefined;
}

/** Milliseconds for one answer. */
const PATIENCE = 15_000;
/** A proof has some sixty hashes, a note some signatures, a node some certificates. */
const LONGEST = 256 * 1024;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: Buffer;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** A recorder reached by HTTP, see web/peer-server.ts. Rejects when its file of an authority cannot be read. */
export async function openPeerNode(settings: PeerSettings): Promise<Peer> {
  const { name, log } = settings;
  const ca = settings.ca === undefined ? undefined : await readFile(settings.ca);
  const allowed = new Set(settings.fingerprints.map((each) => each.replaceAll(':', '').toLowerCase()));
  let known: readonly KeyObject[] = [];
  const ask = async (question: Question, signal: AbortSignal): Promise<Answer> => {
    const answer = await withDeadline(signal, PATIENCE, (within) =>
      send(settings, ca, { question, signal: within }),
    );
    if (answer.status >= 200 && answer.status < 300) return answer;
    if (answer.status === 404 && question.path === '/checkpoint') return answer;
    throw new DeliveryError('UNREACHABLE', `${name} answers ${answer.status} to ${question.path}`);
  };
  return {
    name,
    log,
    keys: async (signal) => {
      // Asked again until all that were configured have been seen: the next one comes with its key roll.
      if (known.length < allowed.size) {
        const { body } = await ask({ method: 'GET', path: '/certificates' }, signal);
        known = keysIn(body.toString('latin1'), allowed);
      }
      return known;
    },
    checkpoint: async (signal) => {
      const { status, body } = await ask({ method: 'GET', path: '/checkpoint' }, signal);
      return status === 404 ? undefined : body;
    },
    consistency: async ({ origin, old, size }, signal) => {
      const path = `/consistency?origin=${encodeURIComponent(origin)}&old=${old}&size=${size}`;
      const { body } = await ask({ method: 'GET', path }, signal);
      const lines = body
        .toString('latin1')
        .split('\n')
        .filter((line) => line !== '');
      return lines.map((line) => Buffer.from(line, 'base64').toString('hex'));
    },
    cosigned: async (note, signal) => {
      await ask({ method: 'POST', path: '/cosignature', body: note }, signal);
    },
  };
}

function keysIn(pem: string, allowed: ReadonlySet<string>): readonly KeyObject[] {
  return (pem.match(CERTIFICATE) ?? []).flatMap((block) => {
    const certificate = new X509Certificate(block);
    const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
    return allowed.has(fingerprint) ? [certificate.publicKey] : [];
  });
}

function send(
  { name, url, token }: PeerSettings,
  ca: Buffer | undefined,
  { question, signal }: { readonly question: Question; readonly signal: AbortSignal },
): Promise<Answer> {
  const { method, path, body } = question;
  const address = new URL(`${url.replace(/\/$/, '')}/peer/v1${path}`);
  const request = address.protocol === 'https:' ? httpsRequest : httpRequest;
  const options = {
    method,
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined
        ? {}
        : { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': body.length }),
    },
    ...(ca === undefined ? {} : { ca }),
    agent: false as const,
    signal,
  };
  return new Promise((resolve, reject) => {
    const away = (cause: Error): void => {
      reject(new DeliveryError('UNREACHABLE', `${name} cannot be reached: ${cause.message}`, { cause }));
    };
    const asked = request(address, options, (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        length += part.length;
        if (length > LONGEST) response.destroy(new Error('its answer is too long'));
        else parts.push(part);
      });
      response.on('error', away);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) });
      });
    });
    asked.on('error', away);
    asked.end(body);
  });
}
