import type { CallPolicy, CallRecorder } from '../recorder/call.ts';
import { RECORD_ALL } from '../rules/decision.ts';
import {
  AnnouncementCalls,
  type AnnouncementCallParts,
  type AnnouncementSource,
} from './announcement-calls.ts';
import { Connection, type DrachtioAddress, type Log, type ReconnectPauses } from './connection.ts';
import type { DialogBook } from './dialog-keeper.ts';
import type { SipRequest, SipResponse } from './drachtio.ts';
import { ACCEPT, ALLOW, SUPPORTED } from './headers.ts';
import { GroupCalls, type GroupLogins, type SpokenConfirmation } from './group-calls.ts';
import type { FormerCalls } from './former-calls.ts';
import { Gate } from './gate.ts';
import { Intake } from './intake.ts';
import { LocalPlayer, type Player } from './player.ts';
import { checkRequest, FORBIDDEN, NOT_ALLOWED, unavailable } from './invite-checks.ts';
import type { ResumedCall } from './left-call.ts';
import type { Refusal } from './refusal.ts';
import { respond } from './respond.ts';
import { checkTls } from './trunk-tls.ts';
import { Trunks, type Trunk } from './trunks.ts';
import type { SeenMessage } from './wire-tap.ts';
import { DEFAULT_WATCH, Watchdog, type WatchLimits } from './watchdog.ts';

export interface SipApplicationOptions {
  readonly drachtio: DrachtioAddress;
  /** True when that is our own server, whose word about client certificates counts; see `checkTls`. */
  readonly embeddedServer?: boolean;
  /** Who may send calls; the most specific network decides. */
  readonly trunks: readonly Trunk[];
  /** Address for the SDP; default: the local address a request came in on. */
  readonly mediaAddress?: string;
  /** SHA-256 of the certificate of the media threads; without it no DTLS is answered. */
  readonly dtlsFingerprint?: string | undefined;
  readonly recorder: CallRecorder;
  /** Left out, every call is recorded. */
  readonly policy?: CallPolicy;
  /** Left out, no group can be logged in to by a call. */
  readonly logins?: GroupLogins;
  /** What confirms that in words; left out, tones do. */
  readonly spoken?: SpokenConfirmation;
  /** Left out, no announcement is played. */
  readonly announcements?: AnnouncementSource;
  /** What plays tones and announcements; left out, this thread does. Closed by whoever gives it. */
  readonly player?: Player;
  /** For the Server header, for example `Sealtape/0.1.0`. */
  readonly software: string;
  readonly log: Log;
  /** Where running calls are kept for the start after a crash. */
  readonly book?: DialogBook | undefined;
  /** Calls of a process before, taken up again, and how long each may be unheard, in ms. */
  readonly resumed?: { readonly calls: readonly ResumedCall[]; readonly patience: number };
  /** Calls of a process before that are not taken up. */
  readonly former?: FormerCalls | undefined;
  /** When recordings are ended that nobody else would end. */
  readonly watch?: Partial<WatchLimits>;
  /** Pauses between attempts to reach the SIP server again. */
  readonly reconnect?: ReconnectPauses;
  /** Told of every SIP message between a SIP server outside and us; must return at once. */
  readonly seen?: (message: SeenMessage) => void;
}

export interface SipApplication {
  /** Dialogs being recorded now. */
  readonly calls: number;
  /** False while the SIP server is gone: nobody can call. */
  readonly connected: boolean;
  /** From now on new INVITEs and OPTIONS get 503. */
  drain(): void;
  /** Sends BYE to every dialog and ends its recording; see `hangUpHeard`. */
  hangUpAll(): Promise<void>;
  /** Sends BYE to those that hear something, and states what they heard. Nothing can be played from then on. */
  hangUpHeard(): Promise<void>;
  /** Leaves the SIP server. May be called twice. */
  close(): Promise<void>;
}

/** Methods a client may try outside of what a recorder does (UAS-2). */
const UNSERVED = ['register', 'subscribe', 'notify', 'message', 'refer', 'publish'];

type Handle = (method: string, listener: (request: SipRequest, response: SipResponse) => void) => void;

/**
 * Connects to the SIP server and records what the trunks send. Resolves once calls can come in; rejects with SipError
 * BAD_SECRET or NOT_REACHABLE, RangeError for a trunk whose network cannot be read.
 */
