import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from '@jest/globals';

/** Only root may mount a file system, and a container may forbid it even to root. */
function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'mount-'));
  const run = (program: string, ...args: string[]): void => {
    execFileSync(program, args, { stdio: 'pipe', timeout: 30_000 });
  };
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'sealtape-test', folder);
    run('umount', folder);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Tests that mount a tmpfs: where that is not allowed they are seen as skipped, not as passed. */
export const testWithMount = canMount() ? test : test.skip;
