import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  ConfidentialClientApplication,
  type Configuration,
  type INetworkModule,
  type NetworkRequestOptions,
  type NetworkResponse,
} from '@azure/msal-node';
import { DeliveryError, deliveryError, isOurs, permanent, type DeliveryErrorCode } from './delivery-error.ts';
import type { HttpsCaller } from './https-caller.ts';

/** How the application shows who it is: by a secret, or by a key whose certificate (PEM) its registration knows. */
export type GraphCredential =
  | { readonly secret: string }
  | {
      readonly certificate: string;
      readonly privateKey: string;
      readonly passphrase?: string | undefined;
    };

export interface GraphAccount {
  /** Address of the login service, without the tenant: https://login.microsoftonline.com. */
  readonly authority: string;
  /** Id or domain. */
  readonly tenant: string;
  /** Id of the application. */
  readonly clientId: string;
  readonly credential: GraphCredential;
  /** What is to be used: https://graph.microsoft.com. */
  readonly graph: string;
}

/** Codes of the login service (AADSTS…) that speak of the tenant, not of the application. */
const WRONG_TENANT = /AADSTS(?:90002|900021|900023|90013|50020)\b/;

/** Tokens of an application of its own (OAuth 2.0 client credentials), kept until shortly before they end. */
export class GraphLogin {
  readonly #account: GraphAccount;
  readonly #network: LoginNetwork;
  #application: ConfidentialClientApplication | undefined;
  #fetching: { readonly anew: boolean; readonly token: Promise<string> } | undefined;

  constructor(account: GraphAccount, caller: HttpsCaller) {
    this.#account = account;
    this.#network = new LoginNetwork(caller);
  }

  /** `anew`: the one we have was refused. Rejects with DENIED or MISCONFIGURED for good, else with what may pass. */
  token(anew = false): Promise<string> {
    const under = this.#fetching;
    // Whoever asks while one is fetched shares it, unless that one may be the very token that was refused.
    if (under !== undefined && (under.anew || !anew)) return under.token;
    const token = (under?.token ?? Promise.resolve()).then(
      () => this.#fetch(anew),
      () => this.#fetch(anew),
    );
    const mine = { anew, token };
    this.#fetching = mine;
    const ended = (): void => {
      if (this.#fetching === mine) this.#fetching = undefined;
    };
    token.then(ended, ended);
    return token;
  }

  async #fetch(anew: boolean): Promise<string> {
    const { graph, tenant, clientId } = this.#account;
    this.#application ??= new ConfidentialClientApplication(configurationOf(this.#account, this.#network));
    this.#network.takeFailure();
    try {
      const found = await this.#application.acquireTokenByClientCredential({
        scopes: [`${graph}/.default`],
        skipCache: anew,
      });
      if (found === null || found.accessToken === '') throw new Error('no token');
      return found.accessToken;
    } catch (error) {
      const failure = this.#network.takeFailure();
      if (failure !== undefined) throw failure;
      const text = textOf(error);
      const { status = 0 } = error as { readonly status?: number };
      const refused = status >= 400 && status < 500 && status !== 429;
      const code: DeliveryErrorCode = !refused
        ? 'UNREACHABLE'
        : WRONG_TENANT.test(text)
          ? 'MISCONFIGURED'
          : 'DENIED';
      throw deliveryError(code, `login of application ${clientId} at ${tenant}: ${text}`, { cause: error });
    }
  }
}

function configurationOf(account: GraphAccount, networkClient: INetworkModule): Configuration {
  const { authority, tenant, clientId, credential } = account;
  return {
    auth: {
      clientId,
      authority: `${authority}/${encodeURIComponent(tenant)}`,
      // The address is configured by the administrator; nobody else has to vouch for it.
      knownAuthorities: [new URL(authority).host],
      ...('secret' in credential
        ? { clientSecret: credential.secret }
        : { clientCertificate: assertionKeyOf(credential) }),
    },
    system: { networkClient },
  };
}

/** The key without its passphrase and the certificate's SHA-256, which is how the login service finds it. */
function assertionKeyOf(
  credential: Exclude<GraphCredential, { readonly secret: string }>,
): NonNullable<Configuration['auth']['clientCertificate']> {
  const { certificate, privateKey, passphrase } = credential;
  try {
    const shown = new X509Certificate(certificate);
    const key = createPrivateKey({ key: privateKey, ...(passphrase !== undefined && { passphrase }) });
    if (key.asymmetricKeyType !== 'rsa') throw new Error('the login service takes RSA keys only');
    if (!shown.checkPrivateKey(key)) throw new Error('the certificate is not that of the key');
    if (Date.parse(shown.validTo) < Date.now()) throw new Error(`it ended on ${shown.validTo}`);
    return {
      thumbprintSha256: shown.fingerprint256.replaceAll(':', ''),
      privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  } catch (error) {
    throw permanent('MISCONFIGURED', `the certificate of the application: ${textOf(error)}`, {
      cause: error,
    });
  }
}

/** The library's way out: our connections, with our authorities, and errors that are still ours when they come back. */
class LoginNetwork implements INetworkModule {
  readonly #caller: HttpsCaller;
  #failure: Error | undefined;

  constructor(caller: HttpsCaller) {
    this.#caller = caller;
  }

  /** What kept the last request from being answered, once; the library tells its callers less. */
  takeFailure(): Error | undefined {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  sendGetRequestAsync<T>(url: string, options?: NetworkRequestOptions): Promise<NetworkResponse<T>> {
    return this.#send('GET', url, options);
  }

  sendPostRequestAsync<T>(url: string, options?: NetworkRequestOptions): Promise<NetworkResponse<T>> {
    return this.#send('POST', url, options);
  }

  async #send<T>(
    method: 'GET' | 'POST',
    url: string,
    options: NetworkRequestOptions | undefined,
  ): Promise<NetworkResponse<T>> {
    // Shared by all who wait for a token: nobody's abortion ends it, the time without an answer does.
    const { signal } = new AbortController();
    try {
      const { headers = {}, body } = options ?? {};
      const answer = await this.#caller.send({ method, url, headers, body }, signal);
      const text = await this.#caller.text(answer, signal);
      if (answer.status === 429 || answer.status === 503)
        throw new DeliveryError('THROTTLED', `the login service answers ${answer.status}`);
      if (answer.status >= 500)
        throw new DeliveryError('UNREACHABLE', `the login service answers ${answer.status}`);
      if (method === 'GET' && answer.status >= 400)
        throw permanent('MISCONFIGURED', `the login service does not know the tenant: ${describedIn(text)}`);
      const flat = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
      return {
        status: answer.status,
        headers: Object.fromEntries(flat) as Record<string, string>,
        body: JSON.parse(text) as T,
      };
    } catch (error) {
      const failure = isOurs(error)
        ? error
        : new DeliveryError('UNREACHABLE', `the login service: ${textOf(error)}`, { cause: error });
      this.#failure = failure;
      throw failure;
    }
  }
}

function describedIn(text: string): string {
  try {
    return (JSON.parse(text) as { readonly error_description?: string }).error_description ?? '';
  } catch {
    return '';
  }
}

const textOf = (error: unknown): string =>
  String((error as { readonly message?: unknown } | null)?.message ?? error);
