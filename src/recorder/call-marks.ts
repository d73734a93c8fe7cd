import { userOf } from '../siprec/address.ts';
import { planLines } from '../siprec/answer.ts';
import { ownList } from '../siprec/own-copy.ts';
import type { CallDescription, ParticipantEntry } from '../siprec/description.ts';
import type { SessionOffer } from '../siprec/sdp.ts';

/** What happens in a call beside talking. `held` and `resumed` come in pairs; `joined` and `left` are those of conferences. */
export type MarkKind = 'ringing' | 'answered' | 'held' | 'resumed' | 'transferred' | 'joined' | 'left';

/** Something that happened in a call, as its signalling tells. */
export interface Mark {
  /** When we were told, epoch milliseconds. */
  readonly at: number;
  readonly kind: MarkKind;
  /** By what it is known. */
  readonly source: string;
  /** Whom it is about, and the time the client itself gives. */
  readonly detail?: string;
}

export type MarkSeen = Omit<Mark, 'at'>;

/** Somebody of the call who is more than a place to be filled. */
interface Person {
  readonly id: string;
  readonly aor: string | undefined;
  readonly name: string;
  readonly associatedAt: string | undefined;
}

/**
 * Finds in what the client says about a call when it rang, was answered, was handed on, and who came and went (RFC 8068 §3; siprec-interop.md
 * 2.5, 4.4, 4.7, 4.8). Only what is told is marked: a call that a client offers with both parties was answered before, or nobody knows.
 */
export class CallMarks {
  #people: readonly Person[];
  #numbers: readonly string[];
  /** By what it is known that nobody has answered yet. */
  #ringing: string | undefined;
  /** Somebody left of two: who comes next takes the place. */
  #vacant: string | undefined;

  constructor(description: CallDescription, offer: SessionOffer) {
    this.#people = presentOf(description);
    this.#numbers = numbersOf(description);
    // A call that goes on after an interruption of the recorder rang long ago.
    this.#ringing = description.continues === undefined ? whyRinging(description, offer) : undefined;
  }

  /** What holds when the recording begins. */
  get first(): readonly MarkSeen[] {
    return this.#ringing === undefined ? [] : [{ kind: 'ringing', source: this.#ringing }];
  }

  /** A later offer was taken; whether all its lines are inactive. */
  offered(inactive: boolean): readonly MarkSeen[] {
    if (inactive || this.#ringing !== INACTIVE) return [];
    this.#ringing = undefined;
    return [{ kind: 'answered', source: 'the streams became active' }];
  }

  /** What changed with newer metadata, or headers. */
  described(description: CallDescription): readonly MarkSeen[] {
    const [before, now] = [this.#people, presentOf(description)];
    const [numbersBefore, numbers] = [this.#numbers, numbersOf(description)];
    this.#people = now;
    this.#numbers = numbers;
    if (before.length === 0) return now.length === 0 ? byNumbers(numbersBefore, numbers) : [];
    const changed = now.flatMap((person) => {
      const known = before.find(({ id }) => id === person.id);
      return known !== undefined && isSomebodyElse(known, person) ? [{ known, person }] : [];
    });
    const gone = before.filter((person) => !now.some((other) => isSame(person, other)));
    const come = now.filter((person) => !before.some((other) => isSame(person, other)));
    return [
      ...changed.map(({ known, person }) => transfer(known.name, person)),
      ...this.#movements(gone, come, now.length),
    ];
  }

  #movements(gone: readonly Person[], come: readonly Person[], present: number): readonly MarkSeen[] {
    const marks: MarkSeen[] = [];
    const leaving = [...gone];
    for (const person of come) {
      const before = leaving.shift()?.name ?? this.#vacant;
      if (this.#ringing !== undefined) marks.push(this.#answer(person));
      else if (before !== undefined) marks.push(transfer(before, person));
      else marks.push({ kind: 'joined', source: PARTICIPANTS, detail: detailOf(person) });
      this.#vacant = undefined;
    }
    for (const person of leaving) {
      marks.push({ kind: 'left', source: PARTICIPANTS, detail: person.name });
      if (present === 1) this.#vacant = person.name;
    }
    return marks;
  }

  #answer(person: Person): MarkSeen {
    this.#ringing = undefined;
    return { kind: 'answered', source: PARTICIPANTS, detail: detailOf(person) };
  }
}

const PARTICIPANTS = 'metadata participants';
const INACTIVE = 'all streams offered inactive';

/** CUBE offers before the answer with inactive streams; Oracle, Avaya and others name whoever calls, and later who answered. */
function whyRinging(description: CallDescription, offer: SessionOffer): string | undefined {
  const lines = planLines(offer).filter(({ accepted }) => accepted);
  if (lines.length > 0 && lines.every(({ direction }) => direction === 'inactive')) return INACTIVE;
  const placeholder = description.participants.some((person) => person.placeholder === true);
  if (placeholder) return 'metadata names a placeholder for the other party';
  const alone = presentOf(description).length === 1 && lines.length === 2;
  return alone ? 'metadata names one of two parties' : undefined;
}

const presentOf = ({ participants }: CallDescription): readonly Person[] =>
  ownList(
    participants.flatMap((entry: ParticipantEntry) =>
      entry.disassociatedAt !== undefined || entry.placeholder === true
        ? []
        : [
            {
              id: entry.id,
              aor: entry.aor,
              name: (entry.aor === undefined ? undefined : userOf(entry.aor)) ?? entry.name ?? entry.id,
              associatedAt: entry.associatedAt,
            },
          ],
    ),
  );

/** A redirection of BroadWorks gives everybody another id, and some clients put another address under the same one. */
const isSame = (one: Person, other: Person): boolean =>
  one.id === other.id || (one.aor !== undefined && one.aor === other.aor);

const isSomebodyElse = (known: Person, person: Person): boolean =>
  known.aor !== undefined && person.aor !== undefined && known.name !== person.name;

const transfer = (from: string, to: Person): MarkSeen => ({
  kind: 'transferred',
  source: PARTICIPANTS,
  detail: `${from} to ${detailOf(to)}`,
});

const detailOf = ({ name, associatedAt }: Person): string =>
  associatedAt === undefined ? name : `${name}, associated ${associatedAt}`;

const numbersOf = ({ caller, callee }: CallDescription): readonly string[] =>
  ownList([caller, callee].flatMap(({ number }) => number ?? []));

/** Clients without metadata name the parties in headers only (CUBE NBR, CUCM): one number in place of another is a transfer. */
function byNumbers(before: readonly string[], now: readonly string[]): readonly MarkSeen[] {
  const [gone, ...moreGone] = before.filter((number) => !now.includes(number));
  const [come, ...moreCome] = now.filter((number) => !before.includes(number));
  if (gone === undefined || come === undefined || moreGone.length + moreCome.length > 0) return [];
  return [{ kind: 'transferred', source: 'numbers in the headers', detail: `${gone} to ${come}` }];
}
