import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { hash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SpoolThreads } from '../../src/store/spool-threads.ts';
import { eventually, ROOT } from '../support/recorder-process.ts';

let folder: string;
let threads: SpoolThreads;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spool-threads-'));
  threads = new SpoolThreads(2, pathToFileURL(join(ROOT, 'dist/src/store/spool-thread.js')));
});

afterEach(() => {
  threads.close();
  rmSync(folder, { recursive: true });
});

const file = (name: string, text: string): { readonly path: string; readonly bytes: Buffer } => ({
  path: join(folder, name),
  bytes: Buffer.from(text),
});

describe('threads of the spool', () => {
  test('answer each order with what came of it, also when there are more orders than threads', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `file${n}`);
    await Promise.all(
      names.map((name) => threads.order({ what: 'create', files: [file(name, `octets of ${name}`)] })),
    );
    const digests = await Promise.all(
      names.map((name) =>
        threads.order({ what: 'digest', path: join(folder, name), audioOffset: 10, beginnings: [4] }),
      ),
    );
    expect(digests).toEqual(
      names.map((name) => ({
        bytes: 10 + name.length,
        sha256: hash('sha256', `octets of ${name}`, 'hex'),
        audioSha256: hash('sha256', name, 'hex'),
        beginnings: [hash('sha256', 'file', 'hex')],
      })),
    );
    expect(readdirSync(folder).sort()).toEqual([...names].sort());
  });

  test('end when they have nothing to do, but for one, and begin again', async () => {
    const entry = pathToFileURL(join(ROOT, 'dist/src/store/spool-thread.js'));
    const resting = new SpoolThreads(3, entry, 200);
    const work = (): Promise<unknown> =>
      Promise.all(
        ['a', 'b', 'c'].map((name) => resting.order({ what: 'create', files: [file(name, 'octets')] })),
      );
    try {
      for (let round = 0; round < 2; round += 1) {
        await work();
        expect(resting.running).toBe(3);
        await eventually(() => (resting.running === 1 ? true : undefined), 5000);
        await new Promise((resolve) => setTimeout(resolve, 300));
        expect(resting.running).toBe(1);
      }
    } finally {
      resting.close();
    }
  });

  test('say what failed by its code, and go on', async () => {
    writeFileSync(join(folder, 'there'), 'one');
    await expect(threads.order({ what: 'create', files: [file('there', 'other')] })).rejects.toMatchObject({
      name: 'StoreError',
      code: 'DIFFERENT',
      message: `DIFFERENT: ${join(folder, 'there')} already exists with other contents`,
    });
    const path = join(folder, 'missing');
    await expect(
      threads.order({ what: 'digest', path, audioOffset: 0, beginnings: [] }),
    ).rejects.toMatchObject({ code: 'ENOENT' });
    await threads.order({ what: 'create', files: [file('there', 'one')] });
    expect(readFileSync(join(folder, 'there'), 'utf8')).toBe('one');
  });

  test('refuse what they are asked for when they are closed', async () => {
    const asked = threads.order({ what: 'sync', folder });
    threads.close();
    threads.close();
    const late = threads.order({ what: 'sync', folder });
    await expect(late).rejects.toMatchObject({ code: 'CLOSED' });
    // Whether it was still done is left to chance.
    await asked.catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'CLOSED' });
    });
  });
});
