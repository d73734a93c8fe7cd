import { announcements } from './announcements.ts';
import { call } from './call.ts';
import type { Command } from './command.ts';
import { deleteRecording } from './delete.ts';
import { deliveries } from './deliveries.ts';
import { destinations } from './destinations.ts';
import { exportRecordings } from './export.ts';
import { groups } from './groups.ts';
import { hold } from './hold.ts';
import { keys } from './keys.ts';
import { retention } from './retention.ts';
import { rules } from './rules.ts';
import { status } from './status.ts';
import { token } from './token.ts';
import { trace } from './trace.ts';

/** All commands by their name, in the order in which they are listed. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  announcements,
  call,
  delete: deleteRecording,
  deliveries,
  destinations,
  export: exportRecordings,
  groups,
  hold,
  keys,
  retention,
  rules,
  status,
  token,
  trace,
};
