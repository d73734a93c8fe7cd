import type { Config } from '../config.ts';

/** See `LINK_WITHIN`, by the configuration; milliseconds. */
export const linkWithin = ({ announcements }: Pick<Config, 'announcements'>): number =>
  announcements.linkMinutes * 60_000;
