import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '../../src/config.ts';
import { RuleSet } from '../../src/rules/rule-set.ts';
import { Alarms } from '../../src/service/alarms.ts';
import { openPolicy } from '../../src/service/policy-opening.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealtape-policy-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const recorder = { state: () => Promise.resolve(true) };
const destination = (name: string) => ({ name, kind: 'path', root: `/srv/${name}` });

const start = async (destinations: readonly string[], more: object = {}) => {
  const raw = { dataDir: folder, destinations: destinations.map(destination), ...more };
  const alarms = new Alarms(() => undefined);
  const config = parseConfig(raw, { source: 'test', folder });
  return { alarms, policy: await openPolicy(config, { recorder, bell: alarms }) };
};

const rulesTo = (destinations: readonly string[]): RuleSet =>
  RuleSet.parse({ rules: [{ id: 'sales', record: true, destinations, retention: 'wphg-5y' }] });

test('rings when a rule made by API names what was taken out of the configuration, until it does no more', async () => {
  const before = await start(['archive', 'nas']);
  await before.policy.replaceRules(rulesTo(['nas']), 'admin');
  expect(before.alarms.active).toEqual([]);

  const { alarms, policy } = await start(['archive']);
  expect(alarms.active).toMatchObject([
    {
      code: 'rule-names-missing',
      severity: 'critical',
      text: expect.stringContaining('sales: destinations: nas is not one of archive'),
    },
  ]);
  await policy.replaceRules(rulesTo(['archive']), 'admin');
  expect(alarms.active).toEqual([]);
});

test('rules of the configuration file are checked when it is read, and ring nothing', async () => {
  const { alarms, policy } = await start(['archive'], { rules: rulesTo(['archive']) });
  expect(policy.rules.source).toBe('file');
  expect(alarms.active).toEqual([]);
});
