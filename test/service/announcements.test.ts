import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { announcements as command } from '../../src/commands/announcements.ts';
import { loadConfig, type Config } from '../../src/config.ts';
import type { Announcements } from '../../src/recorder/announcements.ts';
import type { AnnouncementChangeEvent, StatedEvent } from '../../src/recorder/events.ts';
import { Policy, type PolicyState } from '../../src/recorder/policy.ts';
import type { Recorder } from '../../src/recorder/recorder.ts';
import { RuleSet } from '../../src/rules/rule-set.ts';
import { Alarms } from '../../src/service/alarms.ts';
import { announcementApi, openAnnouncements } from '../../src/service/announcements-opening.ts';
import { openAdminToken } from '../../src/store/admin-token.ts';
import { writeWebAddress } from '../../src/store/web-address.ts';
import { adminTokenAuthentication } from '../../src/web/api/authentication.ts';
import type { ApiStep } from '../../src/web/api/register.ts';
import { startWeb, type WebServer } from '../../src/web/server.ts';
import { decode, ffmpeg, loudness, toneIn } from '../support/ffmpeg.ts';
import { MemoryQueries, webOptions } from '../web/fakes.ts';

let folder: string;
let file: string;
let config: Config;
let server: WebServer;
let shelf: Announcements;
let policy: Policy;
let alarms: Alarms;
let stated: StatedEvent[];
let steps: ApiStep[];
let said: string[];
let isJournalWell: boolean;