export async function startSipApplication(options: SipApplicationOptions): Promise<SipApplication> {
  const { recorder, software, log } = options;
  const trunks = new Trunks(options.trunks);
  const watchdog = new Watchdog({ ...DEFAULT_WATCH, ...options.watch }, log);
  const connection = watchedConnection(options, watchdog);
  const gate = new Gate({ trunks, recorder, software, log });
  const player = options.player ?? new LocalPlayer();
  const played = plainCalls(options, { server: connection.server, player, draining: () => intake.draining });
  const hangUpHeard = async (): Promise<void> => {
    await player.close();
    await played.announced?.settled();
  };
  const intake: Intake = new Intake({
    ...options,
    policy: options.policy ?? { decide: () => RECORD_ALL },
    plainCalls: [played.announced, played.groups].filter((each) => each !== undefined),
    trunks,
    watchdog,
    keepWithoutAck: options.embeddedServer === true,
    server: connection.server,
  });

  const handle = barrier(connection, software, log);
  const insecure = (request: SipRequest): Refusal | undefined =>
    checkTls(request, trunks.find(request.source_address)?.tls, options.embeddedServer === true);
  handle('invite', (request, response) => {
    if (/;\s*tag\s*=/i.test(request.get('to') ?? '')) {
      respond(response, { status: 481, headers: {} }, software);
      return;
    }
    // Nobody is asked for a password on a way that is forbidden; the intake says so and states it.
    if (insecure(request) !== undefined || gate.admits(request, response)) intake.invite(request, response);
  });
  answerOptions(handle, {
    readiness: () => (intake.draining ? { ready: false, reason: 'draining' } : recorder.readiness()),
    refusal: (request) =>
      (trunks.find(request.source_address) === undefined ? FORBIDDEN : undefined) ?? insecure(request),
    software,
  });
  refuseOthers(handle, trunks, options);

  await openAndResume(connection, intake, options);
  return {
    get calls() {
      return intake.count;
    },
    get connected() {
      return connection.connected;
    },
    drain: () => {
      intake.drain();
    },
    hangUpHeard,
    hangUpAll: async () => {
      await Promise.all([hangUpHeard(), intake.hangUpAll()]);
    },
    close: async () => {
      watchdog.stop();
      if (options.player === undefined) await player.close();
      await connection.close();
    },
  };
}

/** What ordinary calls, which bring nothing to record, can be for. */
function plainCalls(
  { logins, spoken, announcements, recorder, software, log }: SipApplicationOptions,
  parts: Pick<AnnouncementCallParts, 'server' | 'player' | 'draining'>,
): { readonly announced: AnnouncementCalls | undefined; readonly groups: GroupCalls | undefined } {
  const common = { ...parts, software, log };
  return {
    announced: announcements && new AnnouncementCalls({ ...common, source: announcements, recorder }),
    groups: logins && new GroupCalls({ ...common, logins, spoken }),
  };
}

/** Calls from before the restart are there as soon as the connection is. */
async function openAndResume(
  connection: Connection,
  intake: Intake,
  { drachtio, resumed }: SipApplicationOptions,
): Promise<void> {
  await connection.open(drachtio);
  for (const call of resumed?.calls ?? []) intake.resume(call, resumed?.patience ?? 0);
}

function watchedConnection({ log, reconnect, seen }: SipApplicationOptions, watchdog: Watchdog): Connection {
  return new Connection(log, {
    onLost: () => {
      watchdog.serverLost();
    },
    onBack: () => {
      watchdog.serverBack();
    },
    ...(reconnect && { pauses: reconnect }),
    ...(seen && { seen }),
  });
}

/** A trunk is told what can be done here, and whether a call would be taken now. */
function answerOptions(
  handle: Handle,
  parts: {
    readonly readiness: CallRecorder['readiness'];
    readonly refusal: (request: SipRequest) => Refusal | undefined;
    readonly software: string;
  },
): void {
  handle('options', (request, response) => {
    const readiness = parts.readiness();
    const refusal: Refusal | undefined =
      parts.refusal(request) ??
      checkRequest(request) ??
      (readiness.ready ? undefined : unavailable(readiness.reason));
    const able = { status: 200, headers: { Allow: ALLOW, Accept: ACCEPT, Supported: SUPPORTED } };
    respond(response, refusal ?? able, parts.software);
  });
}

/** What a recorder does not do. */
function refuseOthers(
  handle: Handle,
  trunks: Trunks,
  { software, former }: Pick<SipApplicationOptions, 'software' | 'former'>,
): void {
  for (const method of UNSERVED)
    handle(method, (request, response) => {
      const known = trunks.find(request.source_address) !== undefined;
      respond(response, known ? NOT_ALLOWED : FORBIDDEN, software);
    });
  // Of dialogs we do not know: a drachtio-server hands over an INFO, ours the calls of an application that has gone.
  for (const method of ['info', 'bye', 'update'])
    handle(method, (request, response) => {
      const ends = method === 'bye' && former?.end(request) === true;
      respond(response, { status: ends ? 200 : 481, headers: {} }, software);
    });
}

/** The library prints what a listener throws and answers 500; an own barrier keeps the log in one place. */
function barrier({ server }: Connection, software: string, log: Log): Handle {
  return (method, listener) => {
    server.use(method, (request, response) => {
      try {
        listener(request, response);
      } catch (error) {
        log('error', 'a request could not be handled', { method, error: String(error) });
        respond(response, { status: 500, headers: {} }, software);
      }
    });
  };
}
