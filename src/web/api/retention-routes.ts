import { z } from 'zod';
import type { DeletionResult } from '../../jobs/delete-recording.ts';
import type { ArchiveFaults } from '../../jobs/holds.ts';
import type { HoldRow } from '../../jobs/retention-orders.ts';
import type { DeletableRow, DeletionRun } from '../../jobs/retention-ports.ts';
import type { Day } from '../../rules/retention.ts';
import { WebError } from '../web-error.ts';
import { counted } from '../../wording.ts';
import { recordingsKnownAs, type IdQueries } from './known-recordings.ts';
import { apiRoute, type ApiRoute } from './route.ts';

/** What falls due by a day, and what stands in the way of its deletion. */
export interface RetentionReport {
  readonly day: Day;
  readonly due: number;
  /** Past their day, but under a hold. */
  readonly held: number;
  readonly rows: readonly DeletableRow[];
  readonly begun: readonly DeletableRow[];
  readonly lastRun?: DeletionRun | undefined;
  /** Why nothing would be deleted now. */
  readonly hindrance?: string | undefined;
}

/** Orders about keeping and deleting; `service/retention-desk.ts` fits. `recordings` are ids of our own. */
export interface RetentionDesk {
  holds(): Promise<readonly (HoldRow & { readonly recordings: number })[]>;
  place(order: {
    readonly recordings: readonly string[];
    readonly case: string;
    readonly reason: string;
    readonly actor: string;
  }): Promise<HoldRow & ArchiveFaults>;
  release(order: {
    readonly id: string;
    readonly actor: string;
    readonly reason: string;
  }): Promise<HoldRow & ArchiveFaults>;
  extend(order: {
    readonly recording: string;
    readonly until: Day;
    readonly case: string;
    readonly actor: string;
  }): Promise<ArchiveFaults>;
  delete(order: {
    readonly recording: string;
    readonly reason: 'erasure' | 'order';
    readonly policy: string;
    readonly why: string;
    readonly actor: string;
    /** Also before its last day. */
    readonly early: boolean;
  }): Promise<DeletionResult>;
  /** Somebody looked at the clock of the machine and vouches for it until the recorder is started again. */
  confirmClock(): void;
  /** Deletes what is due; undefined when that goes on for longer than anybody waits. */
  run(): Promise<DeletionRun | undefined>;
  /** By today when no day is given. */
  report(day: Day | undefined): Promise<RetentionReport>;
}

/** Recordings under one hold by one order. */
const MOST = 1000;

const Line = z.string().trim().min(3).max(500);
const AnyId = z.string().min(1).max(300).describe('any id or file name');
const Faults = z.array(z.string()).describe('archives that could not be told; our log holds all the same');

const Hold = z.object({
  id: z.string(),
  case: z.string(),
  reason: z.string(),
  actor: z.string(),
  placedAt: z.number().describe('epoch milliseconds, as all times'),
  releasedAt: z.number().optional(),
  releasedBy: z.string().optional(),
  releaseReason: z.string().optional(),
});

const Row = z.object({
  id: z.string(),
  name: z.string().optional(),
  profile: z.string().optional(),
  until: z.string().optional(),
});

const Run = z.object({
  day: z.string(),
  at: z.number(),
  outcome: z.string().describe('done, or why it ended early'),
  due: z.number(),
  deleted: z.number(),
  pending: z.number().describe('begun, but an archive still refuses'),
});

const Report = z.object({
  day: z.string(),
  due: z.number(),
  held: z.number().describe('past their day, but under a hold'),
  recordings: z.array(Row).describe(`what would be deleted, oldest first, ${MOST} at the most`),
  begun: z.array(Row).describe('deletions that an archive still refuses'),
  lastRun: Run.optional(),
  hindrance: z.string().optional().describe('why nothing would be deleted now, for example a doubtful clock'),
});

