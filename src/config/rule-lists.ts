import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { NumberPattern, UserPattern } from '../rules/rule-set.ts';

/** The lists that may come from a file. */
const LISTS = ['user', 'caller', 'callee', 'number'];

/**
 * Rules as they stand in the configuration file, with `{ file: numbers.txt }` in a list replaced by the file's lines; blank ones and comments
 * (`//`, or `#` and a blank) are passed over. Throws what reading a file throws, and an Error without a code that names the lines that are no patterns.
 */
export function readRuleLists(rules: unknown, folder: string): unknown {
  if (!isObject(rules) || !Array.isArray(rules['rules'])) return rules;
  const withLists = (conditions: unknown): unknown =>
    isObject(conditions)
      ? Object.fromEntries(
          Object.entries(conditions).map(([key, list]) => [
            key,
            LISTS.includes(key) && Array.isArray(list)
              ? list.flatMap((item) => linesOf(item, key, folder))
              : list,
          ]),
        )
      : conditions;
  return {
    ...rules,
    rules: rules['rules'].map((rule: unknown) =>
      isObject(rule)
        ? {
            ...rule,
            ...('when' in rule && { when: withLists(rule['when']) }),
            ...('unless' in rule && { unless: withLists(rule['unless']) }),
          }
        : rule,
    ),
  };
}

function linesOf(item: unknown, key: string, folder: string): readonly unknown[] {
  if (!isObject(item) || typeof item['file'] !== 'string' || Object.keys(item).length > 1) return [item];
  const { file } = item;
  const pattern = key === 'user' ? UserPattern : NumberPattern;
  const faults: string[] = [];
  const lines = readFileSync(resolve(folder, file), 'utf8')
    .split('\n')
    .flatMap((text, at) => {
      const line = text.trim();
      if (COMMENT.test(line)) return [];
      const [issue] = pattern.safeParse(line).error?.issues ?? [];
      if (issue !== undefined)
        faults.push(`${file} line ${at + 1}: ${line.slice(0, 60)} is ${issue.message}`);
      return [line];
    });
  if (faults.length > 0) throw new Error(faults.slice(0, MOST_FAULTS).join('\n  '));
  return lines;
}

/** Blank, or words behind two strokes or a number sign with a blank: `#31#` is something to dial. */
const COMMENT = /^(?:$|\/\/|#(?:\s|$))/;

/** Shown of one file. */
const MOST_FAULTS = 20;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
