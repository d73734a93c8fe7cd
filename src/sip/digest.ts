import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export type DigestAlgorithm = 'MD5' | 'SHA-256';

export interface DigestSettings {
  readonly realm: string;
  readonly algorithm: DigestAlgorithm;
  readonly users: readonly { readonly name: string; readonly password: string }[];
}

export type DigestVerdict =
  | { readonly type: 'known'; readonly user: string }
  /** No credentials for our realm: challenge. */
  | { readonly type: 'none' }
  /** Right password, nonce too old, used before or of a server before us: challenge with `stale=true`. */
  | { readonly type: 'stale' }
  | { readonly type: 'wrong'; readonly why: string };

/** How long a nonce may be used, in milliseconds. */
export const NONCE_LIFETIME = 300_000;

/** Nonces in use that are remembered against replays. */
const MOST_NONCES = 10_000;

/** Of a nonce's requests, how far one may be overtaken by others (UDP). */
const WINDOW = 32;

interface Use {
  highest: number;
  /** Bit n is set when `highest - n` came. */
  seen: number;
}

/**
 * Digest authentication as a server asks for it (RFC 3261 §22, RFC 7616, RFC 8760): qop `auth` only, nonces that carry their
 * time and a seal of ours, a counter that must not repeat. Passwords are kept hashed and never leave.
 */
export class DigestGuard {
  readonly #realm: string;
  readonly #algorithm: DigestAlgorithm;
  readonly #secrets: ReadonlyMap<string, string>;
  readonly #now: () => number;
  readonly #key = randomBytes(32);
  readonly #used = new Map<string, Use>();
  /** Nonces made until then (epoch milliseconds) may have been forgotten, so they are not fresh any more. */
  #forgotten = 0;

  constructor(settings: DigestSettings, now: () => number) {
    const { realm, algorithm } = settings;
    this.#realm = realm;
    this.#algorithm = algorithm;
    this.#now = now;
    this.#secrets = new Map(
      settings.users.map(({ name, password }) => [name, hash(algorithm, `${name}:${realm}:${password}`)]),
    );
  }

  /** Value of a WWW-Authenticate header with a fresh nonce. */
  challenge(stale: boolean): string {
    const parameters = [
      `realm="${quotable(this.#realm)}"`,
      `nonce="${this.#nonce(this.#now())}"`,
      `algorithm=${this.#algorithm}`,
      'qop="auth"',
      ...(stale ? ['stale=true'] : []),
    ];
    return `Digest ${parameters.join(', ')}`;
  }

  /** Judges an Authorization header. Never throws. */
  judge(method: string, authorization: string | undefined): DigestVerdict {
    const given = authorization === undefined ? undefined : parseCredentials(authorization);
    if (given?.get('realm') !== this.#realm) return { type: 'none' };
    const fault = this.#fault(given, method);
    if (fault !== undefined) return { type: 'wrong', why: fault };
    const user = given.get('username') ?? '';
    return this.#isFresh(given) ? { type: 'known', user } : { type: 'stale' };
  }

  #fault(given: ReadonlyMap<string, string>, method: string): string | undefined {
    const of = (name: string, otherwise = ''): string => given.get(name) ?? otherwise;
    if (of('qop').toLowerCase() !== 'auth') return 'no qop=auth';
    if (of('algorithm', 'MD5').toUpperCase() !== this.#algorithm) return 'another algorithm';
    if (!/^[0-9a-f]{8}$/i.test(of('nc'))) return 'no nonce count';
    const secret = this.#secrets.get(of('username'));
    // An unknown user takes as long as a known one.
    const expected = digestResponse(this.#algorithm, secret ?? 'nobody', method, given);
    const right = sameText(expected, of('response').toLowerCase());
    return right && secret !== undefined ? undefined : 'unknown user or wrong password';
  }

  #isFresh(given: ReadonlyMap<string, string>): boolean {
    const nonce = given.get('nonce') ?? '';
    const made = madeAt(nonce);
    const age = this.#now() - made;
    if (!(age >= 0 && age <= NONCE_LIFETIME) || (made <= this.#forgotten && !this.#used.has(nonce)))
      return false;
    if (!sameText(nonce, this.#nonceLike(nonce, made))) return false;
    return this.#isNew(nonce, Number.parseInt(given.get('nc') ?? '', 16));
  }

  /** Notes a use of a nonce; false when this one was there before or is too far behind. */
  #isNew(nonce: string, count: number): boolean {
    const use = this.#used.get(nonce) ?? { highest: 0, seen: 0 };
    const behind = use.highest - count;
    if (count === 0 || behind >= WINDOW || (behind >= 0 && (use.seen & (1 << behind)) !== 0)) return false;
    if (behind >= 0) {
      use.seen |= 1 << behind;
    } else {
      use.seen = (-behind >= WINDOW ? 0 : use.seen << -behind) | 1;
      use.highest = count;
    }
    this.#remember(nonce, use);
    return true;
  }

  #remember(nonce: string, use: Use): void {
    this.#used.set(nonce, use);
    if (this.#used.size <= MOST_NONCES) return;
    const [oldest] = this.#used.keys();
    if (oldest === undefined) return;
    this.#used.delete(oldest);
    this.#forgotten = Math.max(this.#forgotten, madeAt(oldest));
  }

  #nonce(at: number): string {
    return this.#seal(at.toString(36), randomBytes(6).toString('hex'));
  }

  /** The nonce with the same time and salt, sealed by us. */
  #nonceLike(nonce: string, made: number): string {
    return this.#seal(made.toString(36), nonce.split('-')[1] ?? '');
  }

  #seal(time: string, salt: string): string {
    const seal = createHmac('sha256', this.#key).update(`${time}-${salt}`).digest('hex').slice(0, 32);
    return `${time}-${salt}-${seal}`;
  }
}

/** RFC 7616 §3.4.1 with qop `auth`; `secret` is H(user:realm:password). */
export function digestResponse(
  algorithm: DigestAlgorithm,
  secret: string,
  method: string,
  given: ReadonlyMap<string, string>,
): string {
  const of = (name: string): string => given.get(name) ?? '';
  const request = hash(algorithm, `${method}:${of('uri')}`);
  return hash(algorithm, `${secret}:${of('nonce')}:${of('nc')}:${of('cnonce')}:${of('qop')}:${request}`);
}

/** The parameters of Digest credentials, unquoted, names in lower case; undefined for another scheme. Never throws. */
export function parseCredentials(header: string): ReadonlyMap<string, string> | undefined {
  const scheme = /^\s*Digest\s+/i.exec(header);
  if (scheme === null) return undefined;
  const found = new Map<string, string>();
  const parameter = /([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)\s*/y;
  parameter.lastIndex = scheme[0].length;
  for (let match = parameter.exec(header); match !== null; match = parameter.exec(header)) {
    const [, name = '', quoted, token = ''] = match;
    const key = name.toLowerCase();
    // Which of two would be meant is a matter of taste, and of attacks.
    if (found.has(key)) return undefined;
    found.set(key, quoted === undefined ? token : quoted.replace(/\\(.)/g, '$1'));
  }
  return found;
}

const hash = (algorithm: DigestAlgorithm, text: string): string =>
  createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(text, 'utf8')
    .digest('hex');

const madeAt = (nonce: string): number => Number.parseInt(nonce.split('-', 1)[0] ?? '', 36);

const quotable = (text: string): string => text.replace(/[\\"]/g, '\\$&');

function sameText(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
  return timingSafeEqual(digest(a), digest(b));
}