/** Legal holds, extensions and deletions on order. Each leaves an entry in the evidence log that names its actor by a hash. */
export const retentionRoutes = (
  desk: () => RetentionDesk | undefined,
  queries: IdQueries,
): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/retention',
    tag: 'retention',
    summary: 'What falls due by a day; nothing is deleted by asking',
    query: z.strictObject({ day: z.iso.date().optional().describe('today when left out') }),
    answer: Report,
    handle: async ({ query }) => {
      const { rows, begun, ...report } = await opened(desk).report(query.day).catch(refuse);
      return { ...report, recordings: rows.map(shown), begun: begun.map(shown) };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/retention/runs',
    tag: 'retention',
    summary: 'Delete now what is past its last day, as the daily run does',
    description:
      'With the same care: nothing under a hold, nothing that has not arrived everywhere, nothing while the clock is in doubt. GET /retention says what it would be.',
    changes: 'deletion run started',
    answer: z.object({
      run: Run.optional().describe('left out when it goes on; see lastRun of GET /retention'),
    }),
    handle: async ({ note }) => {
      const run = await opened(desk).run().catch(refuse);
      if (run !== undefined) note(`${run.deleted} deleted, ${run.pending} pending, ${run.outcome}`);
      return { run };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/retention/clock-confirmation',
    tag: 'retention',
    summary: 'Says that the clock is right, until the next start, when deletion waits for that',
    description:
      'For a recorder that was off for long, or whose clock the kernel does not know to be synchronised. A clock that jumped is never taken as right.',
    changes: 'clock confirmed',
    answer: z.object({ now: z.number().describe('what the clock says') }),
    handle: () => {
      opened(desk).confirmClock();
      return { now: Date.now() };
    },
  }),
  ...holdRoutes(desk, queries),
  ...orderRoutes(desk, queries),
];

const holdRoutes = (desk: () => RetentionDesk | undefined, queries: IdQueries): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/holds',
    tag: 'retention',
    summary: 'All legal holds, newest first',
    answer: z.object({ holds: z.array(Hold.extend({ recordings: z.number() })) }),
    handle: async () => ({ holds: [...(await opened(desk).holds().catch(refuse))] }),
  }),
  apiRoute({
    method: 'POST',
    path: '/holds',
    tag: 'retention',
    summary: 'Keep recordings whatever their retention says, until the hold is released',
    changes: 'hold placed',
    body: z.strictObject({
      recordings: z.array(AnyId).min(1).max(MOST),
      case: Line.describe('reference of the case'),
      reason: Line,
    }),
    answer: Hold.extend({ recordings: z.number(), faults: Faults }),
    handle: async ({ body, actor, note }) => {
      const recordings = await idsOf(body.recordings, queries);
      const order = { ...body, recordings, actor: actor.name };
      const hold = await opened(desk).place(order).catch(refuse);
      note(`${hold.id}, ${counted(recordings.length, 'recording')}`);
      return { ...hold, recordings: recordings.length, faults: [...hold.faults] };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/holds/{id}/release',
    tag: 'retention',
    summary: 'End a hold',
    description: 'Recordings that no other hold keeps are deleted when their own time has passed.',
    changes: 'hold released',
    params: z.strictObject({ id: z.uuid() }),
    body: z.strictObject({ reason: Line }),
    answer: Hold.extend({ faults: Faults }),
    handle: async ({ params, body, actor, note }) => {
      const hold = await opened(desk)
        .release({ id: params.id, reason: body.reason, actor: actor.name })
        .catch(refuse);
      note(params.id);
      return { ...hold, faults: [...hold.faults] };
    },
  }),
];

