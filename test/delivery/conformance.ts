import { createHash, randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PermanentUploadError, type Destination, type Upload } from '../../src/jobs/destination.ts';

/** A destination under test with a look behind its back, by the server's own means. */
export interface DestinationSubject {
  readonly destination: Destination;
  /** Undefined when there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  /** Every name in a folder, hidden and unfinished ones too; empty when there is no such folder. */
  list(folder: string): Promise<readonly string[]>;
  /** Puts a file there as somebody else would. */
  place(path: string, bytes: Uint8Array): Promise<void>;
  remove(): Promise<void>;
}

export const never = new AbortController().signal;
setMaxListeners(0, never);

export const uploadOf = (path: string, bytes: Uint8Array, changes: Partial<Upload> = {}): Upload => ({
  path,
  size: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  open: (from = 0) => Readable.from(inParts(bytes.subarray(from)), { objectMode: false }),
  ...changes,
});

function* inParts(bytes: Uint8Array): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_000) yield Buffer.from(bytes.subarray(at, at + 50_000));
}

/** Gives some octets, then breaks. */
const breaking = (): Readable =>
  Readable.from(
    (function* () {
      yield Buffer.alloc(100_000);
      throw Object.assign(new Error('read error'), { code: 'EIO' });
    })(),
    { objectMode: false },
  );

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === 'fulfilled') throw new Error('it did not reject');
  return result.reason as Error;
}

/**
 * Every destination must pass these; each has a file that calls this with a real server. A variant of a server that has passed them
 * all may do with the part about `put`.
 */
export function describeDestination(
  name: string,
  create: () => Promise<DestinationSubject>,
  part: 'all' | 'put' = 'all',
): void {
  describe(`destination ${name}`, () => {
    let subject: DestinationSubject;
    const destination = (): Destination => subject.destination;
    const put = (upload: Upload) => destination().put(upload, never);
    const extend = (path: string, bytes: Uint8Array) => destination().extend(uploadOf(path, bytes), never);

    beforeEach(async () => {
      subject = await create();
    });
    afterEach(async () => {
      await subject.remove();
    });

    describePut(() => ({ subject, put }));
    describeStages(() => subject);
    if (part === 'put') return;
    describeFailures(() => ({ subject, put }));
    describeExtend(() => ({ subject, extend }));
    describeLooking(() => ({ subject, put }));
  });
}

type Put = (upload: Upload) => ReturnType<Destination['put']>;

function describePut(of: () => { readonly subject: DestinationSubject; readonly put: Put }): void {
  test.each([0, 1, 65_536, 3_000_001])('stores %i octets as they are and says where', async (size) => {
    const { subject, put } = of();
    const bytes = randomBytes(size);
    const copy = await put(uploadOf('2026/11/23/a.wav', bytes));
    expect(copy.location).toContain('2026/11/23/a.wav');
    expect(copy.proof).toMatch(/^(read-back|server-checksum)$/);
    expect((await subject.read('2026/11/23/a.wav'))?.equals(bytes)).toBe(true);
    expect(await subject.list('2026/11/23')).toEqual(['a.wav']);
  });

  test('stores into the root', async () => {
    const { subject, put } = of();
    await put(uploadOf('genesis.txt', Buffer.from('x')));
    expect((await subject.read('genesis.txt'))?.toString()).toBe('x');
  });

  test('keeps every character of our names', async () => {
    const { subject, put } = of();
    const name = '20261123T184530.123Z_in_+49301234567_+4989555010_0193f0c2_hash.SHA256withRSA.sig';
    await put(uploadOf(`a b/${name}`, Buffer.from('x')));
    expect(await subject.list('a b')).toEqual([name]);
  });

  test('does nothing the second time, also when another instance did the first', async () => {
    const { subject, put } = of();
    const upload = uploadOf('d/a.wav', randomBytes(100_000));
    const first = await put(upload);
    // How it was proved may differ: a copy that is there already can only be read, or asked about.
    const { location, checksum } = first;
    expect(await put(upload)).toMatchObject({ location, checksum });
    await subject.place('d/b.wav', Buffer.from('same'));
    await put(uploadOf('d/b.wav', Buffer.from('same')));
    expect(await subject.list('d')).toEqual(['a.wav', 'b.wav']);
  });

  test.each([
    ['of another length', 'other'],
    ['of the same length', 'Xriginal'],
    ['that is a beginning', 'orig'],
    ['that goes on', 'original and more'],
    ['that is empty', ''],
  ])('refuses for good where a file stands %s, and leaves it', async (_name, there) => {
    const { subject, put } = of();
    await subject.place('d/a.wav', Buffer.from(there));
    await expect(put(uploadOf('d/a.wav', Buffer.from('original')))).rejects.toBeInstanceOf(
      PermanentUploadError,
    );
    expect((await subject.read('d/a.wav'))?.toString()).toBe(there);
    expect(await subject.list('d')).toEqual(['a.wav']);
  });

  test('lets two equal puts at once both succeed', async () => {
    const { subject, put } = of();
    const bytes = randomBytes(300_000);
    await Promise.all(Array.from({ length: 4 }, () => put(uploadOf('d/a.wav', bytes))));
    expect((await subject.read('d/a.wav'))?.equals(bytes)).toBe(true);
    expect(await subject.list('d')).toEqual(['a.wav']);
  });

  test('lets one of two different puts at once succeed, whole', async () => {
    const { subject, put } = of();
    const contents = [randomBytes(300_000), randomBytes(300_000)];
    const results = await Promise.allSettled(contents.map((bytes) => put(uploadOf('d/a.wav', bytes))));
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(results[1 - winner]).toMatchObject({ reason: { name: 'PermanentUploadError' } });
    expect((await subject.read('d/a.wav'))?.equals(contents[winner] ?? Buffer.alloc(0))).toBe(true);
    expect(await subject.list('d')).toEqual(['a.wav']);
  });
}

