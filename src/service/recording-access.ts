import { AccessLog } from '../jobs/access.ts';
import { fetchFile } from '../jobs/fetch-file.ts';
import type { EvidenceLog } from '../jobs/evidence-log.ts';
import type { LogStore, SealFiles } from '../jobs/ports.ts';
import type { Log } from '../log.ts';
import { StoreError } from '../store/store-error.ts';
import type { RecordingFiles } from '../web/api/recordings-routes.ts';
import type { Archive } from './archive-opening.ts';

export interface AccessSources {
  readonly store: Pick<LogStore, 'copies'>;
  readonly files: Pick<SealFiles, 'path'>;
  readonly archive: Pick<Archive, 'line'>;
  readonly log: Log;
}

/** An archive that does not answer must not hold a request for ever. */
const PATIENCE = 3_600_000;

/** Gives out files of recordings, each access in the evidence log first. */
export function openRecordingFiles({ store, files, archive, log }: AccessSources): RecordingFiles {
  const logs = new WeakMap<EvidenceLog, AccessLog>();
  const accessLog = (evidence: EvidenceLog): AccessLog => {
    const known = logs.get(evidence) ?? new AccessLog(evidence, Date.now);
    logs.set(evidence, known);
    return known;
  };
  return {
    open: async (file, { range, ...access }) => {
      const line = archive.line();
      if (line === undefined) throw new StoreError('UNAVAILABLE', 'the evidence log is not open yet');
      const { recording, name } = file;
      const fetched = await fetchFile(
        file,
        { store, files, destinations: line.destinations },
        {
          range,
          signal: AbortSignal.timeout(PATIENCE),
          onFault: (reason) => {
            log('warn', 'an archive cannot give out a file', { recording, file: name, reason });
          },
        },
      );
      if (fetched === undefined) return undefined;
      try {
        await accessLog(line.evidence).state({ recording, ...access });
      } catch (error) {
        fetched.stream.destroy();
        throw error;
      }
      fetched.stream.on('error', (error) => {
        log('error', 'a file could not be given out whole', {
          recording,
          file: name,
          from: fetched.from,
          reason: String(error),
        });
      });
      return fetched;
    },
  };
}
