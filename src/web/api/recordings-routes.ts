import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { MarkKind } from '../../recorder/call-marks.ts';
import type { RecordingFilter } from '../../jobs/log-records.ts';
import type { DeliveryRow, FileRow, StepRow } from '../../jobs/ports.ts';
import type { ListedRecording, ListPosition, RecordingDetails } from '../recording-queries.ts';
import { WebError } from '../web-error.ts';
import { byteRange, type ByteRange } from './byte-range.ts';
import { CallSummary, DecisionSummary, decisionOf, RecordingId, summaryOf } from './recording-shapes.ts';
import { apiRoute, RawAnswer, type ApiRoute } from './route.ts';

/** `store/recording-queries.ts` fits. */
export interface RecordingSearch {
  /** Newest start first; with `before`, only what comes behind it. */
  search(filter: RecordingFilter, limit: number, before?: ListPosition): Promise<readonly ListedRecording[]>;
  findRecording(id: string): Promise<RecordingDetails | undefined>;
}

/** Gives out files of sealed recordings; the wiring binds `jobs/fetch-file.ts` and `jobs/access.ts`. */
export interface RecordingFiles {
  /**
   * Undefined when no archive can give the file out now. The access is in the evidence log before the first octet is out. Rejects with
   * StoreError.
   */
  open(
    file: FileRow,
    access: {
      readonly kind: 'play' | 'download';
      readonly actor: string;
      readonly purpose: string;
      readonly range: ByteRange | undefined;
    },
  ): Promise<{ readonly from: string; readonly stream: Readable } | undefined>;
}

const Moment = z.coerce.number().optional().describe('epoch milliseconds');
const Text = z.string().min(1).max(200).optional();

const Query = z.strictObject({
  from: Moment,
  to: Moment,
  number: Text.describe('of either side; 4989* for a beginning'),
  caller: Text,
  callee: Text,
  name: Text.describe('part of the name of either side'),
  direction: z.enum(['in', 'out', 'internal', 'unknown']).optional(),
  trunk: Text,
  state: z.enum(['recording', 'ended', 'sealed', 'delivered', 'expired', 'failed']).optional(),
  id: Text.describe('recording, file name, SIP Call-ID, or any id of the call in the PBX'),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  before: z
    .string()
    .regex(/^\d{1,15}(\.\d{1,9})?_[0-9a-f-]{36}$/, { error: 'not the `next` of an answer' })
    .optional()
    .describe('`next` of the answer before'),
});

const Listed = CallSummary.extend({
  recording: z.string(),
  state: z.string(),
  startedAt: z.number().describe('epoch milliseconds'),
  endedAt: z.number().optional(),
  status: z.string().optional().describe('complete, interrupted, recovered or partial'),
  endReason: z.string().optional(),
  failReason: z.string().optional(),
  fileName: z.string().optional().describe('the common part of its files, once sealed'),
  entryIndex: z.number().optional().describe('of its entry in the evidence log'),
  decision: DecisionSummary.optional(),
  kept: z
    .object({ profile: z.string(), until: z.string().optional().describe('last day; absent: for ever') })
    .optional()
    .describe('by its retention, once sealed; holds are in /holds'),
});

const Details = Listed.extend({
  files: z.array(z.object({ name: z.string(), kind: z.string(), bytes: z.number(), sha256: z.string() })),
  archives: z.array(
    z.object({
      destination: z.string(),
      state: z.string(),
      attempts: z.number(),
      updatedAt: z.number(),
      location: z.string().optional(),
      error: z.string().optional(),
    }),
  ),
  verdicts: z.array(
    z.object({ line: z.number(), role: z.string(), word: z.string(), reasons: z.array(z.string()) }),
  ),
  steps: z.array(
    z.object({
      at: z.number(),
      step: z.string(),
      outcome: z.string(),
      detail: z.string().optional(),
      actor: z.string().optional(),
    }),
  ),
  marks: z
    .array(
      z.object({
        at: z.number().describe('when the recorder was told, epoch milliseconds'),
        kind: z.enum(['ringing', 'answered', 'held', 'resumed', 'transferred', 'joined', 'left']),
        source: z.string().describe('by what it is known'),
        detail: z.string().optional(),
      }),
    )
    .describe('what happened in the call, as its signalling tells'),
  announcements: z.array(
    z.object({
      name: z.string(),
      locale: z.string(),
      sha256: z.string(),
      at: z.number(),
      milliseconds: z.number().describe('for which it was heard'),
      whole: z.boolean(),
      numbers: z.array(z.string()),
      linkedBy: z.enum(['call-id', 'number-and-time']).describe('the latter is a conclusion'),
    }),
  ),
  related: z.array(z.object({ recording: z.string(), startedAt: z.number(), sharedId: z.string() })),
  warnings: z.array(z.string()),
});

/** Recordings: looked for, described, and their files as they were sealed. */
export const recordingsRoutes = (search: RecordingSearch, files: RecordingFiles): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/recordings',
    tag: 'recordings',
    summary: 'Recordings, newest first',
    query: Query,
    answer: z.object({
      recordings: z.array(Listed),
      next: z.string().optional().describe('give it as `before` for the next page; absent on the last'),
    }),
    handle: async ({ query: { limit, before, ...filter } }) => {
      const found = await search.search(filter, limit + 1, positionOf(before));
      const shown = found.slice(0, limit);
      const last = found.length > limit ? shown.at(-1) : undefined;
      return {
        recordings: shown.map(listedOf),
        ...(last !== undefined && { next: `${last.startedAt}_${last.id}` }),
      };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/recordings/{recording}',
    tag: 'recordings',
    summary: 'Everything the log says about one recording',
    params: RecordingId,
    answer: Details,
    handle: async ({ params }) => detailsOf(await found(search, params.recording)),
  }),
  fileRoute(search, files),
];