const orderRoutes = (desk: () => RetentionDesk | undefined, queries: IdQueries): readonly ApiRoute[] => [
  apiRoute({
    method: 'POST',
    path: '/retention/extensions',
    tag: 'retention',
    summary: 'Keep a recording longer, by order of an authority; never shorter',
    changes: 'retention extended',
    body: z.strictObject({
      recording: AnyId,
      until: z.iso.date().describe('the new last day'),
      case: Line.describe('reference of the order'),
    }),
    answer: z.object({ recording: z.string(), until: z.string(), faults: Faults }),
    handle: async ({ body, actor, note }) => {
      const recording = await oneOf(body.recording, queries);
      const { faults } = await opened(desk)
        .extend({ ...body, recording, actor: actor.name })
        .catch(refuse);
      note(`${recording} until ${body.until}`);
      return { recording, until: body.until, faults: [...faults] };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/deletions',
    tag: 'retention',
    summary: 'Delete a recording in every archive by order',
    description:
      'Refused while a hold is over it, and before its last day without early: true. The tombstone in the evidence log stays.',
    changes: 'deletion ordered',
    body: z.strictObject({
      recording: AnyId,
      reason: z.enum(['erasure', 'order']).describe('erasure: GDPR Art. 17; order: any other'),
      policy: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'not a word (small letters, digits, dashes)' })
        .describe('in one word what demands it, for example private-call; stated in the evidence log'),
      why: Line.describe('for people; kept in the database, not in the evidence log'),
      early: z.boolean().default(false).describe('also before its last day'),
    }),
    answer: z.object({
      recording: z.string(),
      state: z.enum(['deleted', 'pending']),
      targets: z.array(z.object({ target: z.string(), result: z.string(), error: z.string().optional() })),
    }),
    handle: async ({ body, actor, note }) => {
      const recording = await oneOf(body.recording, queries);
      const { state, targets } = await opened(desk)
        .delete({ ...body, recording, actor: actor.name })
        .catch(refuse);
      note(`${recording} ${state}, ${body.reason}, ${body.policy}`);
      return { recording, state, targets: [...targets] };
    },
  }),
];

const shown = ({ id, fileName, kept }: DeletableRow): z.input<typeof Row> => ({
  id,
  ...(fileName !== undefined && { name: fileName }),
  ...kept,
});

function opened(desk: () => RetentionDesk | undefined): RetentionDesk {
  const found = desk();
  if (found === undefined) throw new WebError('DATABASE_AWAY', 'The database does not answer.');
  return found;
}

async function idsOf(texts: readonly string[], queries: IdQueries): Promise<readonly string[]> {
  const ids = await recordingsKnownAs(texts, queries).catch(refuse);
  if (ids.size > MOST)
    throw new WebError('TOO_LARGE', `More than ${MOST} recordings fit; hold them in parts.`);
  return [...ids];
}

async function oneOf(text: string, queries: IdQueries): Promise<string> {
  const [id, ...others] = await idsOf([text], queries);
  if (id === undefined || others.length > 0)
    throw new WebError(
      'CONFLICT',
      `${others.length + 1} recordings are known as ${text}; name one by its own id.`,
    );
  return id;
}

const ANSWERS: Readonly<Record<string, 'NOT_FOUND' | 'CONFLICT' | 'DATABASE_AWAY'>> = {
  UNKNOWN_RECORDING: 'NOT_FOUND',
  UNKNOWN_HOLD: 'NOT_FOUND',
  UNKNOWN_COPIES: 'CONFLICT',
  NOT_SEALED: 'CONFLICT',
  NOT_LATER: 'CONFLICT',
  NOT_DUE: 'CONFLICT',
  STOPPING: 'DATABASE_AWAY',
  HELD: 'CONFLICT',
  UNAVAILABLE: 'DATABASE_AWAY',
};

/** What the jobs say is for people; of a database that is away only that it is. */
function refuse(cause: unknown): never {
  const { code, message = '' } = cause as { readonly code?: unknown; readonly message?: string };
  const answer = typeof code === 'string' && Object.hasOwn(ANSWERS, code) ? ANSWERS[code] : undefined;
  if (answer === undefined) throw cause;
  const detail = message.replace(/^[A-Z_]+: /, '');
  if (answer === 'DATABASE_AWAY') throw new WebError(answer, 'The database does not answer.', { cause });
  throw new WebError(answer, answer === 'NOT_FOUND' ? `This recorder does not know ${detail}.` : detail, {
    cause,
  });
}
