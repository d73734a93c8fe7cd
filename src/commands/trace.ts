import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig, type Config } from '../config.ts';
import { linkWithin } from '../service/announcement-links.ts';
import { databaseOf, MIGRATIONS } from '../service/database-place.ts';
import { traceFolders } from '../service/trace-opening.ts';
import { openDatabase } from '../store/database.ts';
import { RecordingQueries, type RecordingDetails } from '../store/recording-queries.ts';
import { readTraces } from '../store/trace-reader.ts';
import type { TracedMessage } from '../store/trace-record.ts';
import { tellCall, type CallStory } from './call-story.ts';
import type { Command } from './command.ts';

const USAGE = [
  'sealtape trace CALL: one call, its signalling, decisions and steps in order',
  '',
  '  CALL             id or file name of the recording, SIP Call-ID, or id of the call in the PBX',
  '  --config FILE    the configuration of the recorder (its defaults without)',
  '  --no-messages    the first line of each SIP message only',
  '  --json           everything as JSON',
  '',
  'Keys, passwords and digits are taken out of SIP messages before they are kept; see traces in the configuration.',
];

/** Messages begin before the recording and end after it. */
const AROUND = 120_000;

export const trace: Command = {
  usage: 'trace CALL [--config FILE] [--no-messages] [--json]',
  summary: "show one call's signalling, decisions and steps in order",
  helps: true,
  run: async (args, say, complain = say) => {
    let asked: ReturnType<typeof readArguments>;
    try {
      asked = readArguments(args);
    } catch (error) {
      complain(`sealtape trace: ${(error as Error).message}`);
      complain('try: sealtape trace --help');
      return 2;
    }
    if (asked === undefined) {
      USAGE.forEach(say);
      return 0;
    }
    try {
      const story = await findCall(asked.call, asked.config);
      if (story.recordings.length + story.messages.length + story.steps.length === 0) {
        say(
          `Nothing is known of ${asked.call}: no recording, no refusal, no SIP message (kept for a while only).`,
        );
        return 1;
      }
      if (asked.json) say(JSON.stringify(readable(story), null, 2));
      else tellCall(story, asked.messages).forEach(say);
      return 0;
    } catch (error) {
      const { code, message } = error as { readonly code?: string; readonly message?: string };
      if (code === undefined) throw error;
      complain(`sealtape trace: ${message ?? code}`);
      return 1;
    }
  },
};

function readArguments(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      'no-messages': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const [call, ...more] = positionals;
  if (call === undefined || more.length > 0) throw new Error('one CALL is needed');
  return { call, config: values.config, json: values.json, messages: !values['no-messages'] };
}

/** Rejects with ConfigError or StoreError. */
async function findCall(call: string, file: string | undefined): Promise<CallStory> {
  const config = loadConfig(file, resolve('.'));
  const { recordings, steps } = await askLog(call, config);
  const callIds = recordings.flatMap(callIdsOf);
  const wanted = new Set([call, ...callIds].map((id) => Buffer.from(id, 'utf8').toString('latin1')));
  const messages = await readTraces(traceFolders(config), wanted, windowOf(recordings));
  return { recordings, steps, messages, timeZone: config.timeZone };
}

async function askLog(call: string, config: Config): Promise<Pick<CallStory, 'recordings' | 'steps'>> {
  const where = databaseOf(config);
  // A recorder that never ran has no log, and asking makes none.
  if (where.kind === 'sqlite' && !existsSync(where.file)) return { recordings: [], steps: [] };
  const database = await openDatabase(where, MIGRATIONS);
  try {
    const queries = new RecordingQueries(database, linkWithin(config));
    const found = await Promise.all((await queries.findByAnyId(call)).map((id) => queries.findRecording(id)));
    const recordings = found.filter((details) => details !== undefined);
    return { recordings, steps: await queries.stepsNaming(call) };
  } finally {
    await database.close();
  }
}

/** Of both dialogs where a recording has two. */
const callIdsOf = ({ recording, steps }: RecordingDetails): readonly string[] => [
  recording.facts.callId,
  ...steps.flatMap(({ step, detail }) =>
    step === 'other half joined' && detail !== undefined ? [detail] : [],
  ),
];

/** Everything when only messages are left. */
function windowOf(recordings: readonly RecordingDetails[]): { readonly from: number; readonly to: number } {
  if (recordings.length === 0) return { from: 0, to: Infinity };
  const starts = recordings.map(({ recording }) => recording.openedAt);
  const ends = recordings.map(({ recording }) => recording.endedAt ?? Infinity);
  return { from: Math.min(...starts) - AROUND, to: Math.max(...ends) + AROUND };
}

const readable = (story: CallStory): object => ({
  ...story,
  messages: story.messages.map((message: TracedMessage) => ({ ...message, text: asText(message.text) })),
});

const asText = (octets: string): string => Buffer.from(octets, 'latin1').toString('utf8');
