#!/usr/bin/env node
import { runCallCommand } from './client/call-command.ts';

const USAGE = `sealtape call [--seconds 5] [--to sip:127.0.0.1:5060] [--transport udp|tcp]   place a test call
sealtape call --help                                                         all its options
The recorder itself: npm start [-- --config FILE]. The auditor's tool: sealtape-verify PATH.`;

const [command, ...rest] = process.argv.slice(2);
switch (command) {
  case 'call':
    process.exitCode = await runCallCommand(rest, (line) => {
      console.log(line);
    });
    break;
  case undefined:
  case 'help':
  case '--help':
  case '-h':
    console.log(USAGE);
    break;
  default:
    console.error(`sealtape: unknown command ${command}\n${USAGE}`);
    process.exitCode = 2;
}
