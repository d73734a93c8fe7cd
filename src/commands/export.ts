import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { answeredBy, openApiClient, type ApiClient } from './api-client.ts';
import { bundleInstructions } from './bundle-instructions.ts';
import { openBundleWriter, type BundleWriter } from './bundle-writer.ts';
import type { Command } from './command.ts';

interface BundleAnswer {
  readonly id: string;
  readonly recordings: readonly {
    readonly id: string;
    readonly name: string;
    readonly files: readonly ListedFile[];
  }[];
  readonly files: readonly { readonly path: string; readonly base64: string }[];
}

interface ListedFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

type Say = (line: string) => void;

/** Where recordings and proofs lie in a bundle. */
const PART = 'recordings/';

/**
 * Through the API of the running recorder, not past it: it alone can write the `access` entries, and it can read from every kind of
 * archive, with passwords that nobody at a terminal needs to know.
 */
export const exportRecordings: Command = {
  usage:
    'export [--recording ID]… [--number NUMBER] [--from TIME] [--to TIME] --out DIR|FILE.zip [--purpose WORD] [--config FILE]',
  summary: 'hand recordings over to an outsider, with all that is needed to check them',
  run: (args, say, complain = say) =>
    answeredBy('export', complain, async () => {
      const { values } = parseArgs({
        args: [...args],
        options: {
          recording: { type: 'string', multiple: true },
          number: { type: 'string' },
          from: { type: 'string' },
          to: { type: 'string' },
          out: { type: 'string' },
          purpose: { type: 'string' },
          config: { type: 'string' },
        },
      });
      const { out, config, recording: recordings, from, to, ...rest } = values;
      if (out === undefined) throw new Error('--out says where to: a folder, or a file that ends in .zip');
      const order = {
        ...rest,
        ...(recordings === undefined ? {} : { recordings }),
        ...(from === undefined ? {} : { from: momentOf(from, '--from') }),
        ...(to === undefined ? {} : { to: momentOf(to, '--to') }),
      };
      const api = await openApiClient(config);
      const writer = await openBundleWriter(out);
      try {
        return await handOver(api, { order, writer, out }, say);
      } catch (error) {
        await writer.discard();
        throw error;
      }
    }),
};

async function handOver(
  api: ApiClient,
  { order, writer, out }: { readonly order: object; readonly writer: BundleWriter; readonly out: string },
  say: Say,
): Promise<number> {
  const bundle = (await api.send('POST', '/exports', { body: order })) as BundleAnswer;
  const names = bundle.recordings.map(({ name }) => name);
  const texts = bundleInstructions({ madeAt: new Date().toISOString(), recordings: names });
  for (const [name, text] of Object.entries(texts)) await writer.add(name, Buffer.from(text));
  for (const { path, bytes } of await verifiers()) await writer.add(path, bytes);
  for (const { path, base64 } of bundle.files)
    await writer.add(`${PART}${path}`, Buffer.from(base64, 'base64'));
  let octets = 0;
  for (const { id, files } of bundle.recordings)
    for (const file of files) {
      const source = await api.fetchFile(`/exports/${bundle.id}/${id}/${encodeURIComponent(file.name)}`);
      await writer.add(`${PART}${file.name}`, checked(source, file));
      octets += file.bytes;
    }
  await writer.close();
  say(`${names.length} ${names.length === 1 ? 'recording' : 'recordings'}, ${octets} octets, in ${out}`);
  say(
    'To be checked with verify.sh or sealtape-verify in there; INSTRUCTIONS.txt and ANLEITUNG.txt say how.',
  );
  return 0;
}

/** Passes the octets on and fails at the end when they are not those that were sealed. */
function checked(source: Readable, { name, bytes, sha256 }: ListedFile): Readable {
  const hash = createHash('sha256');
  let count = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      count += chunk.length;
      done(null, chunk);
    },
    flush(done) {
      const intact = count === bytes && hash.digest('hex') === sha256;
      done(
        intact
          ? null
          : new Error(`${name} came as other octets than were sealed; the copy in the archive is damaged`),
      );
    },
  });
  source.once('error', (error) => check.destroy(error));
  return source.pipe(check);
}

/** The programs that check a bundle, as they lie beside this one. */
async function verifiers(): Promise<readonly { readonly path: string; readonly bytes: Buffer }[]> {
  const dist = fileURLToPath(new URL('../../', import.meta.url));
  const files = [
    { path: 'verify.sh', bytes: await readFile(join(dist, '../verify-cli/verify.sh')) },
    { path: 'sealtape-verify/package.json', bytes: Buffer.from('{ "type": "module" }\n') },
  ];
  for (const folder of ['verify-cli', 'src/evidence'])
    for (const name of await readdir(join(dist, folder)))
      if (name.endsWith('.js'))
        files.push({
          path: `sealtape-verify/${folder}/${name}`,
          bytes: await readFile(join(dist, folder, name)),
        });
  return files;
}

function momentOf(text: string, option: string): number {
  const moment = Date.parse(text);
  if (Number.isNaN(moment))
    throw new Error(`${option}: ${text} is not a time, for example 2026-11-23T14:00+01:00`);
  return moment;
}
