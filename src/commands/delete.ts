import { parseArgs } from 'node:util';
import { answeredBy, openApiClient } from './api-client.ts';
import type { Command } from './command.ts';

interface Outcome {
  readonly recording: string;
  readonly state: 'deleted' | 'pending';
  readonly targets: readonly { readonly target: string; readonly result: string; readonly error?: string }[];
}

/** Through the running recorder: it alone can write the tombstone, and has the right to delete in the archives. */
export const deleteRecording: Command = {
  usage:
    'delete RECORDING --reason erasure|order --policy WORD --why TEXT [--before-its-time] [--config FILE]',
  summary: 'delete a recording in every archive by order; its tombstone stays in the evidence log',
  run: (args, say, complain = say) =>
    answeredBy('delete', complain, async () => {
      const { values, positionals } = parseArgs({
        args: [...args],
        options: {
          config: { type: 'string' },
          reason: { type: 'string' },
          policy: { type: 'string' },
          why: { type: 'string' },
          'before-its-time': { type: 'boolean', default: false },
        },
        allowPositionals: true,
      });
      const [recording, ...others] = positionals;
      const { config, reason, policy, why, 'before-its-time': early } = values;
      if (recording === undefined || others.length > 0) throw new Error('name one RECORDING');
      if (reason === undefined || policy === undefined || why === undefined)
        throw new Error('needs --reason, --policy and --why');
      const api = await openApiClient(config);
      const body = { recording, reason, policy, why, early };
      const { state, targets, ...done } = (await api.send('POST', '/deletions', { body })) as Outcome;
      for (const { target, result, error } of targets)
        say(`  ${target}: ${result}${error === undefined ? '' : ` (${error})`}`);
      say(
        state === 'deleted'
          ? `${done.recording} is deleted.`
          : `The deletion of ${done.recording} has begun and goes on when the archives allow it.`,
      );
      return state === 'deleted' ? 0 : 1;
    }),
};
