import { createHash, createPublicKey, randomUUID, verify, X509Certificate, constants } from 'node:crypto';

export interface ServiceAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

interface Application {
  readonly secret: string;
  /** PEM. */
  readonly certificate?: string;
}

/** The login of one tenant (OpenID Connect discovery, client credentials by secret or by certificate, RFC 7521 and 7523). */
export class LoginService {
  readonly tenant = 'bank.example';
  readonly applications = new Map<string, Application>();
  /** Seconds. */
  lifetime = 3599;
  /** Tokens handed out. */
  issued = 0;
  /** Of which application. */
  readonly #tokens = new Map<string, string>();
  readonly #base: () => string;

  constructor(base: () => string) {
    this.#base = base;
  }

  /** The application whose valid token it is. */
  applicationOf(authorization: string | undefined): string | undefined {
    return this.#tokens.get(authorization?.replace(/^Bearer /, '') ?? '');
  }

  /** All tokens that were handed out end. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  answer(path: string, form: URLSearchParams): ServiceAnswer | undefined {
    const [, tenant = '', ...rest] = path.split('/');
    const what = rest.join('/');
    if (what !== 'v2.0/.well-known/openid-configuration' && what !== 'oauth2/v2.0/token') return undefined;
    if (decodeURIComponent(tenant) !== this.tenant)
      return refused(400, 'invalid_tenant', `AADSTS90002: Tenant '${tenant}' not found.`);
    return what === 'oauth2/v2.0/token' ? this.#token(form) : { status: 200, json: this.#discovery() };
  }

  #discovery(): unknown {
    const tenant = `${this.#base()}/${this.tenant}`;
    return {
      issuer: `${tenant}/v2.0`,
      authorization_endpoint: `${tenant}/oauth2/v2.0/authorize`,
      token_endpoint: this.#tokenEndpoint(),
      jwks_uri: `${tenant}/discovery/v2.0/keys`,
      response_types_supported: ['code'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
    };
  }

  #tokenEndpoint(): string {
    return `${this.#base()}/${this.tenant}/oauth2/v2.0/token`;
  }

  #token(form: URLSearchParams): ServiceAnswer {
    const id = form.get('client_id') ?? '';
    const application = this.applications.get(id);
    if (form.get('grant_type') !== 'client_credentials')
      return refused(400, 'unsupported_grant_type', 'AADSTS70003: The grant type is not supported.');
    // The library adds the scopes of OpenID Connect by itself; the resource is what counts.
    if (!(form.get('scope') ?? '').split(' ').includes(`${this.#base()}/.default`))
      return refused(400, 'invalid_scope', 'AADSTS70011: The scope is not valid.');
    if (application === undefined)
      return refused(400, 'unauthorized_client', `AADSTS700016: Application '${id}' was not found.`);
    const assertion = form.get('client_assertion');
    if (assertion === null && form.get('client_secret') !== application.secret)
      return refused(401, 'invalid_client', 'AADSTS7000215: Invalid client secret provided.');
    if (assertion !== null && !this.#accepts(assertion, id, application))
      return refused(401, 'invalid_client', 'AADSTS700027: The client assertion is not valid.');
    const token = randomUUID();
    this.#tokens.set(token, id);
    this.issued += 1;
    const { lifetime: seconds } = this;
    return {
      status: 200,
      json: { token_type: 'Bearer', expires_in: seconds, ext_expires_in: seconds, access_token: token },
    };
  }

  /** A JWT for this endpoint and this application, of now, signed with the key of the registered certificate. */
  #accepts(assertion: string, id: string, { certificate }: Application): boolean {
    if (certificate === undefined) return false;
    const [header = '', payload = '', signature = ''] = assertion.split('.');
    const { alg, 'x5t#S256': print } = decoded(header);
    const { aud, iss, sub, exp, nbf, jti } = decoded(payload);
    const der = new X509Certificate(certificate).raw;
    const now = Date.now() / 1000;
    const said = [typeof jti, alg, print, aud, iss, sub];
    const expected = [
      'string',
      'PS256',
      createHash('sha256').update(der).digest('base64url'),
      this.#tokenEndpoint(),
      id,
      id,
    ];
    if (said.join(' ') !== expected.join(' ') || Number(nbf) > now + 60 || Number(exp) < now) return false;
    const key = {
      key: createPublicKey(certificate),
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    };
    const signed = Buffer.from(`${header}.${payload}`);
    return verify('sha256', signed, key, Buffer.from(signature, 'base64url'));
  }
}

const decoded = (part: string): Readonly<Record<string, unknown>> =>
  JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;

const refused = (status: number, error: string, description: string): ServiceAnswer => ({
  status,
  json: {
    error,
    error_description: description,
    error_codes: [Number(/AADSTS(\d+)/.exec(description)?.[1])],
    correlation_id: randomUUID(),
  },
});
