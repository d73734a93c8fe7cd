import type { EvidenceLog } from './evidence-log.ts';

/** Somebody hears a recording or takes a file of it. */
export interface Access {
  readonly recording: string;
  readonly kind: 'play' | 'download' | 'export';
  readonly actor: string;
  /** A word of the installation, such as `complaint`, or `unstated`. */
  readonly purpose: string;
}

/** A player asks for a file in many parts: what one actor does with one recording within this time (milliseconds) is one access. */
const ONE_ACCESS = 600_000;
const REMEMBERED = 10_000;

/** States in the evidence log who had access to which recording, and why (evidence.md 1.4, WpHG § 83(9)). */
export class AccessLog {
  readonly #evidence: Pick<EvidenceLog, 'append' | 'actor'>;
  readonly #now: () => number;
  readonly #stated = new Map<string, { readonly at: number; readonly entry: Promise<unknown> }>();

  constructor(evidence: Pick<EvidenceLog, 'append' | 'actor'>, now: () => number) {
    this.#evidence = evidence;
    this.#now = now;
  }

  /**
   * Resolves when the access is in the log; nothing may be handed out before. An access like it that was stated shortly before is the
   * same one. Rejects with StoreError.
   */
  async state(access: Access): Promise<void> {
    const { recording, kind, actor, purpose } = access;
    const key = JSON.stringify([recording, kind, actor, purpose]);
    const before = this.#stated.get(key);
    if (before !== undefined && this.#now() - before.at < ONE_ACCESS) {
      await before.entry;
      return;
    }
    if (this.#stated.size >= REMEMBERED) this.#stated.clear();
    const entry = this.#evidence.append(
      { type: 'access', rec: recording, kind, actor: this.#evidence.actor(actor), purpose },
      { recording, step: { step: kind, outcome: 'ok', detail: `${actor}, purpose ${purpose}` } },
    );
    this.#stated.set(key, { at: this.#now(), entry });
    try {
      await entry;
    } catch (error) {
      this.#stated.delete(key);
      throw error;
    }
  }
}
