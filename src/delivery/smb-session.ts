import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { env } from 'node:process';
import type { Writable } from 'node:stream';
import { DeliveryError, deliveryError, type DeliveryErrorCode } from './delivery-error.ts';
import type { Session } from './session-pool.ts';

export interface SmbLogin {
  /** `//server/share` */
  readonly service: string;
  readonly port?: number | undefined;
  readonly domain?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** A Kerberos credential cache; replaces the password. */
  readonly kerberosCache?: string | undefined;
  /** `required` refuses servers that do not encrypt; `off` is for servers that cannot, signing stays required. */
  readonly encryption: 'required' | 'off';
  /** Seconds a single request may take. */
  readonly timeoutSeconds: number;
  /** Another smbclient than the one in PATH. */
  readonly program?: string | undefined;
}

/** What smbclient said to one command. */
export interface SmbAnswer {
  readonly lines: readonly string[];
  /** The first NT_STATUS_… in it, without the prefix; undefined when it went well. */
  readonly status: string | undefined;
}

/** The connection behind the session is no more; smbclient itself stays, and would say the same to every further command. */
const BROKEN =
  /^(?:CONNECTION_(?:DISCONNECTED|RESET|ABORTED|INVALID)|IO_TIMEOUT|LOCAL_DISCONNECT|PIPE_BROKEN|VIRTUAL_CIRCUIT_CLOSED|UNEXPECTED_NETWORK_ERROR|INVALID_NETWORK_RESPONSE|NETWORK_(?:NAME_DELETED|SESSION_EXPIRED|UNREACHABLE)|HOST_UNREACHABLE|USER_SESSION_DELETED|END_OF_FILE)$/;

const STATUS = /NT_STATUS_([A-Z0-9_]+)/;

const CODES: Readonly<Record<string, DeliveryErrorCode>> = {
  LOGON_FAILURE: 'DENIED',
  WRONG_PASSWORD: 'DENIED',
  PASSWORD_EXPIRED: 'DENIED',
  PASSWORD_MUST_CHANGE: 'DENIED',
  ACCOUNT_DISABLED: 'DENIED',
  ACCOUNT_EXPIRED: 'DENIED',
  ACCOUNT_LOCKED_OUT: 'DENIED',
  ACCESS_DENIED: 'DENIED',
  NETWORK_ACCESS_DENIED: 'DENIED',
  MEDIA_WRITE_PROTECTED: 'DENIED',
  BAD_NETWORK_NAME: 'MISCONFIGURED',
  NOT_SUPPORTED: 'MISCONFIGURED',
  DISK_FULL: 'DISK_FULL',
  QUOTA_EXCEEDED: 'QUOTA',
  OBJECT_NAME_INVALID: 'BAD_PATH',
  FILE_IS_A_DIRECTORY: 'BAD_PATH',
  NOT_A_DIRECTORY: 'BAD_PATH',
};

/**
 * One smbclient that stays logged in and gets one command at a time on its standard input. After each command an unknown one is
 * sent, so that the complaint about it marks the end of the answer: an exit status would only speak of the last command.
 */
export class SmbSession implements Session {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #patience: number;
  #complaints = '';
  #commands = 0;
  #waiting: { readonly marker: string; readonly resolve: (text: string) => void } | undefined;
  #sink: ((part: Buffer) => void) | undefined;
  #ended: string | undefined;
  readonly #gone: Promise<never>;

