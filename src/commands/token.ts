import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { readAdminToken } from '../store/admin-token.ts';
import type { Command } from './command.ts';

export const token: Command = {
  usage: 'token [--config FILE]',
  summary: 'print the token that the HTTP API asks for',
  async run(args, say, complain = say) {
    let file: string | undefined;
    try {
      ({ config: file } = parseArgs({ args: [...args], options: { config: { type: 'string' } } }).values);
    } catch (error) {
      complain(`sealtape token: ${(error as Error).message}`);
      return 2;
    }
    try {
      const { dataDir } = loadConfig(file, '.');
      const found = await readAdminToken(dataDir);
      if (found === undefined)
        complain(`sealtape token: ${dataDir} has none yet; the first start of the recorder makes it`);
      else say(found);
      return found === undefined ? 1 : 0;
    } catch (error) {
      complain(`sealtape token: ${(error as Error).message}`);
      return 1;
    }
  },
};
