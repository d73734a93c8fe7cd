import { z } from 'zod';
import { WebError } from '../web-error.ts';
import { apiRoute, RawAnswer, type ApiRoute } from './route.ts';

interface Announcement {
  readonly name: string;
  /** `*` stands for every language. */
  readonly locale: string;
  readonly sha256: string;
  readonly milliseconds: number;
  readonly encodings: readonly string[];
  readonly source: 'shipped' | 'uploaded';
  readonly addedAt?: number;
  readonly actor?: string;
}

/** What these routes need; `recorder/announcements.ts` fits. */
export interface AnnouncementShelf {
  readonly list: readonly Announcement[];
  find(name: string, locale?: string): Announcement | undefined;
  /** Rejects with code INVALID or MISSING. */
  add(upload: {
    readonly name: string;
    readonly locale: string;
    readonly file: Uint8Array;
    readonly actor: string;
  }): Promise<Announcement>;
  /** Rejects with code NO_ANNOUNCEMENT or SHIPPED. */
  remove(name: string, locale: string, actor: string): Promise<void>;
}

export interface AnnouncementsOptions {
  readonly maxBytes: number;
  /** An announcement to listen to, as a WAV file. */
  readonly listen: (name: string, locale?: string) => Promise<Buffer>;
  /** Ids of the rules that name it. */
  readonly rulesNaming: (name: string) => readonly string[];
}

const TYPES = ['audio/wav', 'audio/mpeg', 'audio/ogg', 'application/octet-stream'];

const Named = z.strictObject({
  announcement: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'not a name (small letters, digits, dashes)' }),
});
const Language = z.strictObject({
  locale: z
    .string()
    .regex(/^(?:[a-z]{2}|\*)$/, { error: 'not a language such as de or en, or * for every one' })
    .optional(),
});
const Shown = z.object({
  name: z.string(),
  locale: z.string().describe('two letters, or * for every language'),
  sha256: z.string().describe('of the file that was uploaded'),
  milliseconds: z.number(),
  encodings: z.array(z.string()),
  source: z.enum(['shipped', 'uploaded']),
  addedAt: z.number().optional(),
  actor: z.string().optional(),
});

const shown = ({ encodings, ...rest }: Announcement): z.input<typeof Shown> => ({
  ...rest,
  encodings: [...encodings],
});

const ANY = '*';

/** Announcements: what can be played to callers. */
export const announcementsRoutes = (
  shelf: AnnouncementShelf,
  options: AnnouncementsOptions,
): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/announcements',
    tag: 'announcements',
    summary: 'All announcements that can be played',
    answer: z.object({ announcements: z.array(Shown) }),
    handle: () => ({ announcements: shelf.list.map(shown) }),
  }),
  apiRoute({
    method: 'PUT',
    path: '/announcements/{announcement}',
    tag: 'announcements',
    summary: 'Adds an announcement, or replaces the one uploaded before; it holds from the next call on',
    description: 'The body is the WAV, MP3 or Ogg file itself. It is converted once, by ffmpeg.',
    changes: 'announcement added by API',
    params: Named,
    query: Language,
    raw: { limit: options.maxBytes, types: TYPES },
    answer: Shown,
    handle: async ({ params, query, body, actor, note }) => {
      const on = { name: params.announcement, locale: query.locale ?? ANY };
      const added = await shelf.add({ ...on, file: body, actor: actor.name }).catch(refused);
      note(`${on.name} ${on.locale}, ${added.milliseconds} ms`);
      return shown(added);
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/announcements/{announcement}',
    tag: 'announcements',
    summary: 'Removes an uploaded announcement',
    changes: 'announcement removed by API',
    params: Named,
    query: Language,
    handle: async ({ params, query, actor, note }) => {
      const [name, locale] = [params.announcement, query.locale ?? ANY];
      note(`${name} ${locale}`);
      keepForRules(shelf, options, { name, locale });
      await shelf.remove(name, locale, actor.name).catch(refused);
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/announcements/{announcement}/audio',
    tag: 'announcements',
    summary: 'What a caller hears, as a WAV file',
    params: Named,
    query: Language,
    answerType: 'audio/wav',
    handle: async ({ params, query }) => {
      const audio = await options.listen(params.announcement, query.locale).catch(refused);
      return new RawAnswer(200, { 'content-type': 'audio/wav', 'content-length': audio.length }, audio);
    },
  }),
];

/** The last one of a name stays as long as a rule names it: calls of that rule would get 404. */
function keepForRules(
  { list }: AnnouncementShelf,
  { rulesNaming }: AnnouncementsOptions,
  { name, locale }: { readonly name: string; readonly locale: string },
): void {
  const left = list.filter(
    (each) => each.name === name && !(each.source === 'uploaded' && each.locale === locale),
  );
  const rules = left.length === 0 ? rulesNaming(name) : [];
  if (rules.length > 0)
    throw new WebError('CONFLICT', `${name} is named by the rule ${rules.join(', ')}; change that first.`);
}

/** What can be said to whoever asked; anything else is thrown on. */
function refused(error: unknown): never {
  const { code, message = '' } = (error ?? {}) as { readonly code?: string; readonly message?: string };
  const plain = message.replace(/^[A-Z_]+: /, '');
  if (code === 'INVALID')
    throw new WebError('INVALID', `The file cannot be used: ${plain}`, { cause: error });
  if (code === 'MISSING')
    throw new WebError('CONFLICT', `The file cannot be converted here: ${plain}. Install ffmpeg.`, {
      cause: error,
    });
  if (code === 'NO_ANNOUNCEMENT') throw new WebError('NOT_FOUND', plain, { cause: error });
  if (code === 'SHIPPED') throw new WebError('CONFLICT', plain, { cause: error });
  throw error;
}
