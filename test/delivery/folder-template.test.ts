import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseFolderTemplate, type FolderFacts } from '../../src/delivery/folder-template.ts';
import { splitUploadPath } from '../../src/delivery/upload-path.ts';

const facts: FolderFacts = {
  startedAt: Date.parse('2026-03-29T00:30:00Z'),
  direction: 'in',
  caller: '+49301234567',
  callee: '100',
  trunk: 'sbc 1',
  installation: 'local',
};

describe('parseFolderTemplate', () => {
  test.each([
    ['{yyyy}/{MM}/{dd}', 'UTC', '2026/03/29'],
    ['{yyyy}/{MM}/{dd}', 'America/New_York', '2026/03/28'],
    ['{yyyy}{MM}{dd}-{HH}', 'UTC', '20260329-00'],
    ['{HH}', 'Europe/Berlin', '01'],
    ['{HH}', 'Asia/Kolkata', '06'],
    ['{direction}/{caller}/{callee}', 'UTC', 'in/+49301234567/100'],
    ['/Aufnahmen Köln//{trunk}/{installation}/', 'UTC', 'Aufnahmen Köln/sbc-1/local'],
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
