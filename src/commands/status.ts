import { parseArgs } from 'node:util';
import { ApiClientError, openApiClient } from './api-client.ts';
import type { Command } from './command.ts';

interface Status {
  readonly software: string;
  readonly recording: boolean;
  readonly parts: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
}

export const status: Command = {
  usage: 'status [--config FILE]',
  summary: 'tell whether the recorder that runs here records, part by part',
  async run(args, say) {
    try {
      const { values } = parseArgs({ args: [...args], options: { config: { type: 'string' } } });
      const api = await openApiClient(values.config);
      const { software, recording, parts } = (await api.send('GET', '/status')) as Status;
      say(`${software} ${recording ? 'records' : 'DOES NOT RECORD'}`);
      for (const [part, { ok, detail }] of Object.entries(parts))
        say(`  ${part.padEnd(9)} ${ok ? 'ok' : 'FAILING'}${detail === undefined ? '' : `  (${detail})`}`);
      return recording ? 0 : 1;
    } catch (error) {
      say(`sealtape status: ${(error as Error).message}`);
      return error instanceof ApiClientError ? 1 : 2;
    }
  },
};
