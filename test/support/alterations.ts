import { Buffer } from 'node:buffer';
import {
  checkpointPath,
  entryFilePath,
  formatEntryFile,
  keyrollPath,
  tokenPath,
} from '../../src/evidence/layout.ts';
import { slugOf } from '../../src/evidence/origin.ts';
import { edit, inCheckpoint, inEntries, read, stray, type Alteration } from './alteration.ts';
import { RECORDING_ALTERATIONS } from './recording-alterations.ts';
import type { Twist, WholeArchive } from './whole-archive.ts';

type Files = Map<string, Buffer>;

function cut(files: Files, { main, sizes, calls }: WholeArchive): void {
  const from = calls[3].index - 1;
  files.set(entryFilePath(main.origin, 0), formatEntryFile(main.entries.slice(0, from)));
  for (const path of [...files.keys()]) if (path.includes(calls[3].name)) files.delete(path);
  if (sizes[2] <= from) throw new Error('nothing is cut off');
}

function withoutFile(files: Files, path: string): void {
  if (!files.delete(path)) throw new Error(`no ${path}`);
}

const LOGS: readonly Alteration[] = [
  {
    name: 'entry',
    what: 'one character of an entry is changed',
    change: inEntries((text) => text.replace('reason 488', 'reason 487')),
    found: ['CHAIN_BROKEN', /does not continue entry/],
    shell: /does not continue entry/,
  },
  {
    name: 'entry-duplicate-key',
    what: 'a line stands twice in an entry',
    change: inEntries((text) => text.replace('reason 488\n', 'reason 488\nreason 488\n')),
    found: ['ENTRY_INVALID', /refused: 4 lines instead of 3/],
    shell: /line reason twice/,
  },
  {
    name: 'entry-second-line-feed',
    what: 'two empty lines stand between two entries',
    change: inEntries((text) => text.replace('\n\n', '\n\n\n')),
    found: ['ENTRY_FILE_INVALID', /one blank line between them/],
    shell: /a blank line too many/,
  },
  {
    name: 'truncated-log',
    what: 'the newest entries and their recording are gone, the newest checkpoint is not',
    change: cut,
    found: ['LOG_TRUNCATED', /the end of the log is cut off/],
    shell: /the end of the log is cut off/,
  },
  {
    name: 'truncated-log-and-checkpoint',
    what: 'the newest entries are gone together with the newest checkpoint, its time stamp was forgotten; a checkpoint kept elsewhere shows it',
    change: (files, archive) => {
      cut(files, archive);
      const { main, sizes } = archive;
      for (const kind of ['txt', 'sig'] as const)
        withoutFile(files, checkpointPath(main.origin, sizes[2], kind));
      for (const path of [...files.keys()]) if (/_entry\.txt$|\.tlog-proof$/.test(path)) files.delete(path);
    },
    found: ['LOG_TRUNCATED', /entries existed when it was kept/],
    with: [['--since', 'kept/checkpoint.txt']],
  },
  {
    name: 'checkpoint-stray-bits',
    what: 'the root of a checkpoint is written with stray bits',
    change: inCheckpoint((text) => text.replace(/(.)=\n$/, (_, last: string) => `${stray(last)}=\n`)),
    found: ['CHECKPOINT_INVALID', /root is not 32 bytes in canonical base64/],
    shell: /checkpoint\/\d+/,
  },
  {
    name: 'checkpoint-leading-zero',
    what: 'the size of a checkpoint has a leading zero',
    change: inCheckpoint((text) => text.replace('\n', '\n0')),
    found: ['CHECKPOINT_INVALID', /not in canonical form/],
    shell: /checkpoint\/\d+/,
  },
  {
    name: 'open-not-closed',
    what: 'a call was begun and never ended, through two restarts',
    twist: { neverClosed: true },
    found: ['OPEN_NOT_CLOSED', /was never sealed or failed/],
  },
  {
    name: 'fork',
    what: 'the holder of the key wrote the log anew; a peer has seen it as it was',
    twist: { rewritten: true },
    found: ['WITNESS_DIFFERS', /saw this log .*written anew, or has two faces/],
  },
  {
    name: 'new-log',
    what: 'everything was deleted and a new log begun with the same key; the genesis on paper is another',
    twist: { begun: 'anew' },
    found: ['GENESIS_UNEXPECTED', /is not the genesis that was given/],
    with: [['--genesis', 'kept/genesis.txt']],
  },
  {
    name: 'epoch-unexplained',
    what: 'a second epoch begins as if nothing had been before',
    twist: { secondEpoch: 'as-new' },
    found: ['EPOCH_INVALID', /begins as if nothing had been before/],
  },
  {
    name: 'epoch-other-predecessor',
    what: 'a second epoch names a state that its predecessor never had',
    twist: { secondEpoch: 'other-predecessor' },
    found: ['EPOCH_INVALID', /is not one of that log/],
  },
  {
    name: 'epoch-missing',
    what: 'the log of the first epoch is gone',
    change: (files) => {
      for (const path of [...files.keys()]) if (path.includes('rec03_e1/')) files.delete(path);
    },
    found: ['EPOCH_MISSING', /is not here, yet/],
  },
  {
    name: 'sealed-in-two-logs',
    what: 'a second epoch seals a recording of another log again',
    twist: { secondEpoch: 'seals-again' },
    found: ['RECORDING_TWICE', /seals recording .* as does entry/],
  },
  {
    name: 'deleted-early',
    what: 'a recording was deleted years before it was due',
    twist: { deleted: 'early' },
    found: ['DELETION_EARLY', /to be kept until 2031-11-23/],
  },
  {
    name: 'segment',
    what: 'the audio is not what the log says that it was while the call was running; everything was sealed after that',
    twist: { told: 'other-audio' },
    found: ['SEGMENT_DIFFERS', /does not begin with the 800 octets of audio that were there/],
    shell: /does not begin with the 800 octets of audio that were there/,
  },
  {
    name: 'segment-file',
    what: 'a file that the log speaks of while the call was running is not among those that were sealed',
    twist: { told: 'other-file' },
    found: ['SEGMENT_DIFFERS', /is not here, though entry/],
    shell: /is not here, though entry/,
  },
  {
    name: 'stored',
    what: 'what was stored at a destination is not what was sealed',
    twist: { told: 'other-copy' },
    found: ['STORED_DIFFERS', /is not what was sealed of recording/],
  },
  {
    name: 'deleted-held',
    what: 'a recording was deleted while it was held',
    twist: { deleted: 'held' },
    found: ['DELETION_HELD', /was deleted while it was held/],
  },
];

