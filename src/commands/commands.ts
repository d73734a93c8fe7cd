import type { Command } from './command.ts';

/** All commands by their name, in the order in which they are listed. Each is loaded when it is asked for: together they take seconds. */
export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  announcements: async () => (await import('./announcements.ts')).announcements,
  call: async () => (await import('./call.ts')).call,
  delete: async () => (await import('./delete.ts')).deleteRecording,
  deliveries: async () => (await import('./deliveries.ts')).deliveries,
  destinations: async () => (await import('./destinations.ts')).destinations,
  export: async () => (await import('./export.ts')).exportRecordings,
  groups: async () => (await import('./groups.ts')).groups,
  hold: async () => (await import('./hold.ts')).hold,
  keys: async () => (await import('./keys.ts')).keys,
  retention: async () => (await import('./retention.ts')).retention,
  rules: async () => (await import('./rules.ts')).rules,
  status: async () => (await import('./status.ts')).status,
  token: async () => (await import('./token.ts')).token,
  trace: async () => (await import('./trace.ts')).trace,
};
