import { userInfo } from 'node:os';
import { Readable } from 'node:stream';
import { ConfigError, loadConfig } from '../config.ts';
import { readAdminToken } from '../store/admin-token.ts';
import { StoreError } from '../store/store-error.ts';
import { readWebAddress } from '../store/web-address.ts';

export type ApiClientErrorCode = 'BAD_CONFIG' | 'NO_TOKEN' | 'NOT_REACHABLE' | 'REFUSED';

/** A command could not do its work. `message` is for people. */
class ApiClientError extends Error {
  override readonly name = 'ApiClientError';
  readonly code: ApiClientErrorCode;
  /** With REFUSED: the code of the API's error. */
  readonly reason: string | undefined;

  constructor(
    code: ApiClientErrorCode,
    message: string,
    options?: ErrorOptions & { readonly reason?: string },
  ) {
    super(message, options);
    this.code = code;
    this.reason = options?.reason;
  }
}

interface ApiRequest {
  /** Sent as JSON; a Buffer as it is, with `type`. */
  readonly body?: unknown;
  readonly type?: string;
}

/** The API of the recorder that runs with a configuration on this machine. */
export interface ApiClient {
  /** The answer's JSON, undefined when there is none. Rejects with ApiClientError. */
  send(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, request?: ApiRequest): Promise<unknown>;
  /** The octets of a file, without a limit in time. Rejects with ApiClientError. */
  fetchFile(path: string): Promise<Readable>;
}

/**
 * Does what a command is for. What goes wrong becomes a line under the command's name, and the status: 1 when the recorder could not be
 * asked or refused, or its files cannot be used, 2 when the command was not understood.
 */
export async function answeredBy(
  command: string,
  complain: (line: string) => void,
  work: () => Promise<number>,
): Promise<number> {
  try {
    return await work();
  } catch (error) {
    complain(`sealtape ${command}: ${(error as Error).message}`);
    return error instanceof ApiClientError || error instanceof StoreError ? 1 : 2;
  }
}

const PATIENCE = 60_000;

/** Reads web address and token by the configuration. Rejects with ApiClientError BAD_CONFIG, NO_TOKEN. */
export async function openApiClient(configFile: string | undefined, folder = '.'): Promise<ApiClient> {
  const { dataDir, listen } = readAddress(configFile, folder);
  const token = await readAdminToken(dataDir).catch((cause: unknown) => {
    throw new ApiClientError(
      'NO_TOKEN',
      `the admin token in ${dataDir} cannot be read: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  });
  if (token === undefined)
    throw new ApiClientError(
      'NO_TOKEN',
      `${dataDir} has no admin token; was the recorder ever started with it?`,
    );
  const base = await baseOf(dataDir, listen);
  return {
    send: (method, path, request) => send({ base, token }, { method, path, ...request }),
    fetchFile: (path) => fetchFile({ base, token }, path),
  };
}

/** Data directory and web address by the configuration. Throws ApiClientError BAD_CONFIG. */
function readAddress(
  file: string | undefined,
  folder: string,
): { readonly dataDir: string; readonly listen: string } {
  try {
    const { dataDir, web } = loadConfig(file, folder);
    return { dataDir, listen: web.listen };
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    throw new ApiClientError('BAD_CONFIG', cause.message, { cause });
  }
}

async function baseOf(dataDir: string, listen: string): Promise<string> {
  const url = listen.endsWith(':0') ? await readWebAddress(dataDir) : `http://${listen}`;
  return `${url ?? ''}/api/v1`;
}

async function fetchFile(
  to: { readonly base: string; readonly token: string },
  path: string,
): Promise<Readable> {
  const answer = await fetch(`${to.base}${path}`, {
    headers: { authorization: `Bearer ${to.token}`, 'x-sealtape-actor': `${userName()} at a terminal` },
  }).catch((cause: unknown) => {
    throw new ApiClientError('NOT_REACHABLE', `no recorder answers at ${to.base}; is it running?`, { cause });
  });
  if (!answer.ok) throw refusal(answer.status, await answer.text());
  return Readable.from(answer.body ?? []);
}

async function send(
  to: { readonly base: string; readonly token: string },
  request: ApiRequest & { readonly method: string; readonly path: string },
): Promise<unknown> {
  const { method, path, body, type } = request;
  const bytes = Buffer.isBuffer(body);
  const answer = await fetch(`${to.base}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${to.token}`,
      'x-sealtape-actor': `${userName()} at a terminal`,
      ...(body === undefined ? {} : { 'content-type': type ?? 'application/json' }),
    },
    signal: AbortSignal.timeout(PATIENCE),
    ...(body === undefined ? {} : { body: bytes ? new Uint8Array(body) : JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    throw new ApiClientError('NOT_REACHABLE', `no recorder answers at ${to.base}; is it running?`, { cause });
  });
  const text = await answer.text();
  if (answer.ok) return text === '' ? undefined : parse(text);
  throw refusal(answer.status, text);
}

function refusal(status: number, text: string): ApiClientError {
  const { error, message, faults } = parse(text) as {
    readonly error?: string;
    readonly message?: string;
    readonly faults?: readonly { readonly path: string; readonly message: string }[];
  };
  const lines = (faults ?? []).map((fault) => `\n  ${fault.path}: ${fault.message}`);
  return new ApiClientError(
    'REFUSED',
    `${message ?? `the recorder answered ${status}`}${lines.length > 1 ? lines.join('') : ''}`,
    error === undefined ? {} : { reason: error },
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return {};
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'somebody';
  }
}

const messageOf = (error: unknown): string => (error as { readonly message?: string } | null)?.message ?? '';