const KEYS: readonly Alteration[] = [
  {
    name: 'foreign-key',
    what: 'the archive was written anew with another key, and its certificate laid beside it',
    twist: { begun: 'by-stranger' },
    found: ['KEY_UNTRUSTED', /which is not the key of the given certificate/],
    shell: /no trusted certificate/,
    with: [['--cert', 'keys/recorder.pem']],
  },
  {
    name: 'swapped-certificate',
    what: 'the certificate beside the evidence is exchanged',
    change: (files, { main }, keys) => {
      const path =
        [...files.keys()].find((each) => each.includes(slugOf(main.origin)) && each.endsWith('.pem')) ?? '';
      files.set(path, Buffer.from(keys.stranger.certificatePem));
    },
    found: ['CERTIFICATE_INVALID', /is not the certificate that its name says/],
    shell: /is not the certificate that its name says/,
  },
  {
    name: 'old-key-after-roll',
    what: 'entries behind a key roll name the key that was replaced',
    twist: { laterKey: 'old' },
    found: ['KEY_AFTER_ROLL', /which had been replaced before/],
    shell: /which had been replaced/,
  },
  {
    name: 'keyroll-signature',
    what: "the old key's signature over a key roll is exchanged",
    change: (files, { main }) => {
      files.set(keyrollPath(main.origin, 1, 'old.sig'), read(files, keyrollPath(main.origin, 1, 'new.sig')));
    },
    found: ['KEYROLL_INVALID', /is not the signature that entry \d+ has the hash of/],
    shell: /keyroll-1\.old\.sig/,
  },
];

const TIMES: readonly Alteration[] = [
  ...(
    [
      ['other-file', 'a token is over something else than the checkpoint', /is over other content/, /\.tsr/],
      [
        'no-certificate',
        "a token came without its authority's certificate",
        /holds no certificate of its authority/,
        /\.tsr/,
      ],
      [
        'wrong-purpose',
        'the certificate of the authority is not for time stamps alone',
        /not one for time stamps alone/,
        /\.tsr/,
      ],
      [
        'expired',
        'the certificate of the authority had expired when it stamped',
        /was not valid at/,
        /\.tsr/,
      ],
      ['other-nonce', 'a token answers another query than the one kept', /the nonce differs/, /\.tsr/],
    ] satisfies readonly (readonly [NonNullable<Twist['token']>, string, RegExp, RegExp])[]
  ).map(([token, what, detail, shell]) => ({
    name: `token-${token}`,
    what,
    twist: { token },
    found: ['TOKEN_INVALID', detail] as const,
    shell,
  })),
  {
    name: 'token-missing',
    what: 'a token that an entry names is gone',
    change: (files, { main, sizes }) => {
      withoutFile(files, tokenPath(main.origin, sizes[0], 'bund'));
    },
    found: ['TOKEN_MISSING', /the token of bund for size \d+ is not here/],
    shell: /the token of bund for size \d+ is not here/,
  },
  {
    name: 'sums',
    what: 'what was stamped is not the checkpoint',
    change: (files, { main, sizes }) => {
      edit(files, checkpointPath(main.origin, sizes[0], 'sums'), (text) => text.replace(/^../, '00'));
    },
    found: ['SUMS_INVALID', /does not list the hashes/],
    shell: /\.sums/,
  },
  {
    name: 'backdated',
    what: 'entries behind a time stamp state earlier times than it',
    twist: { setBack: 3_600_000 },
    found: ['TIME_CONTRADICTED', /yet it follows entry/],
  },
];

/** Every alteration; a verifier must find each, and end with 1. */
export const ALTERATIONS: readonly Alteration[] = [...RECORDING_ALTERATIONS, ...LOGS, ...KEYS, ...TIMES];
