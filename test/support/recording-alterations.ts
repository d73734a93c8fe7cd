import { Buffer } from 'node:buffer';
import { edit, inList, inProof, place, read, stray, type Alteration } from './alteration.ts';
import { flip } from './tamperings.ts';

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

const FILES: readonly Alteration[] = [
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

/** What can be done to the files of a recording. */
export const RECORDING_ALTERATIONS: readonly Alteration[] = [...FILES, ...LISTS, ...PROOFS];
