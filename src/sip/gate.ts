import type { CallRecorder } from '../recorder/call.ts';
import type { Log } from './connection.ts';
import { DigestGuard, type DigestSettings } from './digest.ts';
import type { SipRequest, SipResponse } from './drachtio.ts';
import { respond } from './respond.ts';
import type { Trunks } from './trunks.ts';

export interface GateParts {
  readonly trunks: Trunks;
  readonly recorder: Pick<CallRecorder, 'refuse'>;
  readonly software: string;
  readonly log: Log;
}

/** Asks those trunks for a password that shall have one (UAS-21). */
export class Gate {
  readonly #parts: GateParts;
  readonly #guards = new Map<DigestSettings, DigestGuard>();

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /**
   * True lets an INVITE outside dialogs in; otherwise it has been answered 401. Wrong credentials are stated as a refusal; the
   * challenge that every client gets first is none.
   */
  admits(request: SipRequest, response: SipResponse): boolean {
    const { trunks, software } = this.#parts;
    const trunk = trunks.find(request.source_address);
    if (trunk?.digest === undefined) return true;
    const guard = this.#guardOf(trunk.digest);
    const verdict = guard.judge(request.method, request.get('authorization'));
    if (verdict.type === 'known') return true;
    const headers = { 'WWW-Authenticate': guard.challenge(verdict.type === 'stale') };
    respond(response, { status: 401, headers }, software);
    if (verdict.type === 'wrong') this.#state(request, trunk.name, verdict.why);
    return false;
  }

  #state(request: SipRequest, trunk: string, why: string): void {
    const { recorder, log } = this.#parts;
    log('warn', 'credentials refused', { trunk, detail: why, from: request.source_address });
    recorder.refuse({ reason: '401', detail: why, trunk, callId: request.get('call-id') ?? '' });
  }

  #guardOf(settings: DigestSettings): DigestGuard {
    const known = this.#guards.get(settings) ?? new DigestGuard(settings, Date.now);
    this.#guards.set(settings, known);
    return known;
  }
}
