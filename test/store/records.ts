import { createHash } from 'node:crypto';
import type { ChainHead, EntryRow, RecordingRow, SealIntent } from '../../src/jobs/ports.ts';
import type { CaptureResult } from '../../src/media/capture.ts';
import type { CallDescription } from '../../src/siprec/description.ts';

export const ORIGIN = 'bank.example/siprec/fra1/rec01/e1';
const ZEROS = '0'.repeat(64);

export const description = (changes: Partial<CallDescription> = {}): CallDescription => ({
  direction: 'in',
  directionSource: 'metadata',
  caller: { name: 'Änne', number: '+49301234567', source: 'metadata participant 1', confidence: 'high' },
  callee: { number: '100', source: 'metadata participant 2', confidence: 'medium' },
  pbxCallId: { value: 'pbx-7', source: 'header' },
  metadataStatus: 'complete',
  participants: [
    {
      id: 'p1',
      name: 'Änne',
      aor: 'sip:+49301234567@pbx',
      sends: ['1'],
      associatedAt: '2026-11-23T18:45:30Z',
    },
    { id: 'p2', sends: [] },
  ],
  callerLine: 0,
  channelSource: 'label',
  warnings: [],
  ...changes,
});

export const opening = (id: string, changes: Partial<RecordingRow> = {}): Omit<RecordingRow, 'state'> => ({
  id,
  facts: {
    callId: `call-${id}`,
    trunk: 'loopback',
    transport: 'udp',
    remoteAddress: '127.0.0.1',
    remotePort: 5060,
  },
  description: description(),
  openedAt: 1_790_000_000_000.25,
  startedAt: 1_790_000_000_001.125,
  openIndex: 1,
  ...changes,
});

export const capture: CaptureResult = { startedAt: 1, endedAt: 2.125, files: [], legs: [] };

/** The entry that follows `head`, and the head after it. */
export function following(
  head: ChainHead,
  type = 'open',
  recording?: string,
): { entry: EntryRow; after: ChainHead } {
  const bytes = Buffer.from(
    `siprec-log-entry/v1\norigin ${head.origin}\nindex ${head.size}\nprev sha256:${head.prev}\n`,
  );
  const hash = createHash('sha256').update(bytes).digest('hex');
  const entry = { origin: head.origin, index: head.size, prev: head.prev, hash, type, bytes };
  return {
    entry: recording === undefined ? entry : { ...entry, recording },
    after: { ...head, size: head.size + 1, prev: hash, frontier: [...head.frontier, hash] },
  };
}

export const emptyHead: ChainHead = { origin: ORIGIN, size: 0, prev: ZEROS, frontier: [] };

export function intentOf(recording: string, at = 5): SealIntent {
  const { entry, after } = following(emptyHead, 'recording', recording);
  return {
    recording,
    entry,
    headAfter: { ...after, lastRecording: { fileName: 'x', index: 0, signature: 'c2ln' } },
    fileName: `name-${recording}`,
    texts: [{ name: 'x_info.txt', kind: 'info', bytes: Buffer.from([0, 255, 10, 128]) }],
    audio: [{ from: '/spool/x.part', name: 'x.wav', bytes: 44, sha256: 'ab' }],
    at,
  };
}