/** What can be stored in one go; a destination that cannot is not asked. */
function describeStages(of: () => DestinationSubject): void {
  const bytes = (text: string): Buffer => Buffer.from(text);

  test('stores files in one go where it can, again without harm, and none of a stage before all of those before it', async () => {
    const subject = of();
    const { destination } = subject;
    if (destination.putStages === undefined) return;
    const [one, two, three] = [bytes('one'), Buffer.alloc(700_000, 2), bytes('three')];
    const stages = [[uploadOf('s/1', one), uploadOf('s/2', two)], [], [uploadOf('t/3', three)]];
    for (let turn = 0; turn < 2; turn++) {
      const copies = await destination.putStages(stages, never);
      expect(copies.map(({ checksum }) => checksum)).toEqual(
        stages.flat().map(({ sha256 }) => `sha256:${sha256}`),
      );
    }
    expect([await subject.read('s/1'), await subject.read('s/2'), await subject.read('t/3')]).toEqual([
      one,
      two,
      three,
    ]);
    const taken = [[uploadOf('s/0', one), uploadOf('s/1', two)], [uploadOf('s/9', three)]];
    await expect(destination.putStages(taken, never)).rejects.toMatchObject({ fault: 'name-taken' });
    expect(await subject.read('s/1')).toEqual(one);
    expect(await subject.list('s')).toEqual(['0', '1', '2']);
  });
}

function describeFailures(of: () => { readonly subject: DestinationSubject; readonly put: Put }): void {
  test('leaves nothing when the source breaks, and stores it later', async () => {
    const { subject, put } = of();
    const bytes = randomBytes(200_000);
    const error = await rejection(put(uploadOf('d/a.wav', bytes, { open: breaking })));
    expect(error).not.toBeInstanceOf(PermanentUploadError);
    expect(await subject.list('d')).toEqual([]);
    await put(uploadOf('d/a.wav', bytes));
    expect((await subject.read('d/a.wav'))?.equals(bytes)).toBe(true);
  });

  test.each([
    ['other octets', Buffer.alloc(200_000, 1)],
    ['fewer octets', Buffer.alloc(199_999)],
    ['more octets', Buffer.alloc(200_001)],
  ])('refuses for good when the source has %s than were sealed', async (_name, bytes) => {
    const { subject, put } = of();
    const sealed = uploadOf('d/a.wav', Buffer.alloc(200_000));
    const changed = { ...uploadOf('d/a.wav', bytes), size: sealed.size, sha256: sealed.sha256 };
    await expect(put(changed)).rejects.toBeInstanceOf(PermanentUploadError);
    expect(await subject.list('d')).toEqual([]);
  });

  test('stops when told to, before and in the middle, and leaves nothing', async () => {
    const { subject } = of();
    const bytes = randomBytes(500_000);
    const early = await rejection(subject.destination.put(uploadOf('d/a.wav', bytes), AbortSignal.abort()));
    const controller = new AbortController();
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(50_000));
        controller.abort();
      },
    });
    const upload = uploadOf('d/a.wav', bytes, { open: () => endless });
    const late = await rejection(subject.destination.put(upload, controller.signal));
    for (const error of [early, late]) expect(error).not.toBeInstanceOf(PermanentUploadError);
    expect(endless.destroyed).toBe(true);
    expect(await subject.list('d')).toEqual([]);
    await subject.destination.put(uploadOf('d/a.wav', bytes), never);
    expect(await subject.list('d')).toEqual(['a.wav']);
  });

  test.each([
    '',
    '/',
    '/etc/x',
    '../x',
    'a/../../x',
    'a/./x',
    'a//x',
    'a/',
    'a\nb',
    'a\0',
    'a\\b',
    'C:x',
    '\u202Ex',
    'x.part',
    'x.',
  ])('refuses %j as a path for good', async (path) => {
    const { subject, put } = of();
    await expect(put(uploadOf(path, Buffer.from('x')))).rejects.toBeInstanceOf(PermanentUploadError);
    const upload = uploadOf(path, Buffer.from('x'));
    await expect(subject.destination.extend(upload, never)).rejects.toBeInstanceOf(PermanentUploadError);
    expect(await subject.list('')).toEqual([]);
  });
}

