// Reads what Jest wrote with --json.
//   results.cjs failed FIRST          the test files that failed, one a line; one with skipped tests has not (Jest calls it `focused`)
//   results.cjs count FIRST [AGAIN]   "N passed, N failed, N skipped"; files of the second run replace those of the first.
//                                     Exit status 0 when tests ran and none failed.
const { readFileSync } = require('node:fs');

const [, , command, ...files] = process.argv;
const runs = files
  .map((file) => readFileSync(file, 'utf8'))
  .filter((text) => text !== '')
  .map((text) => JSON.parse(text).testResults);
const byFile = new Map(runs.flat().map((result) => [result.name, result]));

if (command === 'failed') {
  for (const { name, status } of byFile.values()) if (status === 'failed') console.log(name);
} else {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const { status, assertionResults } of byFile.values()) {
    // A test file that could not even be loaded counts as a failed test.
    if (status === 'failed' && assertionResults.every((test) => test.status !== 'failed')) count.failed++;
    for (const test of assertionResults)
      count[test.status === 'passed' || test.status === 'failed' ? test.status : 'skipped']++;
  }
  console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  process.exitCode = count.failed === 0 && count.passed > 0 ? 0 : 1;
}
