import { parseArgs } from 'node:util';
import { answeredBy, openApiClient } from './api-client.ts';
import type { Command } from './command.ts';

interface Status {
  readonly software: string;
  readonly recording: boolean;
  readonly parts: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
  readonly alarms: readonly { readonly severity: string; readonly text: string; readonly since: number }[];
}

export const status: Command = {
  usage: 'status [--config FILE]',
  summary: 'tell whether the recorder that runs here records, part by part',
  run: (args, say, complain = say) =>
    answeredBy('status', complain, async () => {
      const { values } = parseArgs({ args: [...args], options: { config: { type: 'string' } } });
      const api = await openApiClient(values.config);
      const { software, recording, parts, alarms } = (await api.send('GET', '/status')) as Status;
      say(`${software} ${recording ? 'records' : 'DOES NOT RECORD'}`);
      for (const [part, { ok, detail }] of Object.entries(parts))
        say(`  ${part.padEnd(9)} ${ok ? 'ok' : 'FAILING'}${detail === undefined ? '' : `  (${detail})`}`);
      for (const { severity, text, since } of alarms)
        say(
          `  ${severity === 'critical' ? 'ALARM' : 'warning'} since ${new Date(since).toISOString()}: ${text}`,
        );
      return recording ? 0 : 1;
    }),
};
