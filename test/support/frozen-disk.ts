import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const run = (program: string, ...args: string[]): void => {
  execFileSync(program, args, { stdio: 'pipe', timeout: 30_000 });
};

/** A file system of its own (ext4 in a file) that can be frozen: the kernel then answers no write to it, and no error either. */
export class FrozenDisk {
  readonly path: string;
  readonly #image: string;
  #frozen = false;

  private constructor(folder: string) {
    this.path = join(folder, 'disk');
    this.#image = join(folder, 'disk.img');
  }

  /** Undefined where this machine lets nobody mount anything, as in most containers. */
  static make(folder: string): FrozenDisk | undefined {
    const disk = new FrozenDisk(folder);
    try {
      mkdirSync(disk.path);
      writeFileSync(disk.#image, '');
      truncateSync(disk.#image, 32 * 1024 * 1024);
      run('mkfs.ext4', '-q', '-O', '^has_journal', disk.#image);
      run('mount', '-o', 'loop', disk.#image, disk.path);
      disk.freeze();
      disk.thaw();
      return disk;
    } catch {
      disk.remove();
      return undefined;
    }
  }

  freeze(): void {
    run('fsfreeze', '-f', this.path);
    this.#frozen = true;
  }

  thaw(): void {
    if (this.#frozen) run('fsfreeze', '-u', this.path);
    this.#frozen = false;
  }

  remove(): void {
    try {
      this.thaw();
      run('umount', this.path);
    } catch {
      // It was never mounted.
    }
    rmSync(this.#image, { force: true });
  }
}
