import { z } from 'zod';
import { idOf, type DialogBook } from './dialog-keeper.ts';
import type { SipRequest } from './drachtio.ts';

const Former = z.object({
  former: z.literal(true),
  callId: z.string().min(1),
  fromTag: z.string().min(1),
  /** Ours. */
  toTag: z.string().min(1),
  /** The recording that was cut off. */
  recording: z.string().min(1),
  /** When nobody will hang up any more, epoch milliseconds. */
  until: z.number(),
});

/** A call of a process before that is not taken up again: enough to answer its BYE, and to say which recording that was the end of. */
export type FormerCall = Readonly<z.infer<typeof Former>>;

/** What any version keeps of a running call. */
const Running = z.object({
  recording: z.string().min(1),
  signalling: z.object({ callId: z.string().min(1), fromTag: z.string().min(1), toTag: z.string().min(1) }),
});

/** No client keeps a call longer that its recorder has left. */
const KEPT_FOR = 24 * 3_600_000;

/** Of what was kept of a call, running or former; undefined when it cannot be read, or is too old even for that. */
export function readFormer(state: unknown, now: number): FormerCall | undefined {
  const former = Former.safeParse(state);
  if (former.success) return former.data.until > now ? former.data : undefined;
  const running = Running.safeParse(state);
  if (!running.success) return undefined;
  const { recording, signalling } = running.data;
  return { former: true, ...signalling, recording, until: now + KEPT_FOR };
}

export const isFormer = (state: unknown): boolean => Former.safeParse(state).success;

/** The calls that are not taken up: their BYE is answered, anything else tells the client to begin anew (RFC 3261 §12.2.2). */
export class FormerCalls {
  readonly #calls: Map<string, FormerCall>;
  readonly #book: DialogBook;
  readonly #over: (call: FormerCall) => void;

  /** `over` is told of every call that its client has ended. */
  constructor(calls: readonly FormerCall[], book: DialogBook, over: (call: FormerCall) => void) {
    this.#calls = new Map(calls.map((call) => [idOf(call), call]));
    this.#book = book;
    this.#over = over;
    for (const [id, call] of this.#calls) book.keep(id, () => JSON.stringify(call));
  }

  get calls(): readonly FormerCall[] {
    return [...this.#calls.values()];
  }

  /** Whether a BYE ends one of them. The SIP server has compared our tag. */
  end(bye: SipRequest): boolean {
    const id = idOf({ callId: bye.get('call-id') ?? '', fromTag: tagOf(bye.get('from') ?? '') });
    const call = this.#calls.get(id);
    if (call === undefined) return false;
    this.#calls.delete(id);
    this.#book.forget(id);
    this.#over(call);
    return true;
  }
}

/** A display name may hold anything. */
const tagOf = (address: string): string =>
  /;\s*tag\s*=\s*([^;\s]+)/i.exec(address.replace(/"(?:[^"\\]|\\.)*"/g, ''))?.[1] ?? '';
