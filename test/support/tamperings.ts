import { Buffer } from 'node:buffer';
import type { ArchiveBuilder } from './evidence-archive.ts';
import { entryFilePath, formatEntryFile, genesisPath } from '../../src/evidence/layout.ts';
import { slugOf } from '../../src/evidence/origin.ts';

/** One way of tampering with the archive of `buildArchive`, and what a verifier has to name. */
export interface Tampering {
  readonly name: string;
  readonly tamper: (files: Map<string, Buffer>, builder: ArchiveBuilder) => void;
  /** Must stand in the report of every verifier. */
  readonly named: (builder: ArchiveBuilder) => readonly RegExp[];
}

type Files = Map<string, Buffer>;

export function flip(files: Files, path: string, position: number, bit = 0): void {
  const bytes = Buffer.from(read(files, path));
  const at = position < 0 ? bytes.length + position : position;
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
  files.set(path, bytes);
}

function read(files: Files, path: string): Buffer {
  const bytes = files.get(path);
  if (bytes === undefined) throw new Error(`no ${path}`);
  return bytes;
}

function swap(files: Files, one: string, other: string): void {
  const [first, second] = [read(files, one), read(files, other)];
  files.set(one, second);
  files.set(other, first);
}

const quoted = (text: string): RegExp => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));

const callAt = ({ calls }: ArchiveBuilder, at: number): { path: string; name: string; index: number } => {
  const call = calls[at];
  if (call === undefined) throw new Error(`no call ${at}`);
  return { path: call.folder + call.name, name: call.name, index: call.index };
};

const ENDINGS = ['.wav', '_info.txt', '_hash.txt', '_hash.SHA256withRSA.sig'] as const;

const flipsInRecording: readonly Tampering[] = ENDINGS.flatMap((ending) =>
  (
    [
      [0, 5],
      [40, 0],
      [-1, 0],
    ] as const
  ).map(([position, bit]) => ({
    name: `bit ${bit} of octet ${position} of a recording's ${ending} is flipped`,
    tamper: (files: Files, builder: ArchiveBuilder) => {
      flip(files, `${callAt(builder, 2).path}${ending}`, position, bit);
    },
    named: (builder: ArchiveBuilder) => [quoted(`${callAt(builder, 2).path}${ending}`)],
  })),
);

const entries = (builder: ArchiveBuilder): string => entryFilePath(builder.origin, 0);
const below = (builder: ArchiveBuilder, name: string): string => `evidence/${slugOf(builder.origin)}/${name}`;
const lastSize = (builder: ArchiveBuilder): number => builder.entries.length;
const certificate = (builder: ArchiveBuilder): string =>
  [...builder.files.keys()].find((path) => path.endsWith('.pem')) ?? '';

const flipsInEvidence: readonly Tampering[] = (
  [
    ['the first octet of the entry file', entries, 0],
    ['an origin in the entry file', entries, 30],
    ['an octet in the middle of the entry file', entries, 1500],
    ['the last octet of the entry file', entries, -1],
    ['an octet of the last entry', entries, -30],
    ['the first octet of genesis', (builder) => genesisPath(builder.origin), 0],
    ['the last octet of genesis', (builder) => genesisPath(builder.origin), -1],
    ['the origin of a checkpoint', (builder) => below(builder, `checkpoint/${lastSize(builder)}.txt`), 2],
    ['the root of a checkpoint', (builder) => below(builder, `checkpoint/${lastSize(builder)}.txt`), -10],
    ['the stray bits of a root', (builder) => below(builder, `checkpoint/${lastSize(builder)}.txt`), -3],
    ['the end of a checkpoint', (builder) => below(builder, `checkpoint/${lastSize(builder)}.txt`), -1],
    [
      'the signature of a checkpoint',
      (builder) => below(builder, `checkpoint/${lastSize(builder)}.sig`),
      100,
    ],
    ['the certificate', certificate, 200],
    ['the first octet of the certificate', certificate, 0],
    ['the last octet of the certificate', certificate, -1],
  ] satisfies readonly (readonly [string, (builder: ArchiveBuilder) => string, number])[]
).map(([what, path, position]) => ({
  name: `a bit of ${what} is flipped`,
  tamper: (files, builder) => {
    flip(files, path(builder), position);
  },
  named: (builder) => [quoted(path(builder))],
}));

