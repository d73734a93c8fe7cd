import { parseArgs } from 'node:util';
import { cwd } from 'node:process';
import { loadConfig } from '../config.ts';
import { testDestination } from '../service/destination-test.ts';
import type { Command } from './command.ts';

export const destinations: Command = {
  usage: 'destinations test [NAME] [--config FILE]',
  summary: 'write, read back and remove a probe, and tell what the server can and cannot do',
  async run(args, say, complain = say) {
    try {
      const { values, positionals } = parseArgs({
        args: [...args],
        options: { config: { type: 'string' } },
        allowPositionals: true,
      });
      const [verb, name, ...rest] = positionals;
      if (verb !== 'test' || rest.length > 0) throw new Error(`usage: sealtape ${destinations.usage}`);
      const config = loadConfig(values.config, cwd());
      const chosen = config.destinations.filter((each) => name === undefined || each.name === name);
      if (chosen.length === 0)
        throw new Error(name === undefined ? 'there are none' : `there is none named ${name}`);
      const outcomes: boolean[] = [];
      for (const each of chosen) outcomes.push(await testDestination(each, say));
      return outcomes.every(Boolean) ? 0 : 1;
    } catch (error) {
      complain(`sealtape destinations: ${(error as Error).message}`);
      return 2;
    }
  },
};
