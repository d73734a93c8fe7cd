#!/usr/bin/env node
import { COMMANDS } from './commands/commands.ts';

const USAGE = `${Object.values(COMMANDS)
  .map(({ usage, summary }) => `sealtape ${usage}\n    ${summary}`)
  .join('\n')}
The recorder itself: npm start [-- --config FILE]. The auditor's tool: sealtape-verify PATH.`;

// A reader that has seen enough (`| head`) ends neither the command nor what it was asked to do.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const [name, ...rest] = process.argv.slice(2);
const command = name === undefined || !Object.hasOwn(COMMANDS, name) ? undefined : COMMANDS[name];
if (command !== undefined)
  process.exitCode = await command.run(rest, (line) => {
    console.log(line);
  });
else if (name === undefined || /^(?:help|--help|-h)$/.test(name)) console.log(USAGE);
else {
  console.error(`sealtape: unknown command ${name}\n${USAGE}`);
  process.exitCode = 2;
}
