import type { Readable } from 'node:stream';
import { z } from 'zod';
import { WebError } from '../web-error.ts';
import { counted } from '../../wording.ts';
import { recordingsKnownAs, type IdQueries } from './known-recordings.ts';
import { apiRoute, RawAnswer, type ApiRoute } from './route.ts';

/** What these routes need; `jobs/hand-over.ts` fits. */
export interface HandOverPort {
  begin(order: {
    readonly recordings: readonly string[];
    readonly actor: string;
    readonly purpose: string;
  }): Promise<{
    readonly id: string;
    readonly recordings: readonly {
      readonly id: string;
      readonly fileName: string;
      readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
    }[];
    readonly files: readonly { readonly path: string; readonly bytes: Buffer }[];
  }>;
  open(
    bundle: string,
    file: { readonly recording: string; readonly name: string },
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly octets: Readable } | undefined>;
}

/** `store/recording-queries.ts` fits. */
export interface ExportQueries extends IdQueries {
  findWithParty(on: {
    readonly number?: string | undefined;
    readonly from?: number | undefined;
    readonly to?: number | undefined;
    readonly limit: number;
  }): Promise<readonly string[]>;
}

/** Recordings of one bundle: what a person can still look through, and a disk hold. */
const MOST = 1000;
const SLOWEST = 3_600_000;

const Order = z
  .strictObject({
    recordings: z
      .array(z.string().min(1).max(300))
      .max(MOST)
      .optional()
      .describe('any id or file name of each'),
    number: z.string().min(3).max(64).optional().describe('of the caller or the callee'),
    from: z.number().optional().describe('epoch milliseconds, start of the call'),
    to: z.number().optional(),
    purpose: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'not a word (small letters, digits, dashes)' })
      .default('hand-over')
      .describe('stated in the evidence log'),
  })
  .refine(
    ({ recordings, number, from, to }) =>
      (recordings !== undefined && recordings.length > 0) ||
      number !== undefined ||
      from !== undefined ||
      to !== undefined,
    { error: 'name recordings, a number, or a time' },
  );

const Bundle = z.object({
  id: z.string().describe('with it the files can be fetched for six hours'),
  recordings: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      files: z.array(z.object({ name: z.string(), bytes: z.number(), sha256: z.string() })),
    }),
  ),
  files: z
    .array(z.object({ path: z.string(), base64: z.string() }))
    .describe('proofs, checkpoints, certificates'),
});

/** Recordings for an outsider. They are read from where they are delivered, so that it works alike with every kind of archive. */
export const exportRoutes = (
  handOver: () => HandOverPort | undefined,
  queries: ExportQueries,
): readonly ApiRoute[] => [
  apiRoute({
    method: 'POST',
    path: '/exports',
    tag: 'exports',
    summary: 'Begin a hand-over: recordings with all that is needed to check them without this recorder',
    description: 'Writes an access entry for each recording into the evidence log.',
    changes: 'recordings exported',
    body: Order,
    answer: Bundle,
    handle: async ({ body, actor, note }) => {
      const recordings = await chosen(body, queries);
      note(`${counted(recordings.length, 'recording')}, ${body.purpose}`);
      const bundle = await opened(handOver)
        .begin({ recordings, actor: actor.name, purpose: body.purpose })
        .catch(refuse);
      return {
        id: bundle.id,
        recordings: bundle.recordings.map(({ id, fileName, files }) => ({
          id,
          name: fileName,
          files: files.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
        })),
        files: bundle.files.map(({ path, bytes }) => ({ path, base64: bytes.toString('base64') })),
      };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/exports/{id}/{recording}/{name}',
    tag: 'exports',
    summary: 'One file of a recording of a hand-over',
    params: z.strictObject({ id: z.uuid(), recording: z.uuid(), name: z.string().min(1).max(255) }),
    answerType: 'application/octet-stream',
    handle: async ({ params }) => {
      const { id, recording, name } = params;
      const file = await opened(handOver)
        .open(id, { recording, name }, AbortSignal.timeout(SLOWEST))
        .catch(refuse);
      if (file === undefined)
        throw new WebError('NOT_FOUND', 'There is no such file in this hand-over, or it is over.');
      const headers = { 'content-type': 'application/octet-stream', 'content-length': file.bytes };
      return new RawAnswer(200, headers, file.octets);
    },
  }),
];

function opened(handOver: () => HandOverPort | undefined): HandOverPort {
  const port = handOver();
  if (port === undefined) throw new WebError('DATABASE_AWAY', 'The database does not answer.');
  return port;
}

async function chosen(order: z.output<typeof Order>, queries: ExportQueries): Promise<readonly string[]> {
  const { recordings = [], number, from, to } = order;
  const ids = await recordingsKnownAs(recordings, queries);
  if (number !== undefined || from !== undefined || to !== undefined)
    for (const id of await queries.findWithParty({ number, from, to, limit: MOST + 1 })) ids.add(id);
  if (ids.size === 0) throw new WebError('NOT_FOUND', 'No recording fits.');
  if (ids.size > MOST)
    throw new WebError('TOO_LARGE', `More than ${MOST} recordings fit; hand them over in several parts.`);
  return [...ids];
}

/** What the hand-over says is for people; anything else is an error here. */
function refuse(error: unknown): never {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  if (code === 'NOT_SEALED' || code === 'NO_COPY')
    throw new WebError('CONFLICT', (message ?? '').replace(/^[A-Z_]+: /, ''), { cause: error });
  throw error;
}
