import { identityFrom } from '../siprec/address.ts';
import { SiprecError } from '../siprec/errors.ts';
import { parseSdp, type OfferedLine, type SessionOffer } from '../siprec/sdp.ts';
import { confirmationTones, type Confirmation } from './confirmation-tones.ts';
import type { Log } from './connection.ts';
import type { SipApplicationServer, SipDialog, SipRequest, SipResponse } from './drachtio.ts';
import { ALLOW, contactOf, identityOf } from './headers.ts';
import { Playback } from './playback.ts';
import { respond } from './respond.ts';

/** Who may log in where; wired to the recorder's policy. */
export interface GroupLogins {
  hasGroup(group: string): boolean;
  /**
   * Logs a caller in or out under one of the names the call gives. Resolves with what was done, or `refused` for somebody who is no member.
   * Rejects when it cannot be written down.
   */
  press(group: string, callers: readonly string[], key: 'login' | 'logout' | 'toggle'): Promise<Confirmation>;
}

export interface GroupCallParts {
  readonly server: SipApplicationServer;
  readonly logins: GroupLogins;
  readonly software: string;
  readonly log: Log;
}

/** A function key's call: group and key of `sip:<group>-login@…`; undefined for every other address. */
function groupKeyOf(
  uri: string,
): { readonly group: string; readonly key: 'login' | 'logout' | 'toggle' } | undefined {
  const [, group, key] = /^sips?:([a-z0-9][a-z0-9-]{0,39})-(login|logout|toggle)(?:[@;]|$)/i.exec(uri) ?? [];
  if (group === undefined) return undefined;
  return { group: group.toLowerCase(), key: key?.toLowerCase() as 'login' | 'logout' | 'toggle' };
}

/** A dialog whose client never acknowledged hears its tones all the same, this many milliseconds after the answer. */
const ACK_PATIENCE = 2000;

/**
 * Ordinary calls from phones on a listed trunk that log a member in or out: answered, confirmed by tones, hung up. Nothing of them is recorded.
 * Never rejects.
 */
export class GroupCalls {
  readonly #parts: GroupCallParts;
  readonly #playing = new Set<Playback>();

  constructor(parts: GroupCallParts) {
    this.#parts = parts;
  }

  /** Takes the call when its address is a group's key; false when it is none of ours. */
  takes(request: SipRequest, response: SipResponse, address: string): boolean {
    const pressed = groupKeyOf(request.uri);
    if (pressed === undefined || !this.#parts.logins.hasGroup(pressed.group)) return false;
    this.#serve(request, response, { ...pressed, address }).catch((error: unknown) => {
      const status = error instanceof SiprecError ? 488 : 500;
      this.#parts.log('warn', 'a group key could not be served', {
        group: pressed.group,
        error: String(error),
      });
      respond(response, { status, headers: {} }, this.#parts.software);
    });
    return true;
  }

  close(): void {
    for (const playback of this.#playing) playback.close();
  }

  async #serve(
    request: SipRequest,
    response: SipResponse,
    on: { readonly group: string; readonly key: 'login' | 'logout' | 'toggle'; readonly address: string },
  ): Promise<void> {
    const offer = parseSdp(request.body ?? '');
    const line = offer.lines.find(isHearing);
    const format = line?.formats.find(isG711);
    if (line === undefined || format === undefined)
      throw new SiprecError('NO_AUDIO', 'no G.711 line to confirm on');
    const done = await this.#parts.logins.press(on.group, callersOf(request), on.key);
    const playback = await Playback.open(on.address);
    this.#playing.add(playback);
    const finish = (): void => {
      playback.close();
      this.#playing.delete(playback);
    };
    const audio = confirmationTones(done, format.encoding as 'PCMA' | 'PCMU', format.payloadType);
    const localSdp = answerOf(offer, { line, payloadType: format.payloadType, port: playback.port, ...on });
    this.#parts.server.createUAS(
      request,
      response,
      { localSdp, headers: this.#headers(request) },
      (_error, dialog) => {
        if (dialog === undefined) finish();
        else void this.#confirm(dialog, () => playback.play(audio, targetOf(line, request))).finally(finish);
      },
    );
  }

  /** Plays once the client has acknowledged, and hangs up unless it did. */
  async #confirm(dialog: SipDialog, play: () => Promise<void>): Promise<void> {
    const over = new AbortController();
    const gone = new Promise<void>((resolve) => {
      dialog.on('destroy', () => {
        over.abort();
        resolve();
      });
    });
    await Promise.race([
      gone,
      new Promise<void>((resolve) => {
        dialog.on('ack', () => {
          resolve();
        });
        setTimeout(resolve, ACK_PATIENCE).unref();
      }),
    ]);
    await Promise.race([gone, play()]);
    if (!over.signal.aborted)
      try {
        dialog.destroy({}, () => undefined);
      } catch {
        // It ended at this very moment.
      }
  }

  #headers(request: SipRequest): Record<string, string> {
    const transport = request.protocol ?? 'udp';
    return {
      Contact: contactOf(transport),
      Allow: ALLOW,
      'Content-Type': 'application/sdp',
      Server: this.#parts.software,
    };
  }
}

/** P-Asserted-Identity first (RFC 3325: the trunk vouches for it), then From. */
function callersOf(request: SipRequest): readonly string[] {
  const asserted = identityFrom(request.get('p-asserted-identity') ?? '');
  const from = identityOf(request, 'from');
  const named = asserted ?? from;
  return [named?.number, named?.aor, identityFrom(named?.aor ?? '')?.number].flatMap((name) => name ?? []);
}

const isHearing = ({ media, port, protocol, direction, formats }: OfferedLine): boolean =>
  media === 'audio' &&
  port !== 0 &&
  /^RTP\/AVPF?$/i.test(protocol) &&
  (direction === 'sendrecv' || direction === 'recvonly') &&
  formats.some(isG711);

const isG711 = ({ encoding }: OfferedLine['formats'][number]): boolean =>
  encoding === 'PCMA' || encoding === 'PCMU';

const targetOf = (
  line: OfferedLine,
  request: SipRequest,
): { readonly address: string; readonly port: number } => ({
  address: line.address ?? request.source_address,
  port: line.port,
});

function answerOf(
  offer: SessionOffer,
  on: {
    readonly line: OfferedLine;
    readonly payloadType: number;
    readonly port: number;
    readonly address: string;
  },
): string {
  const family = on.address.includes(':') ? 'IP6' : 'IP4';
  const encoding =
    on.line.formats.find(({ payloadType }) => payloadType === on.payloadType)?.encoding ?? 'PCMA';
  const lines = offer.lines.flatMap((line) =>
    line === on.line
      ? [
          `m=audio ${on.port} ${line.protocol} ${on.payloadType}`,
          `a=rtpmap:${on.payloadType} ${encoding}/8000`,
          'a=ptime:20',
          'a=sendonly',
        ]
      : [`m=${line.media} 0 ${line.protocol} ${line.formatList.join(' ')}`],
  );
  const connection = `IN ${family} ${on.address}`;
  const head = ['v=0', `o=sealtape 1 1 ${connection}`, 's=-', `c=${connection}`, `t=${offer.timing}`];
  return `${[...head, ...lines].join('\r\n')}\r\n`;
}
