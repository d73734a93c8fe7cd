import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AlarmBell } from '../alarm.ts';
import type { Config } from '../config.ts';
import { wavHeader } from '../media/wav-header.ts';
import { AnnouncementError } from '../recorder/announcement-error.ts';
import { Announcements } from '../recorder/announcements.ts';
import type { Policy } from '../recorder/policy.ts';
import type { Recorder } from '../recorder/recorder.ts';
import type { AnnouncementSource } from '../sip/announcement-calls.ts';
import type { SpokenConfirmation } from '../sip/group-calls.ts';
import { ThreadPlayer, type Player } from '../sip/player.ts';
import { StoredAnnouncements } from '../store/announcement-files.ts';
import { Ffmpeg } from '../store/ffmpeg.ts';
import { announcementsRoutes } from '../web/api/announcements-routes.ts';
import type { ApiRoute } from '../web/api/route.ts';
import type { ShutdownList } from './shutdown-list.ts';

/** Beside `dist`, or beside `src` where it runs as it was written. */
const PRODUCT = import.meta.url.endsWith('.ts') ? '../..' : '../../..';
const SHIPPED = fileURLToPath(new URL(`${PRODUCT}/deploy/announcements`, import.meta.url));
/** Of one conversion. */
const LONGEST_CONVERSION = 60;

export interface AnnouncementParts {
  readonly recorder: Recorder;
  readonly policy: Policy;
  readonly bell: AlarmBell;
}

/** What can be played, from the data directory and from the product. Rejects with StoreError CORRUPT for a damaged list. */
export async function openAnnouncements(config: Config, parts: AnnouncementParts): Promise<Announcements> {
  const { ffmpeg: program, timeoutSeconds, memoryMegabytes } = config.media.render;
  // What a process before left to be stated is stated before they are open.
  const opened: { announcements?: Announcements } = {};
  const announcements = await Announcements.open({
    files: new StoredAnnouncements({
      uploads: join(config.dataDir, 'announcements'),
      shipped: SHIPPED,
      maxSeconds: config.announcements.maxSeconds,
      ffmpeg: new Ffmpeg({
        program,
        timeoutSeconds: Math.min(timeoutSeconds, LONGEST_CONVERSION),
        memoryMegabytes,
      }),
    }),
    state: async (event) => {
      const onDisk = await parts.recorder.state(event);
      if (opened.announcements !== undefined) checkRules(opened.announcements, parts);
      return onDisk;
    },
    now: Date.now,
    locale: config.announcements.locale,
  });
  opened.announcements = announcements;
  checkRules(announcements, parts);
  return announcements;
}

/** The routes, which know the rules: what a rule names is not removed. */
export const announcementApi = (
  config: Config,
  announcements: Announcements,
  policy: Policy,
): readonly ApiRoute[] =>
  announcementsRoutes(announcements, {
    maxBytes: config.announcements.maxMegabytes * 1_000_000,
    rulesNaming: (name) =>
      policy.rules.set.rules.filter(({ announcement }) => announcement === name).map(({ id }) => id),
    listen: async (name, locale) => {
      const found = announcements.find(name, locale);
      if (found === undefined)
        throw new AnnouncementError('NO_ANNOUNCEMENT', `There is no announcement ${name}.`);
      const { octets } = await announcements.clip(found, 'PCMA');
      return Buffer.concat([wavHeader({ law: 'PCMA', channels: 1 }, octets.length), octets]);
    },
  });

const DAY = 86_400_000;

/** What calls can hear, and what plays it: announcements unless they are switched off, and the tones of function keys. */
export function openHearing(
  { announcements: settings }: Config,
  parts: {
    readonly announcements: Announcements;
    readonly recorder: Recorder;
    readonly closing: ShutdownList;
  },
): {
  readonly player: Player;
  readonly spoken?: SpokenConfirmation;
  readonly announcements?: AnnouncementSource;
} {
  const { announcements, recorder, closing } = parts;
  const [first = NaN, last = NaN] = (settings.ports ?? '').split('-').map(Number);
  const player = new ThreadPlayer(settings.ports === undefined ? undefined : { first, last });
  closing.add('player', () => player.close());
  const words = settings.confirm === 'words' ? { spoken: inWords(announcements) } : {};
  if (!settings.enabled) return { player, ...words };
  const { numbers, maxCalls, keepDays } = settings;
  const source: AnnouncementSource = {
    find: (name, locale) => announcements.find(name, locale),
    clip: (announcement, encoding) => announcements.clip(announcement, encoding),
    numbers,
    most: maxCalls,
    keepFor: keepDays * DAY,
    announced: (event) => recorder.state(event),
  };
  return { player, ...words, announcements: source };
}

/** Texts that tell the user of a function key what was done. */
const WORDS = { 'logged-in': 'logged-in', 'logged-out': 'logged-out', refused: 'not-a-member' } as const;

const inWords =
  (announcements: Announcements): SpokenConfirmation =>
  async (what, law) => {
    const found = announcements.find(WORDS[what]);
    // A file that cannot be read is no reason to say nothing: then tones do.
    return found && (await announcements.clip(found, law).catch(() => undefined));
  };

const MISSING = 'announcement-missing';

/**
 * Rules of the configuration file are read before it is known what can be played. One that names nothing still decides about its calls, so it
 * stops no start, but it rings.
 */
function checkRules(announcements: Announcements, { policy, bell }: AnnouncementParts): void {
  for (const { id, announcement } of policy.rules.set.rules)
    if (announcement === undefined || announcements.names.includes(announcement)) bell.clear(MISSING, id);
    else
      bell.raise({
        code: MISSING,
        subject: id,
        severity: 'warning',
        text: `the rule ${id} names the announcement ${announcement}, which does not exist`,
        fields: { rule: id, announcement },
      });
}