const fileRoute = (search: RecordingSearch, files: RecordingFiles): ApiRoute =>
  apiRoute({
    method: 'GET',
    path: '/recordings/{recording}/files/{name}',
    tag: 'recordings',
    summary: 'A file as it was sealed, whole or a part of it (Range)',
    description:
      'From the spool or the first archive that has it. A whole file is proved on its way: an altered one is never handed out in full. ' +
      'The access is an entry in the evidence log, with the hash of the actor and the purpose.',
    params: RecordingId.extend({ name: z.string().min(1).max(200) }),
    query: z.strictObject({
      as: z.enum(['play', 'download']).default('download').describe('what the log says it was for'),
      purpose: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, { error: 'not a word (small letters, digits, dashes)' })
        .default('unstated'),
    }),
    answerType: 'application/octet-stream',
    handle: async ({ params, query, actor, header }) => {
      const { files: all } = await found(search, params.recording);
      // Only names the log knows; a path made of the request never reaches the disk.
      const file = all.find(({ name }) => name === params.name);
      if (file === undefined) throw new WebError('NOT_FOUND', 'The recording has no such file.');
      const range = byteRange(header('range'), file.bytes);
      const opened = await files.open(file, {
        kind: query.as,
        actor: actor.name,
        purpose: query.purpose,
        range,
      });
      if (opened === undefined)
        throw new WebError('NOT_FOUND', 'No archive can give the file out now. The log says why.');
      return rawAnswer(file, range, opened, query.as);
    },
  });

const TYPES: Readonly<Record<string, string>> = {
  wav: 'audio/wav',
  opus: 'audio/ogg',
  pcap: 'application/vnd.tcpdump.pcap',
  txt: 'text/plain; charset=utf-8',
};

function rawAnswer(
  file: FileRow,
  range: ByteRange | undefined,
  opened: { readonly from: string; readonly stream: Readable },
  as: 'play' | 'download',
): RawAnswer {
  const length = range === undefined ? file.bytes : range.last - range.first + 1;
  const headers = {
    'Content-Type': TYPES[file.name.slice(file.name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
    'Content-Length': length,
    'Accept-Ranges': 'bytes',
    'Content-Disposition': `${as === 'play' ? 'inline' : 'attachment'}; filename*=UTF-8''${encodeURIComponent(file.name)}`,
    // RFC 9530: of the whole file, whatever part of it is asked for.
    'Repr-Digest': `sha-256=:${Buffer.from(file.sha256, 'hex').toString('base64')}:`,
    'X-Sealtape-From': encodeURIComponent(opened.from),
  };
  if (range === undefined) return new RawAnswer(200, headers, opened.stream);
  const part = `bytes ${range.first}-${range.last}/${file.bytes}`;
  return new RawAnswer(206, { ...headers, 'Content-Range': part }, opened.stream);
}

async function found(search: RecordingSearch, id: string): Promise<RecordingDetails> {
  const details = await search.findRecording(id);
  if (details === undefined) throw new WebError('NOT_FOUND', 'There is no such recording.');
  return details;
}

function positionOf(before: string | undefined): ListPosition | undefined {
  if (before === undefined) return undefined;
  const [startedAt = '', id = ''] = before.split('_');
  return { startedAt: Number(startedAt), id };
}

function listedOf(row: ListedRecording): z.input<typeof Listed> {
  const { id, state, startedAt, endedAt, status, endReason, failReason, fileName, entryIndex, decision } =
    row;
  const { kept } = row;
  return {
    ...summaryOf(row),
    recording: id,
    state,
    startedAt,
    endedAt,
    status,
    endReason,
    failReason,
    fileName,
    entryIndex,
    decision: decision === undefined ? undefined : decisionOf(decision),
    kept: kept && { ...kept },
  };
}

function detailsOf(details: RecordingDetails): z.input<typeof Details> {
  const { recording, files, deliveries, verdicts = [], steps, related = [] } = details;
  const { announcements = [], marks = [] } = details;
  return {
    ...listedOf(recording),
    files: files.map(({ name, kind, bytes, sha256 }) => ({ name, kind, bytes, sha256 })),
    archives: deliveries.map(archiveOf),
    verdicts: verdicts.map(({ line, role, word, reasons }) => ({ line, role, word, reasons: [...reasons] })),
    steps: steps.map(stepOf),
    marks: marks.map((mark) => ({ ...mark, kind: mark.kind as MarkKind })),
    announcements: announcements.map(({ id: _id, numbers, ...heard }) => ({
      ...heard,
      numbers: [...numbers],
    })),
    related: related.map(({ id, startedAt, sharedId }) => ({ recording: id, startedAt, sharedId })),
    warnings: [...recording.description.warnings],
  };
}

const archiveOf = ({ destination, state, attempts, updatedAt, location, error }: DeliveryRow) => ({
  destination,
  state,
  attempts,
  updatedAt,
  location,
  error,
});

const stepOf = ({ at, step, outcome, detail, actor }: StepRow) => ({ at, step, outcome, detail, actor });
