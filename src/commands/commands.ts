import { call } from './call.ts';
import type { Command } from './command.ts';
import { destinations } from './destinations.ts';
import { exportRecordings } from './export.ts';
import { groups } from './groups.ts';
import { rules } from './rules.ts';
import { status } from './status.ts';
import { token } from './token.ts';
import { trace } from './trace.ts';

/** All commands by their name, in the order in which they are listed. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  call,
  destinations,
  export: exportRecordings,
  groups,
  rules,
  status,
  token,
  trace,
};
