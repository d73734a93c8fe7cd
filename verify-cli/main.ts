#!/usr/bin/env node
import { messageOf, UnreadableError } from './archive.ts';
import { readArguments, USAGE } from './arguments.ts';
import { ProgressBar } from './progress.ts';
import { jsonReport, textReport } from './report.ts';
import { exitCodeOf, resultOf } from './verdict.ts';
import { verify } from './verify.ts';

const UNREADABLE = 2;

async function main(): Promise<number> {
  const given = readArguments(process.argv.slice(2));
  if (given === undefined) {
    process.stderr.write(USAGE);
    return UNREADABLE;
  }
  const bar = new ProgressBar((text) => process.stderr.write(text), Date.now);
  try {
    const verification = await verify(given, (done, total) => {
      if (process.stderr.isTTY) bar.update(done, total);
    });
    bar.clear();
    process.stdout.write(given.json ? jsonReport(verification) : textReport(verification));
    return exitCodeOf(resultOf(verification));
  } catch (error) {
    bar.clear();
    const kind = error instanceof UnreadableError ? 'cannot be verified' : 'cannot be read';
    process.stderr.write(`sealtape-verify: ${kind}: ${messageOf(error)}\n`);
    return UNREADABLE;
  }
}

process.exitCode = await main();