const withoutEntries = (files: Files, builder: ArchiveBuilder, kept: (index: number) => boolean): void => {
  files.set(entries(builder), formatEntryFile(builder.entries.filter((_, index) => kept(index))));
};

const removals: readonly Tampering[] = [
  {
    name: 'all files of a recording are deleted',
    tamper: (files, builder) => {
      for (const path of [...files.keys()]) if (path.includes(callAt(builder, 1).name)) files.delete(path);
    },
    named: (builder) => [
      quoted(builder.calls[1]?.id ?? ''),
      new RegExp(`entry ${callAt(builder, 1).index}\\b`),
    ],
  },
  ...ENDINGS.map((ending) => ({
    name: `the ${ending} of a recording is deleted`,
    tamper: (files: Files, builder: ArchiveBuilder) => {
      files.delete(`${callAt(builder, 0).path}${ending}`);
    },
    named: (builder: ArchiveBuilder) => [quoted(`${callAt(builder, 0).path}${ending}`)],
  })),
  {
    name: 'the audio of two recordings is exchanged',
    tamper: (files, builder) => {
      swap(files, `${callAt(builder, 2).path}.wav`, `${callAt(builder, 3).path}.wav`);
    },
    named: (builder) => [quoted(`${callAt(builder, 2).path}.wav`), quoted(`${callAt(builder, 3).path}.wav`)],
  },
  {
    name: 'two recordings are exchanged with all their files',
    tamper: (files, builder) => {
      for (const ending of ENDINGS)
        swap(files, `${callAt(builder, 2).path}${ending}`, `${callAt(builder, 3).path}${ending}`);
    },
    named: (builder) => [quoted(callAt(builder, 2).path), quoted(callAt(builder, 3).path)],
  },
  {
    name: 'hash list and signature of two recordings are exchanged',
    tamper: (files, builder) => {
      for (const ending of ['_hash.txt', '_hash.SHA256withRSA.sig'])
        swap(files, `${callAt(builder, 2).path}${ending}`, `${callAt(builder, 3).path}${ending}`);
    },
    named: (builder) => [quoted(callAt(builder, 2).path), quoted(callAt(builder, 3).path)],
  },
  {
    name: 'one entry is deleted',
    tamper: (files, builder) => {
      withoutEntries(files, builder, (index) => index !== 5);
    },
    named: () => [/entry 5\b/],
  },
  {
    name: 'two entries are exchanged',
    tamper: (files, builder) => {
      const order = builder.entries.map((_, index) => (index === 5 ? 6 : index === 6 ? 5 : index));
      files.set(
        entries(builder),
        formatEntryFile(order.map((index) => builder.entries[index] ?? Buffer.alloc(0))),
      );
    },
    named: () => [/entry 6\b/],
  },
  {
    name: 'the end of the log and its recordings are cut off while a checkpoint remembers them',
    tamper: (files, builder) => {
      const from = callAt(builder, 4);
      withoutEntries(files, builder, (index) => index < from.index - 1);
      for (const path of [...files.keys()]) if (path.includes(from.name)) files.delete(path);
    },
    named: (builder) => [quoted(`checkpoint/${lastSize(builder)}.txt`)],
  },
  {
    name: 'a file that nobody signed lies beside a recording',
    tamper: (files, builder) => {
      files.set(`${callAt(builder, 0).path}_extra.wav`, Buffer.from('RIFF'));
    },
    named: (builder) => [quoted(`${callAt(builder, 0).path}_extra.wav`)],
  },
  {
    name: 'the list names only one of the files',
    tamper: (files, builder) => {
      const path = `${callAt(builder, 0).path}_hash.txt`;
      files.set(path, read(files, path).subarray(0, read(files, path).indexOf('\n') + 1));
    },
    named: (builder) => [quoted(`${callAt(builder, 0).path}_hash.txt`)],
  },
  {
    name: 'genesis is deleted',
    tamper: (files, builder) => {
      files.delete(genesisPath(builder.origin));
    },
    named: (builder) => [quoted(genesisPath(builder.origin))],
  },
  {
    name: 'the signature of a checkpoint is deleted',
    tamper: (files, builder) => {
      files.delete(below(builder, `checkpoint/${lastSize(builder)}.sig`));
    },
    named: (builder) => [quoted(`checkpoint/${lastSize(builder)}.sig`)],
  },
];

/** All of them; both verifiers must name each and end with 1. */
export const TAMPERINGS: readonly Tampering[] = [...flipsInRecording, ...flipsInEvidence, ...removals];
