import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import { Trunks } from '../sip/trunks.ts';
import { TraceFiles } from '../store/trace-files.ts';
import type { SeenMessage } from '../store/trace-record.ts';
import type { ShutdownList } from './shutdown-list.ts';

export interface Traces {
  /** Takes a message; never waits. */
  readonly see: (message: SeenMessage) => void;
  /** It was decided whether a call is recorded; of one that is not, no content is kept. */
  readonly decided: (callId: string, recorded: boolean) => void;
  /** Messages not kept since the start, of the trunks and of everybody else. */
  readonly leftOut: () => { readonly trunks: number; readonly strangers: number };
}

/** Where traces are: those of the trunks, and apart from them, so that they can wash away nothing, those of everybody else. */
export const traceFolders = ({ dataDir }: Pick<Config, 'dataDir'>): readonly [string, string] => [
  join(dataDir, 'traces'),
  join(dataDir, 'traces', 'strangers'),
];

/** Keeps what the configuration says. */
export function openTraces(config: Config, log: Log, closing: ShutdownList): Traces {
  const { keepDays, megabytes, callKilobytes } = config.traces;
  const [ofTrunks, ofStrangers] = traceFolders(config);
  const limits = { keepDays, bytes: megabytes * 1_000_000, callBytes: callKilobytes * 1000 };
  const files = new TraceFiles(ofTrunks, limits, log);
  const strangers = new TraceFiles(ofStrangers, { ...limits, bytes: limits.bytes / 10 }, log);
  closing.add('traces', async () => {
    await Promise.all([files.close(), strangers.close()]);
  });
  const trunks = new Trunks(config.trunks);
  return {
    see: (message) => {
      const known = message.remote === '' || trunks.find(hostOf(message.remote)) !== undefined;
      (known ? files : strangers).keep(message);
    },
    decided: (callId, recorded) => {
      files.keepBare(callId, !recorded);
    },
    leftOut: () => ({ trunks: files.leftOut, strangers: strangers.leftOut }),
  };
}

const hostOf = (remote: string): string => remote.slice(0, remote.lastIndexOf(':')).replace(/^\[|\]$/g, '');
