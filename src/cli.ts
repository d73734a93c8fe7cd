#!/usr/bin/env node
import { COMMANDS } from './commands/commands.ts';

async function usage(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  return `${commands.map((each) => `sealtape ${each.usage}\n    ${each.summary}`).join('\n')}
The recorder itself: npm start [-- --config FILE]. The auditor's tool: sealtape-verify PATH.`;
}

// A reader that has seen enough (`| head`) ends neither the command nor what it was asked to do.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const say = (line: string): void => {
  console.log(line);
};
const complain = (line: string): void => {
  console.error(line);
};
const isHelp = (word: string): boolean => word === '--help' || word === '-h';

const [name, ...rest] = process.argv.slice(2);
const command = name === undefined || !Object.hasOwn(COMMANDS, name) ? undefined : await COMMANDS[name]?.();
if (command !== undefined) {
  if (command.helps !== true && rest.some(isHelp)) say(`sealtape ${command.usage}\n    ${command.summary}`);
  else process.exitCode = await command.run(rest, say, complain);
} else if (name === undefined || name === 'help' || isHelp(name)) say(await usage());
else {
  complain(`sealtape: unknown command ${name}\n${await usage()}`);
  process.exitCode = 2;
}
