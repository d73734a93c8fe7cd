import { Buffer } from 'node:buffer';
import {
  checkpointPath,
  entryFilePath,
  formatEntryFile,
  keyrollPath,
  tokenPath,
} from '../../src/evidence/layout.ts';
import { slugOf } from '../../src/evidence/origin.ts';
import type { FindingCode } from '../../src/evidence/finding.ts';
import { flip } from './tamperings.ts';
import type { FixtureKeys, Twist, WholeArchive } from './whole-archive.ts';

type Files = Map<string, Buffer>;
type Change = (files: Files, archive: WholeArchive, keys: FixtureKeys) => void;

/** One change from the intact archive of `fixtures/evidence`: what was done, and how a verifier names it. */
export interface Alteration {
  /** Folder: `altered-<name>`. */
  readonly name: string;
  /** For the table of the README. */
  readonly what: string;
  readonly twist?: Twist;
  readonly change?: Change;
  /** Code and beginning of the message of `sealtape-verify`. */
  readonly found: readonly [code: FindingCode, detail: RegExp];
  /** What `verify.sh` says; undefined for what it leaves to `sealtape-verify`. */
  readonly shell?: RegExp;
  /** Files of `fixtures/evidence` that the verifying person must have kept. */
  readonly with?: readonly (readonly ['--cert' | '--genesis' | '--since', file: string])[];
}

const read = (files: Files, path: string): Buffer => {
  const bytes = files.get(path);
  if (bytes === undefined) throw new Error(`no ${path}`);
  return bytes;
};

const place = ({ calls }: WholeArchive, at: 0 | 1 | 2 | 3): string => `${calls[at].folder}${calls[at].name}`;

/** Rewrites a text file; throws when nothing changes. */
function edit(files: Files, path: string, change: (text: string) => string): void {
  const before = read(files, path).toString('latin1');
  const after = change(before);
  if (after === before) throw new Error(`${path} stays as it is`);
  files.set(path, Buffer.from(after, 'latin1'));
}

const inList =
  (change: (text: string) => string): Change =>
  (files, archive) => {
    edit(files, `${place(archive, 0)}_hash.txt`, change);
  };

const inProof =
  (change: (text: string) => string): Change =>
  (files, archive) => {
    edit(files, `${place(archive, 0)}.tlog-proof`, change);
  };

const inEntries =
  (change: (text: string) => string): Change =>
  (files, { main }) => {
    edit(files, entryFilePath(main.origin, 0), change);
  };

const inCheckpoint =
  (change: (text: string) => string): Change =>
  (files, { main, sizes }) => {
    edit(files, checkpointPath(main.origin, sizes[2], 'txt'), change);
  };

function cut(files: Files, { main, sizes, calls }: WholeArchive): void {
  const from = calls[3].index - 1;
  files.set(entryFilePath(main.origin, 0), formatEntryFile(main.entries.slice(0, from)));
  for (const path of [...files.keys()]) if (path.includes(calls[3].name)) files.delete(path);
  if (sizes[2] <= from) throw new Error('nothing is cut off');
}

function withoutFile(files: Files, path: string): void {
  if (!files.delete(path)) throw new Error(`no ${path}`);
}

const LISTS: readonly Alteration[] = (
  [
    [
      'list-one-file',
      'the list names only one of the two files',
      (text) => text.replace(/\n.*\n$/, '\n'),
      /should list the info file and the audio/,
    ],
    [
      'list-garbage',
      'a line that is no hash stands beside the valid ones',
      (text) => `${text}all is well\n`,
      /BAD_HASH_FILE/,
    ],
    [
      'list-path',
      'a name leads out of the folder',
      (text) => text.replace('  ', '  ../'),
      /BAD_HASH_FILE: name/,
    ],
    [
      'list-twice',
      'a file is named twice',
      (text) => `${text.split('\n')[0] ?? ''}\n${text}`,
      /BAD_HASH_FILE: no file, or one named twice/,
    ],
    [
      'list-upper-case',
      'a hash is written in upper case',
      (text) => text.replace(/^[0-9a-f]{64}/, (hash) => hash.toUpperCase()),
      /BAD_HASH_FILE/,
    ],
    ['list-crlf', 'the lines end as on Windows', (text) => text.replaceAll('\n', '\r\n'), /BAD_HASH_FILE/],
    ['list-bom', 'a byte order mark stands in front', (text) => `\u00ef\u00bb\u00bf${text}`, /BAD_HASH_FILE/],
    [
      'list-binary-mark',
      'a star stands for the second space',
      (text) => text.replace('  ', ' *'),
      /BAD_HASH_FILE/,
    ],
  ] satisfies readonly (readonly [string, string, (text: string) => string, RegExp])[]
).map(([name, what, change, detail]) => ({
  name,
  what,
  change: inList(change),
  found: ['HASH_FILE_INVALID', detail] as const,
  shell: /_hash\.txt/,
}));