type Extend = (path: string, bytes: Uint8Array) => ReturnType<Destination['extend']>;

function describeExtend(of: () => { readonly subject: DestinationSubject; readonly extend: Extend }): void {
  const path = 'evidence/log/entries/000/000000.txt';

  test('lets a file grow, and leaves it when nothing is new', async () => {
    const { subject, extend } = of();
    for (const text of ['', 'one\n', 'one\ntwo\n', 'one\ntwo\n']) {
      const copy = await extend(path, Buffer.from(text));
      expect(copy.location).toContain(path);
      expect((await subject.read(path))?.toString()).toBe(text);
    }
    expect(await subject.list('evidence/log/entries/000')).toEqual(['000000.txt']);
  });

  test('leaves a longer file alone that begins with the new octets', async () => {
    const { subject, extend } = of();
    await subject.place(path, Buffer.from('one\ntwo\nthree\n'));
    await extend(path, Buffer.from('one\ntwo\n'));
    expect((await subject.read(path))?.toString()).toBe('one\ntwo\nthree\n');
  });

  test.each([
    ['shorter', 'onX'],
    ['equally long', 'one\ntwX\n'],
    ['longer', 'one\ntwX\nthree\n'],
  ])('refuses for good where a %s file says something else', async (_name, there) => {
    const { subject, extend } = of();
    await subject.place(path, Buffer.from(there));
    await expect(extend(path, Buffer.from('one\ntwo\n'))).rejects.toBeInstanceOf(PermanentUploadError);
    expect((await subject.read(path))?.toString()).toBe(there);
    expect(await subject.list('evidence/log/entries/000')).toEqual(['000000.txt']);
  });

  test('compares megabytes as well', async () => {
    const { subject, extend } = of();
    const bytes = randomBytes(2_000_000);
    await extend(path, bytes.subarray(0, 1_100_000));
    await extend(path, bytes);
    expect((await subject.read(path))?.equals(bytes)).toBe(true);
  });

  test('called at once with different lengths ends with the longest', async () => {
    const { subject, extend } = of();
    const bytes = Buffer.from('0123456789'.repeat(1000));
    await Promise.all([7000, 10_000, 1, 9000].map((length) => extend(path, bytes.subarray(0, length))));
    expect((await subject.read(path))?.equals(bytes)).toBe(true);
  });
}

/** All octets of a stored file, or undefined. */
async function contentOf(destination: Destination, path: string): Promise<Buffer | undefined> {
  const stream = await destination.open({ path }, never);
  return stream === undefined ? undefined : Buffer.concat((await stream.toArray()) as Buffer[]);
}

function describeLooking(of: () => { readonly subject: DestinationSubject; readonly put: Put }): void {
  test('gives back, describes and lists what was stored, and knows what was not', async () => {
    const { subject, put } = of();
    const { destination } = subject;
    const bytes = randomBytes(700_000);
    await put(uploadOf('a/b/c.wav', bytes));
    await put(uploadOf('a/b/b.txt', Buffer.from('x')));
    await put(uploadOf('a/b/below/d.txt', Buffer.from('y')));
    expect((await contentOf(destination, 'a/b/c.wav'))?.equals(bytes)).toBe(true);
    expect(await destination.stat({ path: 'a/b/c.wav' }, never)).toMatchObject({ size: 700_000 });
    expect((await destination.list('a/b', never)).map(({ path, size }) => [path, size])).toEqual([
      ['a/b/b.txt', 1],
      ['a/b/c.wav', 700_000],
    ]);
    expect(await destination.list('elsewhere', never)).toEqual([]);
    for (const path of ['a/b/none.wav', 'none/x.wav']) {
      expect(await destination.stat({ path }, never)).toBeUndefined();
      expect(await contentOf(destination, path)).toBeUndefined();
    }
  });

  test('removes one file for good, and says when there was none', async () => {
    const { subject, put } = of();
    const { destination } = subject;
    await put(uploadOf('d/a.wav', Buffer.from('a')));
    const { version } = await put(uploadOf('d/b.wav', Buffer.from('b')));
    const copy = { path: 'd/b.wav', ...(version !== undefined && { version }) };
    expect(await destination.remove(copy, never)).toBe(true);
    expect(await destination.remove(copy, never)).toBe(false);
    expect(await subject.list('d')).toEqual(['a.wav']);
    expect(await destination.stat({ path: 'd/b.wav' }, never)).toBeUndefined();
  });

  test('says what it can, and means it', async () => {
    const { subject, put } = of();
    const { destination } = subject;
    const { lock } = await destination.capabilities(never);
    await put(uploadOf('d/a.wav', Buffer.from('a')));
    if (lock !== 'object-lock')
      for (const attempt of [
        () => destination.setRetention({ path: 'd/a.wav' }, { until: Date.now(), mode: 'governance' }, never),
        () => destination.setHold({ path: 'd/a.wav' }, true, never),
      ])
        expect(await rejection(attempt())).toMatchObject({ fault: 'unsupported' });
    expect(await subject.list('')).toEqual(['d']);
  });
}
