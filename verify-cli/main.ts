#!/usr/bin/env node
import { Buffer } from 'node:buffer';
import { writeFile } from 'node:fs/promises';
import { messageOf, UnreadableError } from './archive.ts';
import { readArguments, USAGE, type Arguments, type Output } from './arguments.ts';
import { htmlReport, signReport } from './html-report.ts';
import { ProgressBar } from './progress.ts';
import { ReadingThreads } from './reading-threads.ts';
import { jsonReport, textReport } from './report.ts';
import { exitCodeOf, resultOf } from './verdict.ts';
import { verify, type Verification } from './verify.ts';

const UNREADABLE = 2;

async function main(): Promise<number> {
  const given = readArguments(process.argv.slice(2));
  if (given === undefined) {
    process.stderr.write(USAGE);
    return UNREADABLE;
  }
  const bar = new ProgressBar((text) => process.stderr.write(text), Date.now);
  const reader = new ReadingThreads();
  try {
    // A key that cannot be used should not be found out after hours.
    if (given.reportKey !== undefined) await signReport(Buffer.alloc(0), given.reportKey);
    const verification = await verify(given, {
      reader,
      onProgress: (done, total) => {
        if (process.stderr.isTTY) bar.update(done, total);
      },
    });
    bar.clear();
    const page = await writePage(verification, given);
    process.stdout.write(given.json ? jsonReport(verification) : textReport(verification) + page);
    return exitCodeOf(resultOf(verification));
  } catch (error) {
    bar.clear();
    const kind = error instanceof UnreadableError ? 'cannot be verified' : 'cannot be read';
    process.stderr.write(`sealtape-verify: ${kind}: ${messageOf(error)}\n`);
    return UNREADABLE;
  } finally {
    await reader.close();
  }
}

/** Writes the page that was asked for; says what binds it. */
async function writePage(
  verification: Verification,
  { html, reportKey, ...given }: Arguments & Output,
): Promise<string> {
  if (html === undefined) return '';
  const page = htmlReport(verification, { at: new Date(), given });
  const { sha256, signature } = await signReport(page, reportKey);
  await writeFile(html, page);
  const hash = `Report: ${html}\n        SHA-256 ${sha256}\n`;
  if (signature === undefined) return hash;
  await writeFile(`${html}.sig`, signature);
  return `${hash}        signed: ${html}.sig\n`;
}

process.exitCode = await main();
