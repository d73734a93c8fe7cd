import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AccessLog } from '../../src/jobs/access.ts';
import { seal } from '../../src/jobs/seal.ts';
import { fetchFile, type FetchDeps } from '../../src/jobs/fetch-file.ts';
import type { FileRow } from '../../src/jobs/ports.ts';
import { RetentionRoom, SIGNAL } from '../support/retention-room.ts';

let room: RetentionRoom;
let deps: FetchDeps;

beforeAll(async () => {
  room = await RetentionRoom.open();
  deps = { store: room.sealing.store, files: room.sealing.spool, destinations: room.deps.destinations };
}, 30_000);

afterAll(() => room.dispose());

const fileOf = async (recording: string, kind: FileRow['kind']): Promise<FileRow> => {
  const file = (await room.sealing.store.files(recording)).find((row) => row.kind === kind);
  if (file === undefined) throw new Error(`no ${kind}`);
  return file;
};

async function octetsOf(stream: Readable | undefined): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream ?? []) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

const archived = (name: string): string =>
  join(room.archive, room.files().find((file) => file.endsWith(name)) ?? name);

describe('a file of a sealed recording', () => {
  test('comes from the spool while it is there, whole and in part', async () => {
    const id = await room.sealing.recordCall();
    await seal(id, room.sealing.deps);
    const file = await fileOf(id, 'audio');
    const sealed = readFileSync(room.sealing.spool.path(id, file.name));
    const whole = await fetchFile(file, deps, { signal: SIGNAL });
    expect(whole?.from).toBe('spool');
    expect(await octetsOf(whole?.stream)).toEqual(sealed);
    const part = await fetchFile(file, deps, { signal: SIGNAL, range: { first: 3, last: 40 } });
    expect(await octetsOf(part?.stream)).toEqual(sealed.subarray(3, 41));
  });

  test('comes from an archive afterwards, whole and in part', async () => {
    const file = await fileOf(await room.keep('2031-11-23'), 'audio');
    const sealed = readFileSync(archived(file.name));
    const whole = await fetchFile(file, deps, { signal: SIGNAL });
    expect(whole?.from).toBe('archive');
    expect(await octetsOf(whole?.stream)).toEqual(sealed);
    for (const range of [
      { first: 0, last: 0 },
      { first: 44, last: 99 },
      { first: sealed.length - 1, last: sealed.length - 1 },
    ]) {
      const part = await fetchFile(file, deps, { signal: SIGNAL, range });
      expect(await octetsOf(part?.stream)).toEqual(sealed.subarray(range.first, range.last + 1));
    }
  });

  test('that was altered in the archive is never handed out whole', async () => {
    const file = await fileOf(await room.keep('2031-11-23'), 'info');
    const path = archived(file.name);
    const octets = readFileSync(path);
    octets[7] = (octets[7] ?? 0) ^ 1;
    writeFileSync(path, octets);
    const fetched = await fetchFile(file, deps, { signal: SIGNAL });
    await expect(octetsOf(fetched?.stream)).rejects.toMatchObject({ code: 'ALTERED' });
  });

  test('is not to be had when no archive can give it out, and the reason is told', async () => {
    const file = await fileOf(await room.keep('2031-11-23'), 'audio');
    const faults: string[] = [];
    const away = {
      ...room.deps.destinations.get('archive'),
      open: () => Promise.reject(new Error('no route')),
    };
    const fetched = await fetchFile(
      file,
      { ...deps, destinations: new Map([['archive', away as never]]) },
      { signal: SIGNAL, onFault: (fault) => faults.push(fault) },
    );
    expect(fetched).toBeUndefined();
    expect(faults).toEqual(['archive: Error: no route']);
  });
});

describe('the access log', () => {
  test('states each access once, with a hash in place of the person, and the parts of a player as one', async () => {
    const id = await room.keep('2031-11-23');
    let now = Date.now();
    const log = new AccessLog(room.deps.evidence, () => now);
    const access = { recording: id, kind: 'play', actor: 'anna', purpose: 'complaint' } as const;
    await Promise.all([log.state(access), log.state(access)]);
    await log.state({ ...access, kind: 'download' });
    now += 600_001;
    await log.state(access);
    const actor = room.deps.evidence.actor('anna');
    const entries = (await room.entries('access')).filter((body) => 'rec' in body && body.rec === id);
    expect(entries).toEqual(
      ['play', 'download', 'play'].map((kind) => ({
        type: 'access',
        rec: id,
        kind,
        actor,
        purpose: 'complaint',
      })),
    );
    expect(actor).not.toContain('anna');
  });

  test('that cannot be written says so, and is written the next time', async () => {
    const failing = new AccessLog(
      { append: () => Promise.reject(new Error('away')), actor: () => 'x' },
      Date.now,
    );
    const access = { recording: 'r', kind: 'play', actor: 'anna', purpose: 'unstated' } as const;
    await expect(failing.state(access)).rejects.toThrow('away');
    await expect(failing.state(access)).rejects.toThrow('away');
  });
});