  private constructor(login: SmbLogin) {
    this.#patience = login.timeoutSeconds * 1000;
    // smbclient waits for its standard input to become readable and then takes a line: what it read ahead it would not see.
    this.#child = spawn('stdbuf', ['-i0', login.program ?? 'smbclient', ...argumentsOf(login)], {
      // Nothing of our environment, above all no secrets; times are read in UTC.
      env: {
        PATH: env['PATH'] ?? '/usr/bin',
        TZ: 'UTC',
        LC_ALL: 'C.UTF-8',
        ...(login.password !== undefined && { PASSWD_FD: '3' }),
        ...(login.kerberosCache !== undefined && { KRB5CCNAME: login.kerberosCache }),
      },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    const password = this.#child.stdio[3] as unknown as Writable;
    password.on('error', () => undefined);
    password.end(`${login.password ?? ''}\n`);
    this.#gone = new Promise((_resolve, reject) => {
      const end = (why: string): void => {
        this.#ended ??= why;
        reject(failureOf(`${this.#complaints}\n${why}`));
      };
      this.#child.on('error', (error) => {
        end(`smbclient cannot be started: ${error.message}`);
      });
      this.#child.on('close', (code, signal) => {
        end(`smbclient ended with ${String(code ?? signal)}`);
      });
    });
    this.#gone.catch(() => undefined);
    this.#child.stdin.on('error', () => undefined);
    this.#child.stdout.on('data', (part: Buffer) => this.#sink?.(part));
    this.#child.stderr.on('data', (part: Buffer) => {
      this.#hear(part.toString());
    });
  }

  /** Logs in. Rejects with PermanentUploadError for credentials, encryption or share that do not fit. */
  static async open(login: SmbLogin, signal: AbortSignal): Promise<SmbSession> {
    const session = new SmbSession(login);
    try {
      await session.ask('', signal);
      return session;
    } catch (error) {
      session.end();
      throw error;
    }
  }

  get alive(): boolean {
    return this.#ended === undefined && this.#waiting === undefined;
  }

  /**
   * The answer to one command. `octets`: how many come on standard output, to `onData`; with `patience` milliseconds it may take
   * longer than usual. A session that broke, timed out or was aborted in mid-command is ended.
   */
  async ask(
    command: string,
    signal: AbortSignal,
    options: {
      readonly octets?: number;
      readonly onData?: (part: Buffer) => void;
      readonly patience?: number;
    } = {},
  ): Promise<SmbAnswer> {
    let timer: NodeJS.Timeout | undefined;
    let stop = (): void => undefined;
    const late = new Promise<never>((_resolve, reject) => {
      stop = () => {
        reject(new DeliveryError('ABORTED', command));
      };
      const patience = this.#patience * 2 + (options.patience ?? 0);
      timer = setTimeout(() => {
        reject(
          new DeliveryError('UNREACHABLE', `no answer to ${command.slice(0, 200)} within ${patience} ms`),
        );
      }, patience);
    });
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (signal.aborted) throw new DeliveryError('ABORTED', command);
      return await Promise.race([this.#exchange(command, options), late, this.#gone]);
    } catch (error) {
      this.end();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      this.#sink = undefined;
    }
  }

  /** Holds the data back until whoever takes it has room again. */
  slowDown(until: (resume: () => void) => void): void {
    this.#child.stdout.pause();
    until(() => this.#child.stdout.resume());
  }

  end(): void {
    this.#ended ??= 'smbclient was ended';
    this.#child.kill('SIGKILL');
  }

  async #exchange(
    command: string,
    { octets = 0, onData }: { readonly octets?: number; readonly onData?: (part: Buffer) => void },
  ): Promise<SmbAnswer> {
    const marker = `end-of-answer-${(this.#commands += 1)}`;
    const data = octets === 0 ? undefined : this.#take(octets, onData);
    const text = await new Promise<string>((resolve) => {
      this.#waiting = { marker, resolve };
      this.#child.stdin.write(`${command}\n${marker}\n`);
    });
    const status = STATUS.exec(text)?.[1];
    if (status === undefined) await data;
    // What was cut off may still be on its way: the next answer could not be told from it.
    else if (data !== undefined || BROKEN.test(status)) this.end();
    return { lines: text.split('\n'), status };
  }

  #take(octets: number, onData: ((part: Buffer) => void) | undefined): Promise<void> {
    let left = octets;
    return new Promise((resolve) => {
      this.#sink = (part) => {
        left -= part.length;
        onData?.(part);
        if (left <= 0) resolve();
      };
    });
  }

  #hear(text: string): void {
    this.#complaints = (this.#complaints + text).slice(-1_000_000);
    if (this.#waiting === undefined) return;
    const { marker, resolve } = this.#waiting;
    const at = this.#complaints.indexOf(`${marker}: command not found`);
    if (at < 0) return;
    this.#waiting = undefined;
    const answer = this.#complaints.slice(0, at);
    this.#complaints = '';
    resolve(answer);
  }
}

function argumentsOf(login: SmbLogin): string[] {
  const { service, port, domain, user, encryption, kerberosCache } = login;
  return [
    service,
    // Not the machine's smb.conf, which could weaken what follows; messages to standard error, so that standard output is data alone.
    '--configfile=/dev/null',
    '-E',
    '-m',
    'SMB3',
    '--option=client min protocol=SMB3_11',
    '--option=client signing=required',
    `--client-protection=${encryption === 'required' ? 'encrypt' : 'sign'}`,
    `--use-kerberos=${kerberosCache === undefined ? 'off' : 'required'}`,
    '-t',
    String(login.timeoutSeconds),
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(domain === undefined ? [] : ['-W', domain]),
    ...(user === undefined ? [] : ['-U', user]),
  ];
}

/** What a session that did not come about, or broke, said last. */
function failureOf(text: string): Error {
  const status = STATUS.exec(text)?.[1];
  const said = text
    .replace(/Try "help"[^\n]*\n/, '')
    .trim()
    .replace(/\s*\n\s*/g, '; ')
    .slice(0, 500);
  if (/Encryption required|ENOENT|failed to run command/.test(text))
    return deliveryError('MISCONFIGURED', said);
  // What smbclient says of a credential cache that is missing, or whose ticket has ended.
  if (text.includes('suitable mechtype')) return deliveryError('DENIED', `no valid Kerberos ticket: ${said}`);
  return deliveryError(status === undefined ? 'UNREACHABLE' : codeOfStatus(status), said);
}

/** How a status of the server is to be taken. */
export const codeOfStatus = (status: string): DeliveryErrorCode => CODES[status] ?? 'UNREACHABLE';