const PROOFS: readonly Alteration[] = (
  [
    [
      'proof-too-long',
      'the proof has a hash too many',
      (text) => text.replace(/\n\n/, `\n${'A'.repeat(43)}=\n\n`),
      /does not lead from the entry/,
    ],
    [
      'proof-too-short',
      'the proof has a hash too few',
      (text) => text.replace(/(index \d+\n)[^\n]+\n/, '$1'),
      /does not lead from the entry/,
    ],
    [
      'proof-index-beyond',
      'the proof is for a leaf that the tree does not have',
      (text) => text.replace(/index \d+/, 'index 9999'),
      /is for entry 9999/,
    ],
    [
      'proof-size-zero',
      'the proof leads to an empty tree',
      (text) => text.replace(/\n\d+\n([A-Za-z0-9+/]{43}=\n\n)/, '\n0\n$1'),
      /BAD_CHECKPOINT: size 0/,
    ],
    [
      'proof-stray-bits',
      'a hash is written with stray bits',
      (text) =>
        text.replace(
          /(index \d+\n[^\n]{42})(.)=/,
          (_, head: string, last: string) => `${head}${stray(last)}=`,
        ),
      /BAD_PROOF: not in canonical form/,
    ],
    [
      'proof-leading-zero',
      'the index has a leading zero',
      (text) => text.replace('index ', 'index 0'),
      /BAD_PROOF/,
    ],
  ] satisfies readonly (readonly [string, string, (text: string) => string, RegExp])[]
).map(([name, what, change, detail]) => ({
  name,
  what,
  change: inProof(change),
  found: ['PROOF_INVALID', detail] as const,
  shell: /\.tlog-proof/,
}));

/** The next digit of base64: other unused bits, the same octets. */
function stray(digit: string): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return digits[digits.indexOf(digit) + 1] ?? '';
}

const RECORDINGS: readonly Alteration[] = [
  {
    name: 'audio',
    what: 'one bit of a recording is flipped',
    change: (files, archive) => {
      flip(files, `${place(archive, 0)}.wav`, 40);
    },
    found: ['FILE_ALTERED', /is not what was hashed and signed/],
    shell: /\.wav: is not what was hashed and signed/,
  },
  {
    name: 'info',
    what: 'the caller of a recording is changed',
    change: (files, archive) => {
      edit(files, `${place(archive, 0)}_info.txt`, (text) => text.replace('+49301234567', '+49301234568'));
    },
    found: ['FILE_ALTERED', /is not what was hashed and signed/],
    shell: /_info\.txt: is not what was hashed and signed/,
  },
  {
    name: 'signature',
    what: 'one bit of a signature is flipped',
    change: (files, archive) => {
      flip(files, `${place(archive, 0)}_hash.SHA256withRSA.sig`, 100);
    },
    found: ['SIGNATURE_INVALID', /does not fit/],
    shell: /_hash\.SHA256withRSA\.sig/,
  },
  {
    name: 'missing-recording',
    what: 'all files of a recording are deleted, the log does not say so',
    change: (files, { calls }) => {
      for (const path of [...files.keys()]) if (path.includes(calls[1].name)) files.delete(path);
    },
    found: ['RECORDING_MISSING', /is not in the archive/],
    shell: /is not in the archive/,
  },
  {
    name: 'swapped-audio',
    what: 'the audio of two recordings is exchanged',
    change: (files, archive) => {
      const [one, other] = [`${place(archive, 0)}.wav`, `${place(archive, 3)}.wav`];
      const [first, second] = [read(files, one), read(files, other)];
      files.set(one, second);
      files.set(other, first);
    },
    found: ['SWAPPED', /has the content of/],
    shell: /\.wav: is not what was hashed and signed/,
  },
  {
    name: 'extra-file',
    what: 'a file that nobody signed lies beside a recording',
    change: (files, archive) => {
      files.set(`${place(archive, 0)}_extra.wav`, Buffer.from('RIFF'));
    },
    found: ['FILE_NOT_LISTED', /is not in the list that was signed/],
    shell: /_extra\.wav: is not in the list that was signed/,
  },
];

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
export const ALTERATIONS: readonly Alteration[] = [
  ...RECORDINGS,
  ...LISTS,
  ...PROOFS,
  ...LOGS,
  ...KEYS,
  ...TIMES,
];
