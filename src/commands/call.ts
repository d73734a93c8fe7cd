import { runCallCommand } from '../client/call-command.ts';
import type { Command } from './command.ts';

export const call: Command = {
  usage: 'call [--seconds 5] [--to sip:127.0.0.1:5060] [--transport udp|tcp|tls]',
  summary: 'place a test call; call --help tells all its options',
  helps: true,
  run: runCallCommand,
};
