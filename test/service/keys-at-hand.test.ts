import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Alarm } from '../../src/alarm.ts';
import { loadConfig, type Config } from '../../src/config.ts';
import { openKeysAtHand } from '../../src/service/keys.ts';
import { pairOf, placePair } from '../../src/store/key-store.ts';
import type { KeysAtHand } from '../../src/service/keys-at-hand.ts';
import { freshPair } from '../support/evidence-signer.ts';

let whole: string;
let dataDir: string;
let alarms: Alarm[];
let closing: (() => unknown)[];

beforeAll(async () => {
  whole = mkdtempSync(join(tmpdir(), 'keys-whole-'));
  const { privateKeyPem, certificatePem } = freshPair();
  mkdirSync(join(whole, 'keys'));
  writeFileSync(join(whole, 'key-credential'), 'the passphrase\n', { mode: 0o600 });
  await placePair(join(whole, 'keys'), 'current', pairOf(privateKeyPem, certificatePem), 'the passphrase');
  // Something was signed before.
  cpSync(join(whole, 'keys', 'current'), join(whole, 'evidence', 'log'), { recursive: true });
});

afterAll(() => {
  rmSync(whole, { recursive: true });
});

beforeEach(() => {
  closing = [];
  alarms = [];
  dataDir = mkdtempSync(join(tmpdir(), 'keys-at-hand-'));
  cpSync(whole, dataDir, { recursive: true });
});

afterEach(() => {
  for (const close of closing) close();
  rmSync(dataDir, { recursive: true });
});

const bell = {
  raise: (alarm: Alarm): void => {
    alarms.push(alarm);
  },
  clear: (code: string): void => {
    alarms = alarms.filter((alarm) => alarm.code !== code);
  },
};

function open(folder: string, change: Partial<Config['evidence']> = {}): Promise<KeysAtHand> {
  const config = loadConfig(undefined, folder);
  return openKeysAtHand(
    { ...config, dataDir: folder, evidence: { ...config.evidence, ...change } },
    { bell, log: () => undefined, closing: { add: (_name, close) => void closing.push(close) } },
  );
}

const inKeys = (name: string): string => join(dataDir, 'keys', 'current', name);
const KEY = 'signing-key.pem';
const CERTIFICATE = 'signing-certificate.pem';

test.each<readonly [string, () => void, () => string]>([
  [
    'a missing key',
    () => {
      rmSync(inKeys(KEY));
    },
    () => `${inKeys(KEY)} is missing`,
  ],
  [
    'a missing certificate',
    () => {
      rmSync(inKeys(CERTIFICATE));
    },
    () => `${inKeys(CERTIFICATE)} is missing`,
  ],
  [
    'a key that was cut off',
    () => {
      writeFileSync(inKeys(KEY), readFileSync(inKeys(KEY)).subarray(0, 800));
    },
    () => `${inKeys(KEY)} is damaged`,
  ],
  [
    'a certificate of another key',
    () => {
      writeFileSync(inKeys(CERTIFICATE), freshPair().certificatePem);
    },
    () => `${inKeys(CERTIFICATE)} does not belong to ${inKeys(KEY)}`,
  ],
  [
    'a key that others can read',
    () => {
      chmodSync(inKeys(KEY), 0o644);
    },
    () => `${inKeys(KEY)} can be read by`,
  ],
  [
    'another passphrase',
    () => {
      writeFileSync(join(dataDir, 'key-credential'), 'another\n', { mode: 0o600 });
    },
    () => `${inKeys(KEY)} does not open with the passphrase`,
  ],
  [
    'a passphrase that is gone',
    () => {
      rmSync(join(dataDir, 'key-credential'));
    },
    () => `${join(dataDir, 'key-credential')} is missing`,
  ],
  [
    'no keys at all',
    () => {
      rmSync(join(dataDir, 'keys'), { recursive: true });
    },
    () => `${join(dataDir, 'keys')} is missing`,
  ],
])(
  '%s keeps no recorder from starting; an alarm names the file, and nothing is made anew',
  async (_name, spoil, text) => {
    spoil();
    const before = existsSync(join(dataDir, 'keys')) && existsSync(inKeys(KEY));
    const keys = await open(dataDir);
    expect(keys.opened).toBeUndefined();
    expect(keys.refusing).toBe(true);
    expect(keys.missing?.text).toContain(text());
    expect(alarms).toMatchObject([
      { code: 'keys-missing', severity: 'critical', text: expect.stringContaining(text()) },
    ]);
    expect(existsSync(inKeys(KEY))).toBe(before);
    await keys.whenMissing();
  },
);

test('keys that come back are taken up at the next look, and the alarm ends; the same damage is not tried again', async () => {
  const key = readFileSync(inKeys(KEY));
  rmSync(inKeys(KEY));
  const keys = await open(dataDir, { withoutKeys: 'record' });
  expect([keys.refusing, keys.opened]).toEqual([false, undefined]);
  const opened = keys.whenOpened();
  await keys.look();
  expect(keys.missing?.text).toContain('is missing');
  writeFileSync(inKeys(KEY), key, { mode: 0o600 });
  await keys.look();
  expect((await opened).keys.signer.certificatePem).toBe(readFileSync(inKeys(CERTIFICATE), 'utf8'));
  expect([keys.missing, alarms]).toEqual([undefined, []]);

  // The log knows of a later key: these are of an old backup.
  keys.lose('the log was signed with another key');
  await keys.look();
  expect(keys.opened).toBeUndefined();
  expect(alarms).toMatchObject([{ text: expect.stringContaining('signed with another key') }]);
  writeFileSync(inKeys(KEY), key, { mode: 0o600 });
  await keys.look();
  expect(keys.opened).toBeDefined();
});

test('a passphrase that is configured wrongly ends the very first start: nothing is lost, and somebody is there to read it', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'keys-new-'));
  const passphraseFile = join(empty, 'nowhere');
  await expect(open(empty, { keys: { passphraseFile, warnDays: 60 } })).rejects.toMatchObject({
    code: 'KEYS_NOT_MADE',
    message: expect.stringContaining(`${passphraseFile} is missing`),
  });
  rmSync(empty, { recursive: true });
});
