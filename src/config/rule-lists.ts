import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** The lists that may come from a file. */
const LISTS = ['user', 'caller', 'callee', 'number'];

/**
 * Rules as they stand in the configuration file, with `{ file: numbers.txt }` in a list replaced by the file's lines; blank ones and those that
 * begin with `//` are passed over. Throws what reading a file throws.
 */
export function readRuleLists(rules: unknown, folder: string): unknown {
  if (!isObject(rules) || !Array.isArray(rules['rules'])) return rules;
  const withLists = (conditions: unknown): unknown =>
    isObject(conditions)
      ? Object.fromEntries(
          Object.entries(conditions).map(([key, list]) => [
            key,
            LISTS.includes(key) && Array.isArray(list) ? list.flatMap((item) => linesOf(item, folder)) : list,
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

function linesOf(item: unknown, folder: string): readonly unknown[] {
  if (!isObject(item) || typeof item['file'] !== 'string' || Object.keys(item).length > 1) return [item];
  return readFileSync(resolve(folder, item['file']), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('//'));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