beforeEach(async () => {
  [stated, steps, said] = [[], [], []];
  isJournalWell = true;
  folder = await mkdtemp(join(tmpdir(), 'sealtape-announcements-'));
  file = join(folder, 'config.yaml');
  await writeFile(file, "dataDir: .\nweb: { listen: '127.0.0.1:0' }\nannouncements: { maxSeconds: 5 }\n");
  config = loadConfig(file, folder);
  alarms = new Alarms(() => undefined);
  policy = await openPolicy(['greeting', 'inbound']);
  await openShelf();
  const token = await openAdminToken(folder);
  const api = {
    routes: announcementApi(config, shelf, policy),
    authenticate: adminTokenAuthentication(token),
    logStep: (step: ApiStep) => {
      steps.push(step);
      return Promise.resolve();
    },
  };
  server = await startWeb(webOptions(new MemoryQueries(), { api }));
  await writeWebAddress(folder, server.url);
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** Rules that name announcements, one each. */
function openPolicy(names: readonly string[]): Promise<Policy> {
  const rules = names.map((announcement) => ({ id: `with-${announcement}`, record: true, announcement }));
  const state: PolicyState = { version: 1, source: 'api', rules: { rules }, groups: {} };
  return Policy.open({
    file: { load: () => Promise.resolve(state), save: () => Promise.resolve() },
    state: () => Promise.resolve(true),
    now: Date.now,
    timeZone: 'UTC',
    configured: RuleSet.parse(state.rules),
  });
}

async function openShelf(): Promise<void> {
  const recorder = {
    state: (event: StatedEvent) => {
      stated.push(event);
      return Promise.resolve(isJournalWell);
    },
  } as unknown as Recorder;
  shelf = await openAnnouncements(config, { recorder, policy, bell: alarms });
}

const run = (...args: string[]): Promise<number> =>
  command.run([...args, '--config', file], (line) => {
    said.push(line);
  });

/** One second of a tone in a file of a kind. */
function tone(name: string, hertz: number, seconds = 1): string {
  const path = join(folder, name);
  ffmpeg(['-f', 'lavfi', '-i', `sine=frequency=${hertz}:duration=${seconds}:sample_rate=44100`, path]);
  return path;
}

test('the product brings German and English texts for both directions, which speak', async () => {
  expect(await run('list')).toBe(0);
  expect(said.map((line) => line.split(/\s+/).slice(0, 2).join(' ')).sort()).toEqual([
    'inbound de',
    'inbound en',
    'logged-in de',
    'logged-in en',
    'logged-out de',
    'logged-out en',
    'not-a-member de',
    'not-a-member en',
    'outbound de',
    'outbound en',
  ]);
  expect(shelf.find('inbound')?.locale).toBe('en');
  for (const each of shelf.list) {
    expect(each.encodings).toEqual(['PCMA', 'PCMU', 'G722', 'OPUS']);
    const clips = await Promise.all(each.encodings.map((encoding) => shelf.clip(each, encoding)));
    // All forms of a text last as long, to a frame.
    for (const { ends } of clips) expect(Math.abs(ends.length * 20 - each.milliseconds)).toBeLessThan(60);
    const answer = await fetch(
      `${server.url}/api/v1/announcements/${each.name}/audio?locale=${each.locale}`,
      {
        headers: { authorization: `Bearer ${await openAdminToken(folder)}` },
      },
    );
    const heard = join(folder, 'heard.wav');
    await writeFile(heard, Buffer.from(await answer.arrayBuffer()));
    const samples = decode(heard, 8000);
    expect(loudness(samples, 8000, 0.5, each.milliseconds / 1000 - 0.5)).toBeGreaterThan(500);
    expect(loudness(samples, 8000, 0, 0.2)).toBeLessThan(100);
  }
});

test.each(['greeting.wav', 'greeting.mp3', 'greeting.ogg'])(
  '%s is converted once, for every codec, and stated with its actor and the hashes before and after',
  async (name) => {
    expect(await run('add', 'greeting', tone(name, 440), '--locale', 'de')).toBe(0);
    expect(said.join('\n')).toMatch(
      /greeting +de .* PCMA PCMU G722 OPUS .* by admin-token \(.* at a terminal\)/,
    );
    const added = shelf.find('greeting', 'de');
    if (added === undefined) throw new Error('nothing was added');
    const { octets } = await shelf.clip(added, 'PCMU');
    const raw = join(folder, 'clip.ul');
    await writeFile(raw, octets);
    ffmpeg(['-f', 'mulaw', '-ar', '8000', '-i', raw, join(folder, 'clip.wav')]);
    expect(toneIn(decode(join(folder, 'clip.wav'), 8000), 8000, 0.2, 0.8)).toBe(440);
    const opus = await shelf.clip(added, 'OPUS');
    expect(opus.ends.length).toBeGreaterThan(48);
    expect(stated).toMatchObject([
      { type: 'announcement', change: 'added', name: 'greeting', locale: 'de', sha256: added.sha256 },
    ]);
    const [event] = stated as [AnnouncementChangeEvent];
    expect(event.actor).toMatch(/^admin-token/);
    expect(event.hashBefore).not.toBe(event.hashAfter);
    expect(steps).toMatchObject([{ step: 'announcement added by API', outcome: 'ok' }]);
    // And it is still there after a restart.
    await openShelf();
    expect(shelf.find('greeting', 'fr')).toEqual(added);
  },
);

test('what states a change is on the disk before it is stated; what the journal has not taken is stated once more by the next start', async () => {
  isJournalWell = false;
  await run('add', 'hello', tone('one.wav', 440), '--locale', 'de');
  await run('add', 'hello', tone('two.wav', 880), '--locale', 'de');
  await run('remove', 'hello', '--locale', 'de');
  const before = [...stated];
  expect(new Set(before.map(({ at }) => at)).size).toBe(3);
  const index = join(folder, 'announcements', 'announcements.json');
  expect(JSON.parse(await readFile(index, 'utf8'))).toEqual({ listed: [], unstated: before });
  await openShelf();
  expect(stated.splice(0)).toEqual([...before, ...before]);
  isJournalWell = true;
  await openShelf();
  expect(stated.splice(0)).toEqual(before);
  expect(JSON.parse(await readFile(index, 'utf8'))).toEqual([]);
  await openShelf();
  expect(stated).toEqual([]);
});

test('an upload goes before what ships, replaces the one before it, and gives way to it when removed', async () => {
  await run('add', 'inbound', tone('one.wav', 440), '--locale', 'de');
  await run('add', 'inbound', tone('two.wav', 880, 2), '--locale', 'de');
  expect(shelf.find('inbound', 'de')).toMatchObject({ source: 'uploaded', milliseconds: 2000 });
  expect(shelf.find('inbound', 'en')).toMatchObject({ source: 'shipped', locale: 'en' });
  expect(shelf.list.filter(({ source }) => source === 'uploaded')).toHaveLength(1);
  await run('add', 'inbound', tone('three.wav', 880, 3));
  expect(shelf.find('inbound', 'en')).toMatchObject({ source: 'uploaded', milliseconds: 3000 });
  expect(await run('remove', 'inbound', '--locale', 'de')).toBe(0);
  expect(await run('remove', 'inbound')).toBe(0);
  expect(shelf.find('inbound', 'de')).toMatchObject({ source: 'shipped', locale: 'de' });
  expect(stated.map((event) => (event as AnnouncementChangeEvent).change)).toEqual([
    'added',
    'added',
    'added',
    'removed',
    'removed',
  ]);
  // Nothing of what was replaced or removed is left.
  expect(await readdir(join(folder, 'announcements'))).toEqual(['announcements.json']);
});

test('a file that is no audio, an empty and an overlong one are turned down with the reason, and change nothing', async () => {
  const text = join(folder, 'text.wav');
  await writeFile(text, 'not audio at all');
  const broken = join(folder, 'broken.wav');
  await writeFile(broken, (await readFile(tone('tone.wav', 440))).subarray(0, 40));
  expect(await run('add', 'greeting', text)).toBe(1);
  expect(await run('add', 'greeting', broken)).toBe(1);
  expect(await run('add', 'greeting', tone('long.mp3', 440, 7))).toBe(1);
  expect(await run('add', 'Grüße', text)).toBe(1);
  expect(said[0]).toMatch(/this is no WAV, MP3 or Ogg file/);
  expect(said[1]).toMatch(/cannot be used/);
  expect(said[1]).not.toContain(folder);
  expect(said[2]).toMatch(/longer than 5 seconds/);
  expect(said[3]).toMatch(/not a name/);
  expect(steps.map(({ outcome, step }) => `${outcome} ${step}`)).toEqual(
    Array.from({ length: 4 }, () => 'warning not done: announcement added by API'),
  );
  expect(shelf.names).toEqual(['inbound', 'outbound', 'logged-in', 'logged-out', 'not-a-member']);
  expect(stated).toEqual([]);
  expect(await readdir(join(folder, 'announcements'))).toEqual([]);
});

test('what ships, what a rule names and what does not exist is not removed', async () => {
  await run('add', 'greeting', tone('greeting.wav', 440));
  said.length = 0;
  expect(await run('remove', 'outbound', '--locale', 'de')).toBe(1);
  expect(await run('remove', 'greeting')).toBe(1);
  expect(await run('remove', 'farewell')).toBe(1);
  expect(said[0]).toMatch(/outbound came with the product/);
  expect(said[1]).toMatch(/greeting is named by the rule with-greeting/);
  expect(said[2]).toMatch(/no announcement farewell/);
  expect(shelf.find('greeting')).toBeDefined();
});

test('a rule that names an announcement which does not exist rings until there is one', async () => {
  expect(alarms.active).toMatchObject([
    {
      code: 'announcement-missing',
      subject: 'with-greeting',
      text: 'the rule with-greeting names the announcement greeting, which does not exist',
    },
  ]);
  await run('add', 'greeting', tone('greeting.wav', 440));
  expect(alarms.active).toEqual([]);
});
