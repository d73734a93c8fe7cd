import { expect, test } from '@jest/globals';
import { openTerminalLog, type LogLevel } from '../src/log.ts';

function linesOf(level: LogLevel): string[] {
  const lines: string[] = [];
  const log = openTerminalLog(level, (line) => lines.push(line));
  for (const at of ['debug', 'info', 'warn', 'error'] as const) log(at, `a matter of ${at}`);
  return lines.map((line) => line.slice('HH:MM:SS '.length));
}

test.each([
  ['debug', ['debug: a matter of debug', 'info: a matter of info']],
  ['info', []],
  ['warn', []],
] as const)('on a terminal the level %s shows warnings, errors and %p', (level, more) => {
  expect(linesOf(level)).toEqual(
    [...more, 'warning: a matter of warn', 'ERROR: a matter of error'].map((line) => `${line}\n`),
  );
});

test('on a terminal the level error shows errors only', () => {
  expect(linesOf('error')).toEqual(['ERROR: a matter of error\n']);
});

test('fields follow the message in words, and stacks keep their lines', () => {
  const lines: string[] = [];
  const log = openTerminalLog('info', (line) => lines.push(line));
  log('warn', 'it happened', {
    error: 'Error: no\n    at here',
    attempt: 2,
    of: { a: 1 },
    nothing: undefined,
  });
  expect(lines.join('')).toMatch(
    /^\d\d:\d\d:\d\d warning: it happened \(error: Error: no\n {4}at here, attempt: 2, of: \{"a":1\}, nothing: null\)\n$/,
  );
});

test('what came from the network cannot move the cursor', () => {
  const lines: string[] = [];
  openTerminalLog('info', (line) => lines.push(line))('error', 'refused', { from: '\u001b[2J\r\u009b1mPBX' });
  expect(lines.join('')).toContain('(from: \uFFFD[2J\uFFFD\uFFFD1mPBX)\n');
});
