import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseFolderTemplate, type FolderFacts } from '../../src/delivery/folder-template.ts';
import { splitUploadPath } from '../../src/delivery/upload-path.ts';

const facts: FolderFacts = {
  startedAt: Date.parse('2026-03-29T00:30:00Z'),
  direction: 'in',
  caller: '+49301234567',
  callee: '100',
  user: 'Erika.M',
  group: 'Handel & Zins',
  trunk: 'sbc 1',
  installation: 'local',
};

/** What three hours of quarters give, sorted by time and by name alike. */
function expectInOrder(nameAt: (hours: number) => string): void {
  const names = Array.from({ length: 12 }, (_, quarter) => nameAt(quarter / 4));
  expect(names.toSorted()).toEqual(names);
}

describe('parseFolderTemplate', () => {
  test.each([
    ['{yyyy}/{MM}/{dd}', 'UTC', '2026/03/29'],
    ['{yyyy}/{MM}/{dd}', 'America/New_York', '2026/03/28'],
    ['{yyyy}{MM}{dd}-{HH}', 'UTC', '20260329-00'],
    ['{HH}', 'Europe/Berlin', '01'],
    ['{HH}', 'Asia/Kolkata', '06'],
    ['{direction}/{caller}/{callee}', 'UTC', 'in/+49301234567/100'],
    ['/Aufnahmen Köln//{trunk}/{installation}/', 'UTC', 'Aufnahmen Köln/sbc-1/local'],
    ['{group}/{user}', 'UTC', 'Handel---Zins/Erika.M'],
    ['', 'UTC', ''],
  ])('fills %j in %s: %j', (template, timeZone, expected) => {
    expect(parseFolderTemplate(template, timeZone)(facts)).toBe(expected);
  });

  test.each([
    [Date.parse('2026-03-29T01:30:00Z'), '03'],
    [Date.parse('2026-10-25T00:30:00Z'), '02'],
    [Date.parse('2026-10-25T01:30:00Z'), '02'],
    [Date.parse('2026-10-24T22:00:00Z'), '00'],
  ])('knows daylight saving and midnight: %i is %s in Berlin', (startedAt, hour) => {
    expect(parseFolderTemplate('{HH}', 'Europe/Berlin')({ ...facts, startedAt })).toBe(hour);
  });

  test.each([
    ['{yyyy}/{mm}', 'UTC', '{mm} is not known'],
    ['{toString}', 'UTC', '{toString} is not known'],
    ['{}', 'UTC', '{} is not known'],
    ['a/../b', 'UTC', 'not a folder name'],
    ['aux/{yyyy}', 'UTC', 'keeps for itself'],
    ['x/Com7.alt', 'UTC', 'keeps for itself'],
    ['a_vti_b', 'UTC', 'keeps for itself'],
    ['{yyyy', 'UTC', 'cannot have'],
    ['a\\b', 'UTC', 'cannot have'],
    ['a\u0000', 'UTC', 'cannot have'],
    ['{yyyy}', 'Mars/Olympus', 'not a time zone'],
  ])('refuses %j in %s at once: %s', (template, timeZone, text) => {
    const parse = (): unknown => parseFolderTemplate(template, timeZone);
    expect(parse).toThrow(text);
    expect(parse).toThrow(expect.objectContaining({ name: 'DeliveryError', code: 'BAD_TEMPLATE' }));
  });

  test('names what is not known', () => {
    const { caller, callee, ...unnamed } = facts;
    expect([caller, callee]).toHaveLength(2);
    expect(parseFolderTemplate('{caller}/{callee}', 'UTC')(unnamed)).toBe('unknown/unknown');
  });

  test.each([
    ['CON', '-CON'],
    ['nul.x', '-nul.x'],
    ['Desktop.ini', '-Desktop.ini'],
    ['a_VTI_b', '-a-vti-b'],
    ['console', 'console'],
    ['com10', 'com10'],
  ])('gives a client called %s the folder %s, which Windows and SharePoint take', (caller, folder) => {
    expect(parseFolderTemplate('{caller}', 'UTC')({ ...facts, caller })).toBe(folder);
  });

  test('gives folders of UTC that sort as time does, over both changes of summer time', () => {
    const fill = parseFolderTemplate('{yyyy}/{MM}/{dd}/{HH}', 'UTC');
    for (const change of ['2026-03-29T00:00:00Z', '2026-10-25T00:00:00Z'])
      expectInOrder((hours) => fill({ ...facts, startedAt: Date.parse(change) + hours * 3_600_000 }));
  });

  test('makes a usable folder out of whatever a client calls itself', () => {
    const fill = parseFolderTemplate('x/{caller}/{trunk}{callee}', 'UTC');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (caller, callee) => {
        const folder = fill({ ...facts, caller, callee });
        expect(splitUploadPath(`${folder}/a.wav`).folders).toHaveLength(3);
      }),
    );
    expect(fill({ ...facts, caller: '../../etc', callee: '..' })).toBe('x/..-..-etc/sbc-1--');
  });

  test('throws only its own error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (template) => {
        try {
          expect(typeof parseFolderTemplate(template, 'UTC')(facts)).toBe('string');
        } catch (error) {
          expect(error).toMatchObject({ name: 'DeliveryError' });
        }
      }),
    );
  });
});
